import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { DmClient } from '../src/client.js';
import type { DmClientOptions, MessageEvent } from '../src/types.js';
import { appended, connection, delta, FakePage, message, meta, settle } from './fakeCore.js';

let page: FakePage;
vi.mock('../src/load.js', () => ({ loadCore: vi.fn(async () => page.module) }));

beforeEach(() => {
  page = new FakePage();
  localStorage.clear();
  vi.spyOn(console, 'error').mockImplementation(() => {});
  vi.spyOn(console, 'warn').mockImplementation(() => {});
});
afterEach(() => {
  vi.restoreAllMocks();
});

const URL = 'ws://gateway.test/ws';
const make = (options: DmClientOptions = {}) => new DmClient({ url: URL, ...options });

/** A client that is connected as Alice. */
async function connected(options: DmClientOptions = {}) {
  const client = make(options);
  const isConnected = client.connect('dev:alice');
  await settle();
  page.core.tell(connection('alice'));
  await isConnected;
  return client;
}

/** Whether a promise has settled, and how. */
function watch<T>(promise: Promise<T>) {
  const seen: { value?: T; error?: unknown } = {};
  promise.then(
    (value) => {
      seen.value = value ?? ('done' as T);
    },
    (error) => {
      seen.error = error;
    },
  );
  return seen;
}

describe('connecting', () => {
  test('resolves when the first attempt has ended, also if it failed', async () => {
    const client = make();
    const outcome = watch(client.connect('dev:alice'));
    expect(client.connection.getSnapshot().state).toBe('connecting');
    await settle();
    expect(page.core.options).toEqual({ url: URL, userId: 'alice', skipFailed: false });
    page.core.tell(connection('alice', { state: 'connecting', queueLength: 2 }));
    await settle();
    expect(outcome).toEqual({});
    page.core.tell(connection('alice', { state: 'waiting', reason: 'unreachable' }));
    await settle();
    expect(outcome).toEqual({ value: 'done' });
    expect(client.isConnected).toBe(false);
    expect(client.lastError).toMatchObject({ code: 'unreachable', retryable: true });
  });

  test('again while connected resolves at once and makes no second core', async () => {
    const client = await connected();
    expect(client.isConnected).toBe(true);
    await client.connect('dev:alice');
    expect(page.cores).toHaveLength(1);
    expect(page.core.calls.connect).toHaveBeenCalledTimes(2);
  });

  test('again while waiting resolves with the end of the next attempt', async () => {
    const client = await connected();
    page.core.tell(connection('alice', { state: 'waiting' }));
    page.core.calls.connect.mockImplementation(() => {});
    const outcome = watch(client.connect('dev:alice'));
    await settle();
    page.core.tell(connection('alice', { state: 'waiting', queueLength: 1 }));
    await settle();
    expect(outcome).toEqual({});
    page.core.tell(connection('alice', { state: 'connecting' }), connection('alice'));
    await settle();
    expect(outcome).toEqual({ value: 'done' });
  });

  test('disconnecting at once ends it, and connecting after that is not fooled', async () => {
    const client = await connected();
    client.disconnect();
    const outcome = watch(client.connect('dev:alice'));
    await settle();
    expect(client.connection.getSnapshot().state).toBe('connecting');
    expect(outcome).toEqual({});
    client.disconnect();
    await settle();
    expect(outcome).toEqual({ value: 'done' });
  });

  test('StrictMode: connect, disconnect, connect makes one core, which connects once', async () => {
    const client = make();
    const token = vi.fn(async () => 'dev:alice');
    const first = watch(client.connect(token));
    client.disconnect();
    const second = watch(client.connect(token));
    await settle();
    expect(page.cores).toHaveLength(1);
    page.core.tell(connection('alice'));
    await settle();
    expect([first, second]).toEqual([{ value: 'done' }, { value: 'done' }]);
    expect(client.isConnected).toBe(true);
  });

  test('disconnected while the core is being loaded, it does not connect', async () => {
    const client = make();
    const outcome = watch(client.connect('dev:alice'));
    client.disconnect();
    await settle();
    expect(outcome).toEqual({ value: 'done' });
    expect(page.core.calls.connect).not.toHaveBeenCalled();
    expect(client.connection.getSnapshot().state).toBe('idle');
  });

  test('a core that does not load is an error, and the next call tries again', async () => {
    const { loadCore } = await import('../src/load.js');
    const { RejoinderError } = await import('../src/errors.js');
    vi.mocked(loadCore).mockRejectedValueOnce(new RejoinderError('core_load_failed'));
    const client = make();
    const heard = vi.fn();
    client.on('error', heard);
    const refused = client.connect('dev:alice');
    const sent = client.sendMessage('t', 'hello');
    await expect(refused).rejects.toMatchObject({ code: 'core_load_failed' });
    await expect(sent).rejects.toMatchObject({ code: 'core_load_failed' });
    expect(client.lastError?.code).toBe('core_load_failed');
    expect(heard).toHaveBeenCalledTimes(1);
    expect(client.connection.getSnapshot().state).toBe('idle');
    void client.connect('dev:alice');
    await settle();
    expect(page.cores).toHaveLength(1);
  });
});

