import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { DmClient } from '../src/client.js';
import { connection, delta, FakePage, meta, settle } from './fakeCore.js';

let page: FakePage;
vi.mock('../src/load.js', () => ({ loadCore: vi.fn(async () => page.module) }));

const URL = 'ws://gateway.test/ws';
const KEY = `rejoinder:last-user:${URL}`;

beforeEach(() => {
  page = new FakePage();
  localStorage.clear();
  vi.spyOn(console, 'error').mockImplementation(() => {});
  vi.spyOn(console, 'warn').mockImplementation(() => {});
});
afterEach(() => {
  vi.restoreAllMocks();
});

async function connected() {
  const client = new DmClient({ url: URL });
  const isConnected = client.connect('dev:alice');
  await settle();
  page.core.tell(connection('alice'));
  await isConnected;
  return client;
}

describe('a panic', () => {
  test('rejects all that waits, shows the state, is told once, and refuses the rest', async () => {
    const client = await connected();
    client.subscribe('t');
    page.core.tell(delta('t', { meta: meta() }));
    page.core.calls.dispose.mockImplementation(() => {
      throw new Error('stopped');
    });
    const told = vi.fn();
    client.on('error', told);
    const waiting = [client.sendMessage('t', 'hello'), client.discard('key-9')];
    await settle();

    page.panic('index out of bounds');

    for (const one of waiting) await expect(one).rejects.toMatchObject({ code: 'panic' });
    expect(client.connection.getSnapshot()).toMatchObject({ state: 'failed', reason: 'panic' });
    expect(client.isConnected).toBe(false);
    expect(client.thread('t').getSnapshot().syncState).toBe('connecting');
    expect(client.lastError?.message).toMatch(/reload the page.*Nothing queued is lost/);
    expect(client.lastError?.message).toContain('index out of bounds');
    expect(told).toHaveBeenCalledTimes(1);
    expect(console.error).toHaveBeenCalledTimes(1);
    await expect(client.sendMessage('t', 'more')).rejects.toMatchObject({ code: 'panic' });
    await expect(client.connect('dev:alice')).rejects.toMatchObject({ code: 'panic' });
    expect(client.connection.getSnapshot().state).toBe('failed');
    expect(() => client.sendTyping('t', true)).not.toThrow();
    expect(() => client.subscribe('other')).not.toThrow();
    expect(() => client.disconnect()).not.toThrow();
    expect(page.cores).toHaveLength(1);
  });

  test('while connecting rejects connect', async () => {
    const client = new DmClient({ url: URL });
    const connecting = client.connect('dev:alice');
    await settle();
    page.panic('planted');
    await expect(connecting).rejects.toMatchObject({ code: 'panic' });
  });

  test('that traps in the middle of a call rejects that call', async () => {
    const client = await connected();
    page.core.calls.send.mockImplementation(() => {
      throw new WebAssembly.RuntimeError('unreachable');
    });
    Object.assign(page.core, page.core.calls);
    await expect(client.sendMessage('t', 'hello')).rejects.toMatchObject({ code: 'panic' });
  });

  test('can be had for trying out', async () => {
    const client = await connected();
    await client.debug.panic();
    await settle();
    expect(client.connection.getSnapshot().state).toBe('failed');
  });
});

describe('logout', () => {
  test('deletes the storage, forgets the user, and rejects what waits', async () => {
    const client = await connected();
    client.subscribe('t');
    page.core.tell(delta('t', { meta: meta() }));
    const waiting = client.sendMessage('t', 'hello');
    await settle();
    const leaving = client.logout();
    await expect(waiting).rejects.toMatchObject({ code: 'logged_out' });
    await leaving;
    expect(page.core.calls.logout).toHaveBeenCalledTimes(1);
    expect(page.core.calls.logout.mock.invocationCallOrder[0]).toBeLessThan(
      page.core.calls.dispose.mock.invocationCallOrder[0] ?? 0,
    );
    expect(localStorage.getItem(KEY)).toBeNull();
    expect(client.connection.getSnapshot()).toEqual({
      state: 'idle',
      queueLength: 0,
      storage: 'memory',
    });
    expect(client.thread('t').getSnapshot().isLoaded).toBe(false);
    await expect(client.sendMessage('t', 'x')).rejects.toMatchObject({ code: 'logged_out' });
  });

  test('then the same user may come back, with a new core', async () => {
    const client = await connected();
    void client.logout();
    void client.connect('dev:alice');
    await settle();
    expect(page.cores).toHaveLength(2);
    expect(page.core.calls.connect).toHaveBeenCalledTimes(1);
    expect(page.core.calls.logout).not.toHaveBeenCalled();
    expect(localStorage.getItem(KEY)).toBe('alice');
  });

  test('while the core is being loaded still deletes', async () => {
    const client = new DmClient({ url: URL });
    const connecting = client.connect('dev:alice');
    await client.logout();
    await connecting;
    expect(page.core.calls.logout).toHaveBeenCalledTimes(1);
    expect(page.core.calls.connect).not.toHaveBeenCalled();
  });

  test('of the user who was here last needs no connect', async () => {
    localStorage.setItem(KEY, 'carol');
    const client = new DmClient({ url: URL });
    await client.logout();
    expect(page.core.options.userId).toBe('carol');
    expect(page.core.calls.logout).toHaveBeenCalledTimes(1);
    expect(localStorage.getItem(KEY)).toBeNull();
  });

  test('of nobody does nothing', async () => {
    await new DmClient({ url: URL }).logout();
    expect(page.cores).toEqual([]);
  });
});

