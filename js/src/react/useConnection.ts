'use client';

import type { ConnectionSnapshot } from '../types.js';
import { useDmClient } from './clientContext.js';
import { useWatched } from './useWatched.js';

/** Returns the state of the connection, the queue and the storage. */
export function useConnection(): ConnectionSnapshot {
  return useWatched(useDmClient().connection);
}
