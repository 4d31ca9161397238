import { act, cleanup, render, renderHook } from '@testing-library/react';
import { memo, StrictMode, Suspense, startTransition, use, useState } from 'react';
import { hydrateRoot } from 'react-dom/client';
import { renderToString } from 'react-dom/server';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { DmClient } from '../src/client.js';
import type { Notice } from '../src/notices.js';
import {
  DmProvider,
  useConnection,
  useInbox,
  useWebSocketDm,
  type WebSocketDm,
} from '../src/react/index.js';
import { getWebSocketClient } from '../src/shared.js';
import { LINGER_MS } from '../src/threadStore.js';
import type { Message } from '../src/types.js';
import { appended, connection, delta, FakePage, message, meta, settle } from './fakeCore.js';

let page: FakePage;
vi.mock('../src/load.js', () => ({ loadCore: vi.fn(async () => page.module) }));

beforeEach(() => {
  page = new FakePage();
  localStorage.clear();
  vi.spyOn(console, 'warn').mockImplementation(() => {});
});
afterEach(() => {
  cleanup();
  vi.useRealTimers();
  vi.restoreAllMocks();
});

async function connected() {
  const client = new DmClient({ url: 'ws://gateway.test/ws' });
  const isConnected = client.connect('dev:alice');
  await settle();
  page.core.tell(connection('alice'));
  await isConnected;
  return client;
}

const tell = (...notices: Notice[]) => act(async () => page.core.tell(...notices));

const rendered: string[] = [];

const Row = memo(function Row({ row }: { row: Message }) {
  rendered.push(row.id);
  return <li>{row.body}</li>;
});

function List() {
  return useWebSocketDm('t').messages.map((row) => <Row key={row.id} row={row} />);
}

const never = new Promise<string>(() => {});

function Suspended() {
  useWebSocketDm('t');
  return <p>{use(never)}</p>;
}

const shown = { left: 0, right: 0 };

function Side({ side }: { side: 'left' | 'right' }) {
  const { messages } = useWebSocketDm('t');
  shown[side] = messages.length;
  return <i>{messages.length}</i>;
}

function Pair() {
  const [count, setCount] = useState(0);
  const hurry = () => startTransition(() => setCount((before) => before + 1));
  return (
    <button type="button" onClick={hurry}>
      {count}
      <Side side="left" />
      <Side side="right" />
    </button>
  );
}

function Summary() {
  const { messages, isConnected } = useWebSocketDm('t');
  const { threads } = useInbox();
  const { state } = useConnection();
  return <p>{`${messages.length} ${isConnected} ${threads.length} ${state}`}</p>;
}

/** Shows one thread; counts renders. */
function show(client: DmClient, first: string | null | undefined) {
  const seen: WebSocketDm[] = [];
  const hook = renderHook(
    ({ threadId }: { threadId: string | null | undefined }) => {
      const dm = useWebSocketDm(threadId);
      seen.push(dm);
      return dm;
    },
    {
      initialProps: { threadId: first },
      wrapper: ({ children }) => <DmProvider client={client}>{children}</DmProvider>,
    },
  );
  return { ...hook, seen, now: () => hook.result.current };
}