describe('dispose', () => {
  test('closes the core, rejects what waits, and refuses the rest', async () => {
    const client = await connected();
    const leave = client.thread('t').subscribe(() => {});
    const waiting = client.sendMessage('t', 'hello');
    await settle();
    client.dispose();
    client.dispose();
    await expect(waiting).rejects.toMatchObject({ code: 'disposed' });
    expect(page.core.calls.dispose).toHaveBeenCalledTimes(1);
    expect(client.isDisposed).toBe(true);
    expect(client.connection.getSnapshot().state).toBe('idle');
    const rejected = [
      client.connect('dev:alice'),
      client.sendMessage('t', 'x'),
      client.retry('x'),
      client.discard('x'),
      client.logout(),
      client.preload(),
      client.debug.panic(),
    ];
    for (const one of rejected) await expect(one).rejects.toMatchObject({ code: 'disposed' });
    const thrown = [
      () => client.disconnect(),
      () => client.subscribe('t'),
      () => client.unsubscribe('t'),
      () => client.on('message', () => {}),
      () => client.sendTyping('t', true),
      () => client.loadOlder('t'),
      () => client.debug.cut(),
    ];
    for (const call of thrown) expect(call).toThrow(expect.objectContaining({ code: 'disposed' }));
    // Components that are still there must not break.
    expect(() => client.thread('t').subscribe(() => {})()).not.toThrow();
    expect(leave).not.toThrow();
  });

  test('while the core is being loaded leaves nothing behind', async () => {
    const client = new DmClient({ url: URL });
    const connecting = client.connect('dev:alice');
    client.dispose();
    await expect(connecting).rejects.toMatchObject({ code: 'disposed' });
    expect(page.cores).toEqual([]);
    expect(console.error).not.toHaveBeenCalled();
  });
});

describe('what goes wrong by itself', () => {
  test.each([
    [{ state: 'auth-required', reason: 'token-expired', closeCode: 4101 }, 'auth_required'],
    [{ state: 'connected', reason: 'no-token' }, 'no_token'],
    [{ state: 'wrong-user' }, 'wrong_user'],
    [{ state: 'stopped', closeCode: 4503 }, 'stopped'],
    [{ state: 'waiting', reason: 'no-token' }, 'no_token'],
    [{ state: 'waiting', reason: 'not-a-gateway' }, 'no_gateway'],
    [{ state: 'waiting', reason: 'silent' }, 'unreachable'],
    [{ state: 'connected', storage: 'memory', storageReason: 'quota' }, 'storage_unavailable'],
  ] as const)('%j is %s: in lastError, as an event, once in the console', async (change, code) => {
    const client = await connected();
    const told = vi.fn();
    client.on('error', told);
    const log = [vi.mocked(console.error), vi.mocked(console.warn)];
    for (let time = 0; time < 2; time += 1) page.core.tell(connection('alice', change));
    expect(client.lastError?.code).toBe(code);
    expect(told).toHaveBeenCalledExactlyOnceWith(client.lastError);
    expect(log.flatMap((spy) => spy.mock.calls)).toEqual([[client.lastError?.message]]);
    page.core.tell(connection('alice'));
    const isOver = code !== 'storage_unavailable';
    expect(client.lastError === undefined).toBe(isOver);
    page.core.tell(connection('alice', change));
    expect(client.lastError?.code).toBe(code);
    expect(log.flatMap((spy) => spy.mock.calls)).toHaveLength(1);
  });

  test('a token that is replaced late, or refused once, is no error', async () => {
    const client = await connected();
    page.core.tell(connection('alice', { reason: 'no-token' }));
    expect(client.isConnected).toBe(true);
    expect(client.lastError?.code).toBe('no_token');
    page.core.tell(connection('alice'));
    expect(client.lastError).toBeUndefined();
    const refused = { state: 'waiting', reason: 'token-expired', closeCode: 4101 } as const;
    page.core.tell(connection('alice', refused));
    expect(client.lastError).toBeUndefined();
  });

  test('a gateway that restarts is no error', async () => {
    const client = await connected();
    page.core.tell(connection('alice', { state: 'waiting', reason: 'closed', closeCode: 4000 }));
    expect(client.lastError).toBeUndefined();
  });
});
