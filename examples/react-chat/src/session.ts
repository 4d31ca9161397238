import { createClient, type DmClient } from '@rejoinder/client';

const clients = new Map<string, DmClient>();

/**
 * The client of one person.
 *
 * An ordinary app has one person and uses `getWebSocketClient()`; this one shows two on one page.
 * The clients outlive the components, so nothing is torn down when a component is shown anew.
 */
export function clientOf(userId: string): DmClient {
  const client = clients.get(userId) ?? createClient({ userId, ...gatewayOfAddress() });
  clients.set(userId, client);
  return client;
}

/** A token that a gateway takes with `--dev` only. A real app asks its own server for one. */
export function tokenOf(userId: string): string {
  return `dev:${userId}`;
}

/**
 * The gateway is where the page comes from, at `/ws`; with `?socket-port=` it is reached through
 * another port of the same machine, as when a proxy stands between them.
 */
function gatewayOfAddress(): { readonly url?: string } {
  const port = new URLSearchParams(location.search).get('socket-port');
  return port && /^\d{1,5}$/.test(port) ? { url: `ws://${location.hostname}:${port}/ws` } : {};
}
