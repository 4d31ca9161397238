import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { DmClient } from '../src/client.js';
import { ERROR_CODES, RejoinderError } from '../src/errors.js';
import { createClient, getWebSocketClient } from '../src/shared.js';
import type { DmClientOptions } from '../src/types.js';
import { connection, FakePage, settle } from './fakeCore.js';

let page: FakePage;
vi.mock('../src/load.js', () => ({ loadCore: vi.fn(async () => page.module) }));

beforeEach(() => {
  page = new FakePage();
  localStorage.clear();
  vi.spyOn(console, 'error').mockImplementation(() => {});
});
afterEach(() => {
  vi.restoreAllMocks();
});

const URL = 'ws://gateway.test/ws';

/** The client as JavaScript sees it, without types. */
// biome-ignore lint/suspicious/noExplicitAny: what no compiler checks is the point.
type Untyped = any;

const file = { name: 'a', mimeType: 'b', sizeBytes: 1, url: 'c' };
const wrong: readonly [string, (client: Untyped) => unknown][] = [
  ['threadId', (client) => client.sendMessage(null, 'x', [])],
  ['threadId', (client) => client.sendMessage('', 'x', [])],
  ['threadId', (client) => client.sendMessage('a b', 'x', [])],
  ['threadId', (client) => client.sendMessage('x'.repeat(129), 'x', [])],
  ['body', (client) => client.sendMessage('t', 42, [])],
  ['body', (client) => client.sendMessage('t', undefined, [])],
  ['body', (client) => client.sendMessage('t', new String('x'), [])],
  ['attachments', (client) => client.sendMessage('t', 'x', null)],
  ['attachments', (client) => client.sendMessage('t', 'x', 'file')],
  ['attachments', (client) => client.sendMessage('t', 'x', { length: 1 })],
  ['attachments[1]', (client) => client.sendMessage('t', 'x', [file, null])],
  ['attachments[0].name', (client) => client.sendMessage('t', 'x', [{ ...file, name: 1 }])],
  [
    'attachments[0].mimeType',
    (client) => client.sendMessage('t', 'x', [{ ...file, mimeType: null }]),
  ],
  [
    'attachments[0].sizeBytes',
    (client) => client.sendMessage('t', 'x', [{ ...file, sizeBytes: -1 }]),
  ],
  [
    'attachments[0].sizeBytes',
    (client) => client.sendMessage('t', 'x', [{ ...file, sizeBytes: 0.5 }]),
  ],
  [
    'attachments[0].sizeBytes',
    (client) => client.sendMessage('t', 'x', [{ ...file, sizeBytes: '1' }]),
  ],
  ['attachments[0].url', (client) => client.sendMessage('t', 'x', [{ ...file, url: undefined }])],
  ['token', (client) => client.connect()],
  ['token', (client) => client.connect('')],
  ['token', (client) => client.connect({ token: 'x' })],
  ['threadId', (client) => client.subscribe(undefined)],
  ['threadId', (client) => client.unsubscribe(7)],
  ['threadId', (client) => client.sendTyping({}, true)],
  ['isTyping', (client) => client.sendTyping('t', 'yes')],
  ['threadId', (client) => client.loadOlder(null)],
  ['threadId', (client) => client.thread([])],
  ['threadId', (client) => client.lastServerMsgId(undefined)],
  ['clientMsgId', (client) => client.retry(1)],
  ['clientMsgId', (client) => client.discard(undefined)],
  ['event', (client) => client.on('messages', () => {})],
  ['event', (client) => client.on('toString', () => {})],
  ['event', (client) => client.off('messages', () => {})],
  ['listener', (client) => client.on('message', 'log')],
];

