'use client';

import { createContext, useContext } from 'react';
import type { DmClient } from '../client.js';
import { getWebSocketClient } from '../shared.js';

/** The client that a `DmProvider` gives to what is inside it. */
export const ClientContext = createContext<DmClient | undefined>(undefined);

/** Returns the provider's client, or the one that everybody on the page shares. */
export function useDmClient(): DmClient {
  return useContext(ClientContext) ?? getWebSocketClient();
}
