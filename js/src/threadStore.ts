import type { ThreadDelta, ThreadMeta } from './notices.js';
import type { DmThread, Message, Partner, PartnerPresence, ThreadSnapshot } from './types.js';
import { Watched } from './watched.js';

/** A thread stays open this long after the last listener left, in milliseconds: a component that is
 * shown anew must not cost a subscription. */
export const LINGER_MS = 5_000;

/** What a thread looks like before anything is known, and on a server. */
export const EMPTY_THREAD: ThreadSnapshot = Object.freeze({
  messages: Object.freeze([]),
  syncState: 'connecting',
  isLoaded: false,
  hasOlder: false,
  isLoadingOlder: false,
  hasGap: false,
  partners: Object.freeze([]),
  partnerTyping: false,
  partnerOnline: false,
  partnerPresence: 'unknown',
});

/** What a thread store asks of its client. */
export interface ThreadOwner {
  /** Somebody watches the thread from now on. */
  openThread(threadId: string): void;
  /** Nobody does any more. */
  closeThread(threadId: string): void;
}

/**
 * One thread as the application sees it: the only owner of the message objects and of their list.
 * It applies deltas and decides nothing; an unchanged message stays the identical object.
 */
export class ThreadStore implements DmThread {
  readonly threadId: string;
  readonly #owner: ThreadOwner;
  readonly #watched = new Watched<ThreadSnapshot>(EMPTY_THREAD);
  #rows = new Map<string, Message>();
  #ids: string[] = [];
  /** Rebuilt when somebody looks: many deltas may come before. */
  #messages: readonly Message[] | undefined = EMPTY_THREAD.messages;
  #about: Omit<ThreadSnapshot, 'messages'> = EMPTY_THREAD;
  #isDirty = false;
  #listeners = 0;
  #isOpen = false;
  #linger: ReturnType<typeof setTimeout> | undefined;

  constructor(threadId: string, owner: ThreadOwner) {
    this.threadId = threadId;
    this.#owner = owner;
  }

  /** Whether somebody watches the thread, or did a moment ago. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Opens the thread and calls `listener` after each change, until the returned function is called. */
  readonly subscribe = (listener: () => void): (() => void) => {
    const leave = this.#watched.subscribe(listener);
    this.#listeners += 1;
    this.#open();
    let hasLeft = false;
    return () => {
      if (hasLeft) return;
      hasLeft = true;
      leave();
      this.#listeners -= 1;
      if (this.#listeners === 0) this.#closeLater();
    };
  };

  /** Returns the thread as it is now; the same object until something changes. */
  readonly getSnapshot = (): ThreadSnapshot => {
    if (this.#isDirty) {
      this.#isDirty = false;
      this.#messages ??= Object.freeze(this.#list());
      this.#watched.set(Object.freeze({ ...this.#about, messages: this.#messages }));
    }
    return this.#watched.getSnapshot();
  };

  #list(): Message[] {
    return this.#ids.map((id) => this.#rows.get(id)).filter((row) => row !== undefined);
  }

  /** Returns what is rendered on a server and while the page hydrates. */
  readonly getServerSnapshot = (): ThreadSnapshot => EMPTY_THREAD;

  #open(): void {
    clearTimeout(this.#linger);
    if (this.#isOpen) return;
    this.#isOpen = true;
    this.#owner.openThread(this.threadId);
  }

  #closeLater(): void {
    this.#linger = setTimeout(() => {
      this.#isOpen = false;
      this.#owner.closeThread(this.threadId);
    }, LINGER_MS);
  }

  /** Takes in what changed; listeners hear of it with the next `publish`. */
  apply(delta: ThreadDelta): void {
    for (const id of delta.removed) this.#rows.delete(id);
    for (const row of delta.upserted) this.#rows.set(row.id, frozen(row));
    if (delta.splice) {
      const { at, deleteCount, insert } = delta.splice;
      // Not `splice(at, deleteCount, ...insert)`: engines bound the number of arguments.
      this.#ids = [...this.#ids.slice(0, at), ...insert, ...this.#ids.slice(at + deleteCount)];
    }
    if (delta.splice || delta.upserted.length > 0) this.#messages = undefined;
    if (delta.meta) this.#about = summary(delta.meta);
    this.#isDirty = true;
  }

  /** Takes in that the client has stopped: what is shown stays, and is no longer live. */
  stop(): void {
    const partners = this.#about.partners.map((one): Partner => {
      return { ...one, isTyping: false, presence: 'unknown' };
    });
    const unchanged = { ...this.#about, isLoadingOlder: false };
    this.#about = summary({ ...unchanged, syncState: 'connecting', partners });
    this.#isDirty = true;
  }

  /** Forgets everything, for another user. */
  clear(): void {
    this.#rows.clear();
    this.#ids = [];
    this.#messages = EMPTY_THREAD.messages;
    this.#about = EMPTY_THREAD;
    this.#isDirty = true;
  }

  /** Tells the listeners, if something changed. */
  publish(): void {
    this.getSnapshot();
    this.#watched.publish();
  }

  /** Stops the clock that would close the thread. */
  dispose(): void {
    clearTimeout(this.#linger);
  }
}

function frozen(row: Message): Message {
  Object.freeze(row.attachments);
  row.attachments.forEach(Object.freeze);
  Object.freeze(row.delivery);
  return Object.freeze(row);
}

/** What the partners of a thread amount to: there is one of them, as a rule. */
function summary(meta: ThreadMeta): Omit<ThreadSnapshot, 'messages'> {
  const partners = Object.freeze(meta.partners.map((one) => Object.freeze(one)));
  const partnerPresence = presenceOf(partners);
  const lastSeenAt = Math.max(0, ...partners.map((one) => one.lastSeenAt ?? 0));
  return {
    ...meta,
    partners,
    partnerTyping: partners.some((one) => one.isTyping),
    partnerOnline: partnerPresence === 'online',
    partnerPresence,
    ...(lastSeenAt > 0 && { lastSeenAt }),
  };
}

function presenceOf(partners: readonly Partner[]): PartnerPresence {
  if (partners.some((one) => one.presence === 'online')) return 'online';
  const isKnown = partners.length > 0 && partners.every((one) => one.presence === 'offline');
  return isKnown ? 'offline' : 'unknown';
}
