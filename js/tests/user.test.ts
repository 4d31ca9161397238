import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { gatewayUrl } from '../src/gatewayUrl.js';
import { Tokens } from '../src/tokens.js';
import type { TokenSource } from '../src/types.js';
import { lastUser, rememberUser, subjectOf, userOf } from '../src/user.js';

const URL = 'ws://gateway.test/ws';
const jwt = (claims: unknown) => {
  const bytes = new TextEncoder().encode(JSON.stringify(claims));
  const base64 = btoa(String.fromCharCode(...bytes));
  return `head.${base64.replace(/\+/g, '-').replace(/\//g, '_').replace(/=/g, '')}.signature`;
};
const user = (source: TokenSource) => {
  return userOf(new Tokens(source), URL, new AbortController().signal);
};

beforeEach(() => {
  localStorage.clear();
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

describe('whom a token is for', () => {
  test.each([
    ['dev:alice', 'alice'],
    ['dev:', undefined],
    [jwt({ sub: 'user_1' }), 'user_1'],
    [
      jwt({ sub: 'c0ffee00-0000-4000-8000-000000000000', name: '😀ÿþ>>>' }),
      'c0ffee00-0000-4000-8000-000000000000',
    ],
    [jwt({ sub: 'not an id' }), undefined],
    [jwt({ sub: 42 }), undefined],
    [jwt({}), undefined],
    [jwt(null), undefined],
    ['head.%%%.signature', undefined],
    [`head.${btoa('not json')}.signature`, undefined],
    ['opaque', undefined],
  ])('%s', (token, subject) => {
    expect(subjectOf(token)).toBe(subject);
  });
});

describe('who the user is', () => {
  test('is whom the token is for, rather than who was here last', async () => {
    rememberUser(URL, 'carol');
    expect(await user('dev:alice')).toBe('alice');
    expect(await user(jwt({ sub: 'bob', exp: 1 }))).toBe('bob');
    expect(await user(async () => jwt({ sub: 'bob', exp: 1 }))).toBe('bob');
    expect(await user(async () => jwt({ sub: 'bob' }))).toBe('bob');
  });

  test('is who was here last if the token does not tell, or does not come', async () => {
    rememberUser(URL, 'carol');
    expect(await user('opaque')).toBe('carol');
    expect(await user(() => Promise.reject(new Error('offline')))).toBe('carol');
    vi.useFakeTimers();
    const hanging = user(() => new Promise(() => {}));
    await vi.advanceTimersByTimeAsync(3_000);
    expect(await hanging).toBe('carol');
  });

  test('is nobody where neither is there, and the reason is told', async () => {
    await expect(user('opaque')).rejects.toMatchObject({ code: 'no_user' });
    const failing = user(() => Promise.reject(new Error('the session server is down')));
    await expect(failing).rejects.toThrow('the session server is down');
    vi.useFakeTimers();
    const hanging = user(() => new Promise(() => {}));
    const refused = expect(hanging).rejects.toMatchObject({ code: 'no_user' });
    await vi.advanceTimersByTimeAsync(10_000);
    await refused;
  });

  test('is remembered for one gateway, and no harm is done without storage', () => {
    rememberUser(URL, 'carol');
    expect(lastUser('ws://elsewhere.test/ws')).toBeUndefined();
    rememberUser(URL, undefined);
    expect(lastUser(URL)).toBeUndefined();
    localStorage.setItem(`rejoinder:last-user:${URL}`, 'not an id');
    expect(lastUser(URL)).toBeUndefined();
    vi.stubGlobal('localStorage', undefined);
    expect(() => rememberUser(URL, 'carol')).not.toThrow();
    expect(lastUser(URL)).toBeUndefined();
    vi.unstubAllGlobals();
  });
});

describe('where the gateway is', () => {
  afterEach(() => {
    vi.unstubAllGlobals();
  });

  test.each([
    [undefined, 'wss://app.test/ws'],
    ['/chat', 'wss://app.test/chat'],
    ['http://x.test', 'ws://x.test/'],
    ['WSS://X.test:443/ws', 'wss://x.test/ws'],
    ['ws://127.0.0.1:8787/ws', 'ws://127.0.0.1:8787/ws'],
  ])('%s on a secure page is %s', (url, expected) => {
    vi.stubGlobal('location', { href: 'https://app.test/rooms/1?a=b#c' });
    expect(gatewayUrl(url)).toBe(expected);
  });

  test('a server needs the whole address', () => {
    vi.stubGlobal('location', undefined);
    expect(() => gatewayUrl()).toThrow('url must be the address');
    expect(gatewayUrl('wss://x.test/ws')).toBe('wss://x.test/ws');
  });
});
