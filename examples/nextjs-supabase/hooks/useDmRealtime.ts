import { useCallback, useEffect, useState } from 'react';
import type { MessageRow } from '@/lib/conversation';
import { supabase } from '@/lib/supabaseClient';

/** The old path: rows by PostgREST, and new ones as Supabase Realtime tells of them. */
export function useDmRealtime(threadId: string, firstRows: readonly MessageRow[]) {
  const [messages, setMessages] = useState(firstRows);
  const [isConnected, setIsConnected] = useState(false);

  useEffect(() => {
    const channel = supabase
      .channel(`dm:${threadId}`)
      .on<MessageRow>(
        'postgres_changes',
        {
          event: 'INSERT',
          schema: 'public',
          table: 'messages',
          filter: `thread_id=eq.${threadId}`,
        },
        ({ new: row }) => setMessages((rows) => [...rows, row]),
      )
      .subscribe((status) => setIsConnected(status === 'SUBSCRIBED'));
    return () => void supabase.removeChannel(channel);
  }, [threadId]);

  const sendMessage = useCallback(async (threadId: string, body: string) => {
    const { error } = await supabase.from('messages').insert({ thread_id: threadId, body });
    if (error) throw new Error(error.message);
  }, []);

  return { messages, isConnected, sendMessage };
}
