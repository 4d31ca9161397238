import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Notice, ThreadDelta } from '../src/notices.js';
import { EMPTY_THREAD, LINGER_MS, ThreadStore } from '../src/threadStore.js';
import type { Message } from '../src/types.js';
import { appended, delta, message, meta } from './fakeCore.js';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function open() {
  const owner = { openThread: vi.fn(), closeThread: vi.fn() };
  return { owner, store: new ThreadStore('t', owner) };
}

/** Applies and publishes, as a client does. */
function take(store: ThreadStore, ...notices: Notice[]) {
  for (const notice of notices) if (notice.type === 'thread') store.apply(notice);
  store.publish();
}

describe('watching', () => {
  test('opens once, and closes five seconds after the last listener left', () => {
    const { owner, store } = open();
    const leaves = [store.subscribe(() => {}), store.subscribe(() => {})];
    expect(owner.openThread).toHaveBeenCalledExactlyOnceWith('t');
    for (const leave of leaves) leave();
    vi.advanceTimersByTime(LINGER_MS - 1);
    expect(owner.closeThread).not.toHaveBeenCalled();
    expect(store.isOpen).toBe(true);
    vi.advanceTimersByTime(1);
    expect(owner.closeThread).toHaveBeenCalledExactlyOnceWith('t');
    expect(store.isOpen).toBe(false);
  });

  test('a listener that comes back in time finds the thread open', () => {
    const { owner, store } = open();
    store.subscribe(() => {})();
    vi.advanceTimersByTime(LINGER_MS - 1);
    const leave = store.subscribe(() => {});
    vi.advanceTimersByTime(LINGER_MS * 2);
    expect(owner.closeThread).not.toHaveBeenCalled();
    leave();
    vi.advanceTimersByTime(LINGER_MS);
    expect(owner.openThread).toHaveBeenCalledTimes(1);
    expect(owner.closeThread).toHaveBeenCalledTimes(1);
    store.subscribe(() => {});
    expect(owner.openThread).toHaveBeenCalledTimes(2);
  });

  test('leaving twice counts once', () => {
    const { owner, store } = open();
    const leave = store.subscribe(() => {});
    store.subscribe(() => {});
    leave();
    leave();
    vi.advanceTimersByTime(LINGER_MS);
    expect(owner.closeThread).not.toHaveBeenCalled();
  });

  test('the same listener may come twice, and leaves one at a time', () => {
    const { store } = open();
    const listener = vi.fn();
    const leave = store.subscribe(listener);
    store.subscribe(listener);
    take(store, appended('t', 0, message('a')));
    expect(listener).toHaveBeenCalledTimes(2);
    leave();
    take(store, appended('t', 1, message('b')));
    expect(listener).toHaveBeenCalledTimes(3);
  });

  test('a listener that throws keeps the news from nobody', () => {
    const report = vi.spyOn(console, 'error').mockImplementation(() => {});
    const { store } = open();
    const listener = vi.fn();
    store.subscribe(() => {
      throw new Error('broken');
    });
    store.subscribe(listener);
    take(store, appended('t', 0, message('a')));
    expect(listener).toHaveBeenCalledTimes(1);
    expect(report).toHaveBeenCalledTimes(1);
  });
});

