'use client';

import { useCallback, useMemo } from 'react';
import { isId } from '../arguments.js';
import type { DmClient } from '../client.js';
import { EMPTY_THREAD } from '../threadStore.js';
import type { ConnectionSnapshot, ThreadSnapshot, Watchable } from '../types.js';
import { useDmClient } from './clientContext.js';
import { useWatched } from './useWatched.js';

/** One thread and what can be done in it. The functions stay the same from render to render. */
export interface WebSocketDm extends ThreadSnapshot {
  /** Whether the gateway has welcomed this client; `syncState` tells when the thread is complete. */
  readonly isConnected: boolean;
  /** Why not, when the next attempt begins, how much waits, and where it is kept. */
  readonly connection: ConnectionSnapshot;
  /** Sends a message, to any thread; see {@link DmClient.sendMessage}. */
  readonly sendMessage: DmClient['sendMessage'];
  /** Says that the user is writing, or has stopped; see {@link DmClient.sendTyping}. */
  readonly sendTyping: DmClient['sendTyping'];
  /** Tries a failed message again; see {@link DmClient.retry}. */
  readonly retry: DmClient['retry'];
  /** Takes a message back; see {@link DmClient.discard}. */
  readonly discard: DmClient['discard'];
  /** Shows older messages of this thread, if `hasOlder`. */
  readonly loadOlder: () => void;
}

/** What is shown where no thread can be. */
const constant = (snapshot: ThreadSnapshot): Watchable<ThreadSnapshot> => ({
  subscribe: () => () => {},
  getSnapshot: () => snapshot,
  getServerSnapshot: () => snapshot,
});
const NONE = constant(EMPTY_THREAD);
const IMPOSSIBLE = constant(Object.freeze({ ...EMPTY_THREAD, unavailable: 'invalid_argument' }));

/**
 * Shows a thread, and keeps it open while the component is there and five seconds longer.
 *
 * Uses the client of the nearest `DmProvider`, or `getWebSocketClient()`; the application connects
 * it. An unchanged message stays the identical object, so memoised rows are not rendered anew.
 *
 * @param threadId `null` or `undefined` opens nothing. What cannot be the id of a thread, say from a
 * mistyped address, is `unavailable` with `invalid_argument`.
 */
export function useWebSocketDm(threadId: string | null | undefined): WebSocketDm {
  const client = useDmClient();
  const watched = useMemo(() => watchedOf(client, threadId), [client, threadId]);
  const snapshot = useWatched(watched);
  const connection = useWatched(client.connection);
  const loadOlder = useCallback(() => {
    if (isId(threadId)) client.loadOlder(threadId);
  }, [client, threadId]);
  return useMemo(
    () => ({
      ...snapshot,
      isConnected: connection.state === 'connected',
      connection,
      sendMessage: client.sendMessage,
      sendTyping: client.sendTyping,
      retry: client.retry,
      discard: client.discard,
      loadOlder,
    }),
    [client, snapshot, connection, loadOlder],
  );
}

/** Asks the client for the thread only when somebody looks: rendering on a server never does. */
function watchedOf(
  client: DmClient,
  threadId: string | null | undefined,
): Watchable<ThreadSnapshot> {
  if (threadId === null || threadId === undefined) return NONE;
  if (!isId(threadId)) return IMPOSSIBLE;
  return {
    subscribe: (listener) => client.thread(threadId).subscribe(listener),
    getSnapshot: () => client.thread(threadId).getSnapshot(),
    getServerSnapshot: () => EMPTY_THREAD,
  };
}