describe('useWebSocketDm', () => {
  test('shows the thread, the connection, and what the reference names', async () => {
    const client = await connected();
    const { now } = show(client, 't');
    expect(now()).toMatchObject({ messages: [], isConnected: true, isLoaded: false });
    const partners = [
      { userId: 'bob', isTyping: true, presence: 'online', lastSeenAt: 5 },
    ] as const;
    await tell(
      appended('t', 0, message('a')),
      delta('t', { meta: meta({ partners, hasOlder: true, lastServerMsgId: 's1' }) }),
    );
    expect(now()).toMatchObject({
      messages: [{ id: 'a', body: 'text of a' }],
      partnerTyping: true,
      partnerOnline: true,
      partnerPresence: 'online',
      lastSeenAt: 5,
      syncState: 'live',
      isLoaded: true,
      hasOlder: true,
      lastServerMsgId: 's1',
      connection: { state: 'connected', storage: 'disk' },
    });
    now().loadOlder();
    expect(page.core.calls.loadOlder).toHaveBeenCalledExactlyOnceWith('t');
    await tell(connection('alice', { state: 'waiting', reason: 'silent', nextAttemptAt: 9 }));
    expect(now().isConnected).toBe(false);
    expect(now().connection).toMatchObject({ reason: 'silent', nextAttemptAt: 9 });
  });

  test('one notify is one render, however much it brings', async () => {
    const client = await connected();
    const { seen } = show(client, 't');
    const before = seen.length;
    await tell(
      appended('t', 0, message('a')),
      appended('t', 1, message('b')),
      delta('t', { meta: meta() }),
      connection('alice', { queueLength: 4 }),
    );
    expect(seen.length).toBe(before + 1);
    expect(seen.at(-1)?.connection.queueLength).toBe(4);
    await tell(appended('another', 0, message('x')));
    expect(seen.length).toBe(before + 1);
  });

  test('an unchanged message is not rendered anew', async () => {
    const client = await connected();
    rendered.length = 0;
    render(
      <DmProvider client={client}>
        <List />
      </DmProvider>,
    );
    await tell(appended('t', 0, message('a'), message('b')));
    await tell(appended('t', 2, message('c')));
    await tell(delta('t', { upserted: [message('b', { body: 'edited' })] }));
    expect(rendered).toEqual(['a', 'b', 'c', 'b']);
  });

  test('the functions stay the same, and the store is subscribed to once', async () => {
    const client = await connected();
    const subscribe = vi.spyOn(client.thread('t') as { subscribe: unknown }, 'subscribe' as never);
    const { seen, rerender } = show(client, 't');
    rerender({ threadId: 't' });
    await tell(appended('t', 0, message('a')));
    await tell(connection('alice', { queueLength: 1 }));
    const names = ['sendMessage', 'sendTyping', 'retry', 'discard', 'loadOlder'] as const;
    for (const name of names) expect(new Set(seen.map((dm) => dm[name])).size).toBe(1);
    expect(subscribe).toHaveBeenCalledTimes(1);
  });

  test('a render that changes nothing returns the same object', async () => {
    const client = await connected();
    const { now, rerender } = show(client, 't');
    const before = now();
    rerender({ threadId: 't' });
    expect(now()).toBe(before);
  });

  test('null and undefined open nothing', async () => {
    const client = await connected();
    const { now, rerender } = show(client, null);
    rerender({ threadId: undefined });
    expect(now().messages).toEqual([]);
    now().loadOlder();
    expect(page.core.calls.openThread).not.toHaveBeenCalled();
    expect(page.core.calls.loadOlder).not.toHaveBeenCalled();
  });

  test('what cannot be the id of a thread is unavailable, and breaks nothing', async () => {
    const client = await connected();
    const { now, rerender } = show(client, 'a b');
    expect(now().unavailable).toBe('invalid_argument');
    rerender({ threadId: '' });
    expect(now().unavailable).toBe('invalid_argument');
    rerender({ threadId: 't' });
    expect(now().unavailable).toBeUndefined();
    expect(page.core.calls.openThread).toHaveBeenCalledExactlyOnceWith('t');
  });

  test('another thread opens at once; the one before closes after the linger', async () => {
    const client = await connected();
    vi.useFakeTimers();
    const { rerender } = show(client, 'one');
    rerender({ threadId: 'two' });
    expect(page.core.calls.openThread.mock.calls).toEqual([['one'], ['two']]);
    vi.advanceTimersByTime(LINGER_MS - 1);
    expect(page.core.calls.closeThread).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1);
    expect(page.core.calls.closeThread.mock.calls).toEqual([['one']]);
  });

  test('StrictMode mounts twice and opens once', async () => {
    const client = await connected();
    const chat = (
      <StrictMode>
        <DmProvider client={client}>
          <List />
          <List />
          <List />
        </DmProvider>
      </StrictMode>
    );
    vi.useFakeTimers();
    const first = render(chat);
    first.unmount();
    vi.advanceTimersByTime(LINGER_MS - 1);
    render(chat);
    vi.advanceTimersByTime(LINGER_MS * 2);
    expect(page.core.calls.openThread).toHaveBeenCalledTimes(1);
    expect(page.core.calls.closeThread).not.toHaveBeenCalled();
  });

  test('a first render that suspends leaves nothing open', async () => {
    const client = await connected();
    await act(async () => {
      render(
        <DmProvider client={client}>
          <Suspense fallback="…">
            <Suspended />
          </Suspense>
        </DmProvider>,
      );
    });
    expect(page.core.calls.openThread).not.toHaveBeenCalled();
  });

  test('two components never show different states, not even in a transition', async () => {
    const client = await connected();
    const torn: string[] = [];
    const { getByRole } = render(
      <DmProvider client={client}>
        <Pair />
      </DmProvider>,
    );
    for (let index = 0; index < 5; index += 1) {
      await act(async () => {
        getByRole('button').click();
        page.core.tell(appended('t', index, message(`m${index}`)));
      });
      if (shown.left !== shown.right) torn.push(JSON.stringify(shown));
    }
    expect(torn).toEqual([]);
    expect(shown).toEqual({ left: 5, right: 5 });
  });

  test('without a provider it is the shared client', async () => {
    const client = getWebSocketClient({ url: 'ws://gateway.test/ws' });
    void client.connect('dev:alice');
    await settle();
    const { result } = renderHook(() => useWebSocketDm('t'));
    await tell(connection('alice'));
    expect(result.current.isConnected).toBe(true);
    expect(page.core.calls.openThread).toHaveBeenCalledExactlyOnceWith('t');
    expect(result.current.sendMessage).toBe(client.sendMessage);
    cleanup();
    client.dispose();
  });

  test('a client that is disposed of under its components breaks none of them', async () => {
    const client = await connected();
    const { now, unmount } = show(client, 't');
    await act(async () => client.dispose());
    expect(now().isConnected).toBe(false);
    expect(unmount).not.toThrow();
  });
});