describe('another user', () => {
  test('gets a core of their own; what waited is told that it waits on', async () => {
    const client = await connected();
    client.subscribe('t');
    page.core.tell(appended('t', 0, message('a')), delta('t', { meta: meta() }));
    const alice = page.core;
    const waiting = watch(client.sendMessage('t', 'from Alice'));
    const second = client.connect('dev:bob');
    await settle();
    expect(page.cores).toHaveLength(2);
    expect(page.core.options.userId).toBe('bob');
    expect(alice.calls.dispose).toHaveBeenCalledTimes(1);
    expect(waiting.error).toMatchObject({ code: 'superseded' });
    expect(client.thread('t').getSnapshot().messages).toEqual([]);
    expect(page.core.calls.openThread).toHaveBeenCalledExactlyOnceWith('t');
    alice.tell(appended('t', 0, message('late')));
    expect(client.thread('t').getSnapshot().messages).toEqual([]);
    page.core.tell(connection('bob'));
    await second;
    expect(client.connection.getSnapshot().userId).toBe('bob');
  });

  test('does not get the messages that were sent before', async () => {
    const client = make();
    void client.connect('dev:alice').catch(() => {});
    void client.sendMessage('t', 'from Alice').catch(() => {});
    void client.connect('dev:bob');
    void client.sendMessage('t', 'from Bob');
    await settle();
    const bodies = page.cores.map((core) => core.calls.send.mock.calls.map(([, body]) => body));
    expect(bodies).toEqual([['from Alice'], ['from Bob']]);
  });

  test('of a token function that hangs, the later call does not wait', async () => {
    const client = make();
    const first = watch(client.connect(() => new Promise<string>(() => {})));
    const lost = watch(client.sendMessage('t', 'for nobody known'));
    const second = watch(client.connect('dev:bob'));
    await settle();
    page.core.tell(connection('bob'));
    await settle();
    expect(page.cores.map(({ options }) => options.userId)).toEqual(['bob']);
    expect([first, second]).toEqual([{ value: 'done' }, { value: 'done' }]);
    expect(lost.error).toMatchObject({ code: 'superseded' });
    expect(page.core.calls.send).not.toHaveBeenCalled();
  });
});

