import { DmClient } from './client.js';
import type { DmClientOptions } from './types.js';

/** On the global object, so that it outlives a hot reload of this module, and there is one only. */
const KEY = Symbol.for('@rejoinder/client');

interface Shared {
  [KEY]?: DmClient | undefined;
}

/** Makes a client of one's own, for pages that show several users. Starts nothing. */
export function createClient(options: DmClientOptions = {}): DmClient {
  return new DmClient(options);
}

/**
 * Returns the one client that everybody on the page shares; hooks without a `DmProvider` use it.
 * Starts nothing. After its `dispose` there is a new one.
 *
 * @param options may come from anywhere before the first `connect`; the same ones at any time.
 * @throws `invalid_argument` if it already runs with other options.
 */
export function getWebSocketClient(options?: DmClientOptions): DmClient {
  const shared = globalThis as Shared;
  const held = shared[KEY];
  if (!held || held.isDisposed) {
    const client = new DmClient(options);
    shared[KEY] = client;
    return client;
  }
  if (options) held.configure(options);
  return held;
}
