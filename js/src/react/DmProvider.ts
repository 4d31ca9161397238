'use client';

import { createElement, type ReactElement, type ReactNode } from 'react';
import type { DmClient } from '../client.js';
import { ClientContext } from './clientContext.js';

/** What a `DmProvider` takes. */
export interface DmProviderProps {
  /** The client for everything inside. It stays the application's: nothing here connects it. */
  readonly client: DmClient;
  /** What is inside. */
  readonly children?: ReactNode;
}

/** Gives a client to the hooks of everything inside; only pages with several users need it. */
export function DmProvider({ client, children }: DmProviderProps): ReactElement {
  return createElement(ClientContext.Provider, { value: client }, children);
}