describe('tokens', () => {
  test('a text is given at every attempt, with its subject', async () => {
    await connected();
    page.core.tell({ type: 'tokenWanted', attempt: 1 });
    await settle();
    page.core.tell({ type: 'tokenWanted', attempt: 2 });
    await settle();
    expect(page.core.calls.token.mock.calls).toEqual([
      [1, 'dev:alice', 'alice'],
      [2, 'dev:alice', 'alice'],
    ]);
  });

  test('a function is asked once for the user and the first attempt, then at every attempt', async () => {
    const client = make();
    let asked = 0;
    const token = vi.fn(async () => {
      asked += 1;
      return `x.${btoa(JSON.stringify({ sub: 'alice', asked }))}.y`;
    });
    void client.connect(token);
    await settle();
    page.core.tell({ type: 'tokenWanted', attempt: 1 });
    await settle();
    expect(token).toHaveBeenCalledTimes(1);
    page.core.tell({ type: 'tokenWanted', attempt: 2 });
    await settle();
    expect(token).toHaveBeenCalledTimes(2);
    expect(new Set(page.core.tokens).size).toBe(2);
  });

  test('a function is asked again for a connection that lives', async () => {
    const client = make();
    let asked = 0;
    void client.connect(async () => {
      asked += 1;
      return `x.${btoa(JSON.stringify({ sub: 'alice', asked }))}.y`;
    });
    await settle();
    page.core.tell({ type: 'tokenWanted', attempt: 1 });
    await settle();
    page.core.tell(connection('alice'));
    for (let time = 0; time < 2; time += 1) {
      page.core.tell({ type: 'tokenWanted', attempt: 1 });
      await settle();
    }
    expect(page.core.calls.token.mock.calls.map(([attempt]) => attempt)).toEqual([1, 1, 1]);
    expect(new Set(page.core.tokens).size).toBe(3);
  });

  test('what was brought long ago to learn whose it is, is not given', async () => {
    vi.useFakeTimers();
    const client = make();
    const token = vi.fn(async () => 'dev:alice');
    void client.connect(token);
    await settle();
    vi.advanceTimersByTime(30_000);
    page.core.tell({ type: 'tokenWanted', attempt: 1 });
    await settle();
    expect(token).toHaveBeenCalledTimes(2);
    expect(page.core.calls.token).toHaveBeenCalledExactlyOnceWith(1, 'dev:alice', 'alice');
    vi.useRealTimers();
  });

  test('a text that is replaced while connected is given when the core asks', async () => {
    const client = await connected();
    const renewed = `x.${btoa(JSON.stringify({ sub: 'alice' }))}.y`;
    void client.connect(renewed);
    await settle();
    expect(page.cores).toHaveLength(1);
    expect(page.core.calls.connect).toHaveBeenCalledTimes(2);
    page.core.tell({ type: 'tokenWanted', attempt: 1 });
    await settle();
    expect(page.core.calls.token).toHaveBeenCalledExactlyOnceWith(1, renewed, 'alice');
  });

  test('of a user who has left come too late for everybody', async () => {
    const client = make({});
    let bring = (_token: string) => {};
    localStorage.setItem(`rejoinder:last-user:${URL}`, 'alice');
    vi.useFakeTimers();
    const asked = () =>
      new Promise<string>((resolve) => {
        bring = resolve;
      });
    void client.connect(asked).catch(() => {});
    await vi.advanceTimersByTimeAsync(3_000);
    const alice = page.core;
    expect(alice.options.userId).toBe('alice');
    alice.tell({ type: 'tokenWanted', attempt: 1 });
    await settle();
    void client.connect('dev:bob');
    await settle();
    expect(page.core.options.userId).toBe('bob');
    bring('dev:alice');
    await settle();
    expect(alice.calls.token).not.toHaveBeenCalled();
    expect(page.core.calls.token).not.toHaveBeenCalled();
    vi.useRealTimers();
  });

  test('of one user after another: each comes back to what was theirs', async () => {
    const client = make();
    for (const user of ['alice', 'bob', 'alice']) {
      client.disconnect();
      void client.connect(`dev:${user}`).catch(() => {});
      await settle();
      void client.sendMessage('t', `from ${user}`).catch(() => {});
      await settle();
    }
    const calls = page.cores.map(({ options, calls: { send, logout } }) => [
      options.userId,
      send.mock.calls.map(([, body]) => body),
      logout.mock.calls.length,
    ]);
    expect(calls).toEqual([
      ['alice', ['from alice'], 0],
      ['bob', ['from bob'], 0],
      ['alice', ['from alice'], 0],
    ]);
  });

  test('a function that fails brings no token, and says why', async () => {
    const client = make({ userId: 'alice' });
    void client.connect(async () => {
      throw new Error('the session server is down');
    });
    await settle();
    page.core.tell({ type: 'tokenWanted', attempt: 1 });
    await settle();
    expect(page.core.calls.token).toHaveBeenCalledExactlyOnceWith(1, undefined, undefined);
    page.core.tell(connection('alice', { state: 'waiting', reason: 'no-token' }));
    expect(client.lastError?.message).toContain('the session server is down');
    expect(console.warn).toHaveBeenCalledTimes(1);
  });

  test('a new token answers an attempt that waits for the old one', async () => {
    const client = make({ userId: 'alice' });
    void client.connect(() => new Promise<string>(() => {}));
    await settle();
    page.core.tell({ type: 'tokenWanted', attempt: 1 });
    await settle();
    void client.connect('dev:alice');
    await settle();
    expect(page.core.calls.token).toHaveBeenCalledExactlyOnceWith(1, 'dev:alice', 'alice');
  });
});

