'use client';

import { useWebSocketDm } from '@rejoinder/client/react';
import { useConnect } from '@/hooks/useConnect';
import type { Conversation } from '@/lib/conversation';
import { shownMessage, shownRow } from '@/lib/shown';
import { connectionWords, presenceWords, unavailableWords } from '@/lib/words';
import { Chat } from './Chat';

/** The same thread by Rejoinder. */
export function After({ conversation }: { readonly conversation: Conversation }) {
  const { threadId, names, rows, userId } = conversation;
  useConnect(userId);
  const dm = useWebSocketDm(threadId);
  const { messages, sendMessage, sendTyping, retry, discard } = dm;

  // What the server has rendered stays until the thread is here.
  const isHere = messages.length > 0 || dm.syncState === 'live' || dm.unavailable !== undefined;

  return (
    <Chat
      title="After"
      hook="useWebSocketDm"
      status={connectionWords(dm.connection)}
      notice={dm.unavailable ? unavailableWords(dm.unavailable) : presenceWords(dm, names)}
      messages={
        isHere
          ? messages.map((message) => shownMessage(message, conversation))
          : rows.map((row) => shownRow(row, conversation))
      }
      send={(body) => sendMessage(threadId, body)}
      sendTyping={(isTyping) => sendTyping(threadId, isTyping)}
      retry={retry}
      discard={discard}
    />
  );
}
