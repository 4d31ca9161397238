import type { InboxSnapshot, InboxThread, Watchable } from './types.js';
import { Watched } from './watched.js';

/** What the list of threads looks like before anything is known, and on a server. */
export const EMPTY_INBOX: InboxSnapshot = Object.freeze({
  threads: Object.freeze([]),
  isCurrent: false,
});

/**
 * The list of threads as the application sees it. It is asked for once somebody watches it; an
 * unchanged thread stays the identical object.
 */
export class InboxStore implements Watchable<InboxSnapshot> {
  readonly #watched = new Watched<InboxSnapshot>(EMPTY_INBOX);
  readonly #onWanted: () => void;
  #isWanted = false;

  /** `onWanted` is called when somebody watches the list for the first time. */
  constructor(onWanted: () => void) {
    this.#onWanted = onWanted;
  }

  /** Whether somebody has watched the list. */
  get isWanted(): boolean {
    return this.#isWanted;
  }

  /** Asks for the list from now on. */
  want(): void {
    if (this.#isWanted) return;
    this.#isWanted = true;
    this.#onWanted();
  }

  /** Calls `listener` after each change, until the returned function is called. */
  readonly subscribe = (listener: () => void): (() => void) => {
    this.want();
    return this.#watched.subscribe(listener);
  };

  /** Returns the list as it is now; the same object until it changes. */
  readonly getSnapshot = (): InboxSnapshot => this.#watched.getSnapshot();

  /** Returns what is rendered on a server and while the page hydrates. */
  readonly getServerSnapshot = (): InboxSnapshot => EMPTY_INBOX;

  /** Takes in a new list. */
  apply(threads: readonly InboxThread[], isCurrent: boolean): void {
    const held = new Map(this.getSnapshot().threads.map((one) => [one.threadId, one]));
    const list = threads.map((one) => {
      const before = held.get(one.threadId);
      return before && JSON.stringify(before) === JSON.stringify(one) ? before : frozen(one);
    });
    this.#watched.set(Object.freeze({ threads: Object.freeze(list), isCurrent }));
  }

  /** Takes in that the client has stopped. */
  stop(): void {
    const { threads, isCurrent } = this.getSnapshot();
    if (isCurrent) this.#watched.set(Object.freeze({ threads, isCurrent: false }));
  }

  /** Forgets everything, for another user. */
  clear(): void {
    this.#watched.set(EMPTY_INBOX);
  }

  /** Tells the listeners, if something changed. */
  publish(): void {
    this.#watched.publish();
  }
}

function frozen(thread: InboxThread): InboxThread {
  Object.freeze(thread.partnerIds);
  Object.freeze(thread.preview);
  return Object.freeze(thread);
}