describe('sending', () => {
  test('waits for the core, keeps the order, and resolves when it is safe', async () => {
    const client = make();
    void client.connect('dev:alice');
    const sent = [client.sendMessage('t', 'one'), client.sendMessage('t', 'two')];
    await settle();
    expect(page.core.calls.send.mock.calls.map(([, body]) => body)).toEqual(['one', 'two']);
    page.core.tell({ type: 'settled', clientMsgId: 'key-2', durability: 'memory' });
    page.core.tell({ type: 'settled', clientMsgId: 'key-1', durability: 'disk' });
    expect(await Promise.all(sent)).toEqual([
      { clientMsgId: 'key-1', durability: 'disk' },
      { clientMsgId: 'key-2', durability: 'memory' },
    ]);
  });

  test.each(['invalid', 'too_large', 'outbox_full', 'id_conflict', 'logged_out'])(
    'a refusal with %s rejects with it',
    async (code) => {
      const client = await connected();
      const sent = client.sendMessage('t', 'hello');
      await settle();
      page.core.tell({ type: 'settled', clientMsgId: 'key-1', code });
      await expect(sent).rejects.toMatchObject({ name: 'RejoinderError', code });
    },
  );

  test('works after disconnect: the queue takes it', async () => {
    const client = await connected();
    client.disconnect();
    const sent = client.sendMessage('t', 'hello');
    await settle();
    page.core.tell({ type: 'settled', clientMsgId: 'key-1', durability: 'disk' });
    expect(await sent).toEqual({ clientMsgId: 'key-1', durability: 'disk' });
    expect(() => client.sendTyping('t', true)).not.toThrow();
  });

  test('lone surrogates are replaced before anything else', async () => {
    const client = await connected();
    const url = 'https://x.test/\uDC00';
    const file = { name: 'a\uD800', mimeType: 'b', sizeBytes: 0, url };
    void client.sendMessage('t', 'a\uD800b 😀 \uDC00', [file]);
    await settle();
    const clean = { ...file, name: 'a\uFFFD', url: 'https://x.test/\uFFFD' };
    expect(page.core.calls.send).toHaveBeenCalledWith('t', 'a\uFFFDb 😀 \uFFFD', [clean]);
  });

  test('the attachments are taken as they were at the call', async () => {
    const client = make();
    void client.connect('dev:alice');
    const files = [{ name: 'a', mimeType: 'b', sizeBytes: 1, url: 'c', extra: 1 }];
    void client.sendMessage('t', '', files);
    files.length = 0;
    await settle();
    const taken = [{ name: 'a', mimeType: 'b', sizeBytes: 1, url: 'c' }];
    expect(page.core.calls.send).toHaveBeenCalledWith('t', '', taken);
  });

  test('discard resolves with the outcome; asked twice, both hear it', async () => {
    const client = await connected();
    const heard = vi.fn();
    client.on('discarded', heard);
    const outcomes = [client.discard('key-1'), client.discard('key-1')];
    await settle();
    expect(page.core.calls.discard).toHaveBeenCalledTimes(1);
    page.core.tell({ type: 'discarded', clientMsgId: 'key-1', outcome: 'maybe_sent' });
    expect(await Promise.all(outcomes)).toEqual(['maybe_sent', 'maybe_sent']);
    page.core.tell({ type: 'discarded', clientMsgId: 'key-1', outcome: 'cancelled' });
    expect(heard.mock.calls.map(([event]) => event.outcome)).toEqual(['maybe_sent', 'cancelled']);
  });

  test('retry, typing and older messages reach the core', async () => {
    const client = await connected();
    await client.retry('key-1');
    client.sendTyping('t', true);
    client.loadOlder('t');
    const { retry, setTyping, loadOlder } = page.core.calls;
    expect(retry).toHaveBeenCalledExactlyOnceWith('key-1');
    expect(setTyping).toHaveBeenCalledExactlyOnceWith('t', true);
    expect(loadOlder).toHaveBeenCalledExactlyOnceWith('t');
  });
});

