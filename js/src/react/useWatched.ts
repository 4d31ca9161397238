'use client';

import { useSyncExternalStore } from 'react';
import type { Watchable } from '../types.js';

/** Shows the value as it is, and again after each change. */
export function useWatched<T>(watched: Watchable<T>): T {
  return useSyncExternalStore(watched.subscribe, watched.getSnapshot, watched.getServerSnapshot);
}