describe('on a server', () => {
  const inside = (client: DmClient) => (
    <DmProvider client={client}>
      <Summary />
    </DmProvider>
  );

  test('renders nothing of any client, starts nothing, and keeps nothing', async () => {
    const client = await connected();
    await tell(appended('t', 0, message('a')), { type: 'inbox', threads: [], isCurrent: true });
    const thread = vi.spyOn(client, 'thread');
    expect(renderToString(inside(client))).toBe('<p>0 false 0 idle</p>');
    expect(renderToString(<Summary />)).toBe('<p>0 false 0 idle</p>');
    expect(thread).not.toHaveBeenCalled();
    expect(page.core.calls.openThread).not.toHaveBeenCalled();
    expect(page.core.calls.watchInbox).not.toHaveBeenCalled();
    expect(page.cores).toHaveLength(1);
  });

  test('the browser takes the page over without a mismatch, then shows what it has', async () => {
    const mistakes: unknown[] = [];
    vi.spyOn(console, 'error').mockImplementation((...args) => mistakes.push(args));
    // Two clients, as in life: a server that leaked its client's state would go unnoticed with one.
    const html = renderToString(inside(new DmClient()));
    const client = await connected();
    await tell(appended('t', 0, message('a')));
    const container = document.createElement('div');
    container.innerHTML = html;
    const root = await act(async () => {
      return hydrateRoot(container, inside(client), {
        onRecoverableError: (error) => mistakes.push(error),
      });
    });
    expect(mistakes).toEqual([]);
    expect(container.innerHTML).toBe('<p>1 true 0 connected</p>');
    await act(async () => root.unmount());
  });
});

test('useInbox asks for the list once, and follows it', async () => {
  const client = await connected();
  const wrapper = ({ children }: { children: React.ReactNode }) => (
    <DmProvider client={client}>{children}</DmProvider>
  );
  const { result } = renderHook(() => [useInbox(), useInbox()], { wrapper });
  expect(page.core.calls.watchInbox).toHaveBeenCalledTimes(1);
  const threads = [{ threadId: 't', partnerIds: ['bob'], sequenceNumber: 1 }];
  await tell({ type: 'inbox', threads, isCurrent: true });
  expect(result.current[0]).toEqual({ threads, isCurrent: true });
  expect(result.current[0]).toBe(result.current[1]);
});