describe('watching', () => {
  test('what is told in one go is applied before anybody hears of any of it', async () => {
    const client = await connected();
    client.subscribe('t');
    const seen: unknown[] = [];
    const look = (what: string) => {
      const shown = client.thread('t').getSnapshot().messages.length;
      seen.push([what, shown, client.connection.getSnapshot().queueLength]);
    };
    client.thread('t').subscribe(() => look('thread'));
    client.connection.subscribe(() => look('connection'));
    client.on('message', () => look('message'));
    client.on('connection', () => look('on connection'));
    page.core.tell(
      { type: 'message', threadId: 't', message: message('a') },
      appended('t', 0, message('a')),
      connection('alice', { queueLength: 7 }),
      connection('alice', { queueLength: 3 }),
      appended('t', 1, message('b')),
    );
    expect(seen).toEqual([
      ['connection', 2, 3],
      ['thread', 2, 3],
      ['on connection', 2, 3],
      ['message', 2, 3],
    ]);
  });

  test('subscribe before connect opens the thread once there is a core', async () => {
    const client = make();
    const leave = client.subscribe('t');
    client.on('inbox', () => {});
    await settle();
    void client.connect('dev:alice');
    await settle();
    expect(page.core.calls.openThread).toHaveBeenCalledExactlyOnceWith('t');
    expect(page.core.calls.watchInbox).toHaveBeenCalledTimes(1);
    leave();
    leave();
  });

  test('unsubscribe ends every subscribe of a thread, after the linger', async () => {
    const client = await connected();
    vi.useFakeTimers();
    client.subscribe('t');
    const leave = client.subscribe('t');
    client.unsubscribe('t');
    leave();
    vi.advanceTimersByTime(10_000);
    vi.useRealTimers();
    expect(page.core.calls.closeThread).toHaveBeenCalledExactlyOnceWith('t');
  });

  test('on tells until it is taken back, also in the middle of telling', async () => {
    const client = await connected();
    const seen: string[] = [];
    const second = (event: MessageEvent) => seen.push(`second ${event.message.body}`);
    client.on('message', ({ message: { body } }) => {
      seen.push(`first ${body}`);
      client.off('message', second);
    });
    client.on('message', second);
    const offThird = client.on('message', () => seen.push('third'));
    page.core.tell({ type: 'message', threadId: 't', message: message('a') });
    offThird();
    page.core.tell({ type: 'message', threadId: 't', message: message('b') });
    expect(seen).toEqual(['first text of a', 'third', 'first text of b']);
  });

  test('a listener that throws breaks nothing, and one may call the client again', async () => {
    const client = await connected();
    const seen: unknown[] = [];
    client.on('message', () => {
      throw new Error('broken');
    });
    client.on('message', ({ threadId }) => {
      void client.sendMessage(threadId, 'an answer');
      client.subscribe('other');
      client.sendTyping(threadId, false);
      seen.push(client.isConnected);
    });
    page.core.tell({ type: 'message', threadId: 't', message: message('a') });
    await settle();
    expect(seen).toEqual([true]);
    expect(page.core.calls.send).toHaveBeenCalledTimes(1);
    expect(page.core.calls.openThread).toHaveBeenCalledWith('other');
    expect(console.error).toHaveBeenCalledTimes(1);
  });

  test('the inbox is asked for once somebody looks, and keeps unchanged threads', async () => {
    const client = await connected();
    expect(page.core.calls.watchInbox).not.toHaveBeenCalled();
    client.inbox.subscribe(() => {});
    client.inbox.subscribe(() => {});
    expect(page.core.calls.watchInbox).toHaveBeenCalledTimes(1);
    const thread = (threadId: string, sequenceNumber: number) => {
      return { threadId, partnerIds: ['bob'], sequenceNumber };
    };
    page.core.tell({ type: 'inbox', threads: [thread('a', 1), thread('b', 1)], isCurrent: true });
    const [a, b] = client.inbox.getSnapshot().threads;
    page.core.tell({ type: 'inbox', threads: [thread('b', 2), thread('a', 1)], isCurrent: true });
    const after = client.inbox.getSnapshot();
    expect(after.threads[1]).toBe(a);
    expect(after.threads[0]).not.toBe(b);
    expect(after).toMatchObject({ isCurrent: true, threads: [{ sequenceNumber: 2 }, {}] });
  });

  test('lastServerMsgId comes with the thread', async () => {
    const client = await connected();
    expect(client.lastServerMsgId('t')).toBeUndefined();
    page.core.tell(delta('t', { meta: meta({ lastServerMsgId: 's9' }) }));
    expect(client.lastServerMsgId('t')).toBe('s9');
  });

  test('debug.cut cuts the core, also one that comes later', async () => {
    const client = make();
    client.debug.cut();
    void client.connect('dev:alice');
    await settle();
    client.debug.restore();
    expect(page.core.calls.cut.mock.calls).toEqual([[true], [false]]);
  });
});
