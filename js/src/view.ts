import type { RejoinderError } from './errors.js';
import { Events } from './events.js';
import { InboxStore } from './inboxStore.js';
import type { Notice } from './notices.js';
import { type ThreadOwner, ThreadStore } from './threadStore.js';
import { Trouble } from './trouble.js';
import type { ConnectionSnapshot, DmEvents } from './types.js';
import { Watched } from './watched.js';

/** The connection before anybody has connected, and on a server. */
export const IDLE: ConnectionSnapshot = Object.freeze({
  state: 'idle',
  queueLength: 0,
  storage: 'memory',
});

/** What a view asks of its client. */
export interface ViewOwner extends ThreadOwner {
  /** Somebody watches the list of threads from now on. */
  watchInbox(): void;
}

/**
 * All that an application can watch and hear of one client. What the core tells in one go is applied
 * in one go, and then everybody is told once.
 */
export class View {
  readonly events = new Events();
  readonly trouble = new Trouble();
  readonly connection = new Watched<ConnectionSnapshot>(IDLE);
  readonly inbox: InboxStore;
  readonly #threads = new Map<string, ThreadStore>();
  readonly #owner: ViewOwner;

  constructor(owner: ViewOwner) {
    this.#owner = owner;
    this.inbox = new InboxStore(() => owner.watchInbox());
  }

  /** Returns a thread; the same object each time. */
  thread(threadId: string): ThreadStore {
    let store = this.#threads.get(threadId);
    if (!store) {
      store = new ThreadStore(threadId, this.#owner);
      this.#threads.set(threadId, store);
    }
    return store;
  }

  /** Returns the threads that somebody watches. */
  openThreads(): readonly string[] {
    const open = [...this.#threads.values()].filter((store) => store.isOpen);
    return open.map(({ threadId }) => threadId);
  }

  /** Takes in what the core has told. */
  take(notices: readonly Notice[]): void {
    const news: (() => void)[] = [];
    const connectionBefore = this.connection.getSnapshot();
    const inboxBefore = this.inbox.getSnapshot();
    for (const notice of notices) this.#apply(notice, news);
    this.#publish();
    const connection = this.connection.getSnapshot();
    if (connection !== connectionBefore) this.events.emit('connection', connection);
    const inbox = this.inbox.getSnapshot();
    if (inbox !== inboxBefore) this.events.emit('inbox', inbox);
    for (const tell of news) tell();
  }

  #apply(notice: Notice, news: (() => void)[]): void {
    const tell = <K extends keyof DmEvents>(name: K, event: DmEvents[K]) => {
      news.push(() => this.events.emit(name, event));
    };
    switch (notice.type) {
      case 'connection': {
        const { type: _, ...connection } = notice;
        this.connection.set(Object.freeze(connection));
        const trouble = this.trouble.see(connection);
        if (trouble) tell('error', trouble);
        break;
      }
      case 'discarded':
        tell('discarded', { clientMsgId: notice.clientMsgId, outcome: notice.outcome });
        break;
      case 'inbox':
        this.inbox.apply(notice.threads, notice.isCurrent);
        break;
      case 'message':
        tell('message', { threadId: notice.threadId, message: Object.freeze(notice.message) });
        break;
      case 'thread':
        this.thread(notice.threadId).apply(notice);
        break;
      // The session answers these.
      case 'settled':
      case 'tokenWanted':
        break;
    }
  }

  /** Shows another state of the connection. */
  setConnection(connection: ConnectionSnapshot): void {
    this.connection.set(Object.freeze(connection));
    this.connection.publish();
    this.events.emit('connection', connection);
  }

  /** Shows that the client has stopped: what there is stays, and nothing of it is live. */
  stop(connection: ConnectionSnapshot): void {
    for (const store of this.#threads.values()) store.stop();
    this.inbox.stop();
    this.#publish();
    this.setConnection(connection);
  }

  /** Forgets what belongs to one user. */
  clear(): void {
    for (const store of this.#threads.values()) store.clear();
    this.inbox.clear();
    this.#publish();
    this.setConnection(IDLE);
  }

  /** Tells that something went wrong by itself. */
  report(error: RejoinderError): void {
    this.trouble.add(error);
    this.events.emit('error', error);
  }

  /** Tells nothing more. */
  dispose(): void {
    for (const store of this.#threads.values()) store.dispose();
    this.stop(IDLE);
    this.events.clear();
  }

  #publish(): void {
    this.connection.publish();
    this.inbox.publish();
    for (const store of this.#threads.values()) store.publish();
  }
}
