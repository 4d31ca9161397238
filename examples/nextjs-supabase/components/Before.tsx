'use client';

import { useDmRealtime } from '@/hooks/useDmRealtime';
import type { Conversation } from '@/lib/conversation';
import { shownRow } from '@/lib/shown';
import { Chat } from './Chat';

/** The thread by Supabase Realtime, as the application had it. */
export function Before({ conversation }: { readonly conversation: Conversation }) {
  const { threadId, rows } = conversation;
  const { messages, isConnected, sendMessage } = useDmRealtime(threadId, rows);

  return (
    <Chat
      title="Before"
      hook="useDmRealtime"
      status={isConnected ? 'connected' : 'offline'}
      messages={messages.map((row) => shownRow(row, conversation))}
      send={(body) => sendMessage(threadId, body)}
    />
  );
}