describe('the snapshot', () => {
  test('is the same object until something changes', () => {
    const { store } = open();
    expect(store.getSnapshot()).toBe(EMPTY_THREAD);
    store.publish();
    expect(store.getSnapshot()).toBe(EMPTY_THREAD);
    take(store, appended('t', 0, message('a')));
    const snapshot = store.getSnapshot();
    expect(snapshot).not.toBe(EMPTY_THREAD);
    expect(store.getSnapshot()).toBe(snapshot);
    take(store);
    expect(store.getSnapshot()).toBe(snapshot);
    expect(store.getServerSnapshot()).toBe(EMPTY_THREAD);
  });

  test('several deltas make one change', () => {
    const { store } = open();
    const listener = vi.fn();
    store.subscribe(listener);
    take(
      store,
      appended('t', 0, message('a')),
      appended('t', 1, message('b')),
      delta('t', { meta: meta() }),
    );
    expect(listener).toHaveBeenCalledTimes(1);
    expect(store.getSnapshot().messages.map(({ id }) => id)).toEqual(['a', 'b']);
    expect(store.getSnapshot().isLoaded).toBe(true);
  });

  test('news about the thread leave the list of messages the same object', () => {
    const { store } = open();
    take(store, appended('t', 0, message('a')));
    const { messages } = store.getSnapshot();
    take(store, delta('t', { meta: meta({ hasOlder: true }) }));
    expect(store.getSnapshot().messages).toBe(messages);
    expect(store.getSnapshot().hasOlder).toBe(true);
  });

  test('nothing in it can be changed', () => {
    const { store } = open();
    const attachment = { name: 'a', mimeType: 'b', sizeBytes: 1, url: 'c' };
    const row = message('a', { attachments: [attachment] });
    take(store, appended('t', 0, row), delta('t', { meta: meta() }));
    const snapshot = store.getSnapshot();
    const parts = [
      snapshot,
      snapshot.messages,
      snapshot.partners,
      ...snapshot.messages,
      ...snapshot.messages.flatMap(({ delivery, attachments }) => [delivery, attachments]),
      ...snapshot.messages.flatMap(({ attachments }) => attachments),
      ...snapshot.partners,
    ];
    expect(parts.filter((part) => !Object.isFrozen(part))).toEqual([]);
  });

  test.each([
    [['online'], 'online', true],
    [['offline', 'online'], 'online', true],
    [['offline', 'offline'], 'offline', false],
    [['offline', 'unknown'], 'unknown', false],
    [[], 'unknown', false],
  ] as const)('partners %j are %s', (presences, partnerPresence, partnerOnline) => {
    const { store } = open();
    const partners = presences.map((presence, index) => {
      return { userId: `u${index}`, isTyping: index === 1, presence, lastSeenAt: 100 + index };
    });
    take(store, delta('t', { meta: meta({ partners }) }));
    const partnerTyping = partners.length > 1;
    expect(store.getSnapshot()).toMatchObject({ partnerPresence, partnerOnline, partnerTyping });
    const seen = partners.length === 0 ? undefined : 99 + partners.length;
    expect(store.getSnapshot().lastSeenAt).toBe(seen);
  });

  test('of a client that has stopped shows nothing as live', () => {
    const { store } = open();
    const partners = [{ userId: 'bob', isTyping: true, presence: 'online' }] as const;
    take(store, appended('t', 0, message('a')), delta('t', { meta: meta({ partners }) }));
    const [row] = store.getSnapshot().messages;
    store.stop();
    store.publish();
    const after = store.getSnapshot();
    expect(after).toMatchObject({
      syncState: 'connecting',
      partnerTyping: false,
      partnerPresence: 'unknown',
    });
    expect(after.messages[0]).toBe(row);
  });

  test('a row that was removed is gone, and not kept', () => {
    const { store } = open();
    take(store, appended('t', 0, message('a')));
    const removal = { removed: ['a'], splice: { at: 0, deleteCount: 1, insert: [] } };
    take(store, delta('t', removal));
    expect(store.getSnapshot().messages).toEqual([]);
    take(store, delta('t', { splice: { at: 0, deleteCount: 0, insert: ['a'] } }));
    expect(store.getSnapshot().messages).toEqual([]);
  });

  test('is empty again for another user', () => {
    const { store } = open();
    take(store, appended('t', 0, message('a')), delta('t', { meta: meta() }));
    store.clear();
    store.publish();
    expect(store.getSnapshot()).toEqual(EMPTY_THREAD);
    take(store, appended('t', 0, message('b')));
    expect(store.getSnapshot().messages.map(({ id }) => id)).toEqual(['b']);
  });
});

describe('random deltas', () => {
  test.each([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])('end as a naive list does, seed %i', (seed) => {
    const random = randomOf(seed);
    const { store } = open();
    let model: Message[] = [];
    let next = 0;
    for (let step = 0; step < 100; step += 1) {
      const before = new Map(store.getSnapshot().messages.map((row) => [row.id, row]));
      const { change, after } = randomDelta(model, random, () => `m${next++}`);
      model = after;
      take(store, delta('t', change));
      const shown = store.getSnapshot().messages;
      // Not `toEqual`, which is slow on lists.
      expect(JSON.stringify(shown)).toBe(JSON.stringify(model));
      const touched = new Set(change.upserted.map(({ id }) => id));
      for (const row of shown) {
        const isUntouched = before.has(row.id) && !touched.has(row.id);
        if (isUntouched && row !== before.get(row.id)) throw new Error(`${row.id} was replaced`);
      }
    }
  });
});

type Change = Pick<ThreadDelta, 'removed' | 'upserted'> & Partial<ThreadDelta>;

/** A delta as the core makes them, and the list that it leads to. */
function randomDelta(list: Message[], random: (below: number) => number, newId: () => string) {
  const at = random(list.length + 1);
  const deleteCount = random(Math.min(4, list.length - at + 1));
  const taken = list.slice(at, at + deleteCount);
  const fresh = Array.from({ length: random(4) }, () => message(newId()));
  // What is taken out may come back elsewhere in the same splice: a message that moves.
  const moved = taken.filter(() => random(2) === 0);
  const inserted = [...fresh, ...moved];
  const edited = list
    .filter((row) => !taken.includes(row) && random(8) === 0)
    .map((row) => ({ ...row, body: `${row.body}!` }));
  const removed = taken.filter((row) => !moved.includes(row)).map(({ id }) => id);
  const spliced = [...list.slice(0, at), ...inserted, ...list.slice(at + deleteCount)];
  const after = spliced.map((row) => edited.find(({ id }) => id === row.id) ?? row);
  const insert = inserted.map(({ id }) => id);
  const isSpliced = deleteCount > 0 || insert.length > 0;
  const upserted = [...fresh, ...edited].map((row) => ({ ...row }));
  const change: Change = {
    removed,
    upserted,
    ...(isSpliced && { splice: { at, deleteCount, insert } }),
  };
  return { change, after };
}

/** Whole numbers below a bound, the same for the same seed. */
function randomOf(seed: number) {
  let state = seed;
  return (below: number) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}
