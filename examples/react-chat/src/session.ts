import { createClient, type DmClient } from '@rejoinder/client';

const sessions = new Map<string, DmClient>();

/**
 * The client of one person, connected.
 *
 * An ordinary app has one person and uses `getWebSocketClient()`; this one shows two on one page.
 * The clients outlive the components, so nothing is torn down when a component is shown anew.
 */
export function sessionOf(userId: string): DmClient {
  let client = sessions.get(userId);
  if (!client) {
    // Named here so that the stored messages are found before the gateway is reached.
    client = createClient({ userId });
    sessions.set(userId, client);
    connect(client, userId);
  }
  return client;
}

/**
 * Connects, or tries again at once.
 *
 * The token is one that a gateway takes with `--dev` only. A real app asks its own server here.
 */
export function connect(client: DmClient, userId: string): void {
  client.connect(`dev:${userId}`).catch((error: unknown) => {
    // The connection's state says it to the user.
    console.error(error);
  });
}
