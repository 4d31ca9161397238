'use client';

import type { InboxSnapshot } from '../types.js';
import { useDmClient } from './clientContext.js';
import { useWatched } from './useWatched.js';

/** Returns the list of threads, and keeps it up to date; an unchanged thread stays the same object. */
export function useInbox(): InboxSnapshot {
  return useWatched(useDmClient().inbox);
}
