import { invalid } from './arguments.js';

/**
 * Returns the WebSocket address of a gateway, normalised: two spellings of one address are one
 * gateway, and one database.
 *
 * @param url an address; relative ones start from the page; `http` stands for `ws`.
 */
export function gatewayUrl(url = '/ws'): string {
  // Not there on a server, where a whole address is needed.
  const page = (globalThis as { location?: { href: string } }).location?.href;
  let parsed: URL;
  try {
    parsed = new URL(url, page);
  } catch {
    throw invalid('url', 'must be the address of a gateway, such as wss://example.org/ws');
  }
  parsed.protocol = parsed.protocol.replace(/^http/, 'ws');
  if (!/^wss?:$/.test(parsed.protocol)) throw invalid('url', 'must begin with wss: or ws:');
  if (parsed.hash !== '') throw invalid('url', 'must not have a #fragment');
  return parsed.href;
}