describe('a wrong argument', () => {
  test.each(wrong)('%s is named, and nothing reaches the core: %s', async (name, call) => {
    const client = new DmClient({ url: URL });
    const connecting = client.connect('dev:alice');
    await settle();
    page.core.tell(connection('alice'));
    await connecting;
    const before = Object.values(page.core.calls).map((spy) => spy.mock.calls.length);
    // Whether a call throws or rejects, `await` sees the same.
    const outcome = (async () => call(client))();
    await expect(outcome).rejects.toMatchObject({
      name: 'RejoinderError',
      code: 'invalid_argument',
    });
    await expect(outcome).rejects.toThrow(` ${name} must be`);
    expect(Object.values(page.core.calls).map((spy) => spy.mock.calls.length)).toEqual(before);
    expect(client.isConnected).toBe(true);
  });

  test('that only the core finds is one of our errors too', async () => {
    const client = new DmClient({ url: URL });
    void client.connect('dev:alice');
    await settle();
    Object.assign(page.core, {
      retry: () => {
        throw Object.assign(new Error('clientMsgId: not a UUIDv7'), { code: 'invalid_argument' });
      },
    });
    await expect(client.retry('nonsense')).rejects.toMatchObject({
      code: 'invalid_argument',
      message: expect.stringContaining('clientMsgId: not a UUIDv7'),
    });
  });

  test.each<[string, DmClientOptions]>([
    ['url', { url: 'https://x.test/ws#part' }],
    ['url', { url: 'ftp://x.test/ws' }],
    ['url', { url: 'http://' }],
    ['userId', { url: URL, userId: 'alice@x.test' }],
    ['userId', { url: URL, userId: 7 as unknown as string }],
  ])('%s among the options is told by connect', async (name, options) => {
    const connecting = new DmClient(options).connect('dev:alice');
    await expect(connecting).rejects.toMatchObject({ code: 'invalid_argument' });
    await expect(connecting).rejects.toThrow(` ${name} must`);
  });
});

describe('a call before connect', () => {
  test.each<[string, (client: DmClient) => Promise<unknown>]>([
    ['sendMessage', (client) => client.sendMessage('t', 'x')],
    ['retry', (client) => client.retry('x')],
    ['discard', (client) => client.discard('x')],
  ])('%s says to connect', async (_, call) => {
    await expect(call(new DmClient())).rejects.toMatchObject({ code: 'not_connected_yet' });
  });

  test('that only matters while connected does nothing', () => {
    const client = new DmClient();
    client.sendTyping('t', true);
    client.loadOlder('t');
    client.disconnect();
    client.subscribe('t');
    client.debug.cut();
    expect(page.cores).toEqual([]);
  });
});

describe('the shared client', () => {
  afterEach(() => getWebSocketClient().dispose());

  test('is one, made without a start, and a new one after dispose', () => {
    const client = getWebSocketClient();
    expect(getWebSocketClient()).toBe(client);
    expect(createClient()).not.toBe(client);
    client.dispose();
    expect(getWebSocketClient()).not.toBe(client);
    expect(page.cores).toEqual([]);
  });

  test('is the same one after a hot reload of the module', async () => {
    const client = getWebSocketClient();
    vi.resetModules();
    const again = await import('../src/shared.js');
    expect(again.getWebSocketClient).not.toBe(getWebSocketClient);
    expect(again.getWebSocketClient()).toBe(client);
  });

  test('takes options until it has started, and the same ones later', async () => {
    const client = getWebSocketClient();
    expect(getWebSocketClient({ url: URL })).toBe(client);
    void client.connect('dev:alice').catch(() => {});
    await settle();
    expect(page.core.options.url).toBe(URL);
    expect(getWebSocketClient({ url: URL })).toBe(client);
    expect(getWebSocketClient()).toBe(client);
    expect(() => getWebSocketClient({ url: 'wss://other.test/' })).toThrow('use createClient');
  });
});

test('every code has a sentence that says what to do, and a place that explains it', () => {
  const page = readFileSync(new globalThis.URL('../src/errors.md', import.meta.url), 'utf8');
  const explained = [...page.matchAll(/^## (.+)$/gm)].map(([, code]) => code);
  expect(explained).toEqual([...ERROR_CODES]);
  for (const code of ERROR_CODES) {
    expect(new RejoinderError(code).message).toMatch(
      new RegExp(`^[A-Z].*[.] \\[${code}, see .*errors[.]md#${code}\\]$`),
    );
  }
});
