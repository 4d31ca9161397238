import {
  checkAttachments,
  checkBoolean,
  checkFunction,
  checkId,
  checkText,
  checkToken,
  wellFormed,
} from './arguments.js';
import { RejoinderError } from './errors.js';
import type { DmListener } from './events.js';
import { Lifecycle } from './lifecycle.js';
import type {
  Attachment,
  ConnectionSnapshot,
  DiscardOutcome,
  DmClientOptions,
  DmEvents,
  DmThread,
  InboxSnapshot,
  SentMessage,
  TokenSource,
  Watchable,
} from './types.js';

/**
 * Direct messages, of one user at a time. Making one starts nothing: `connect` does.
 *
 * Methods may be taken off the object and passed around. A wrong argument makes a call throw, or
 * reject with, a {@link RejoinderError} with code `invalid_argument`; after `dispose` it is
 * `disposed`, and after an internal error `panic`.
 */
export class DmClient {
  readonly #lifecycle: Lifecycle;

  /** The state of the connection, the queue and the storage, to watch. */
  readonly connection: Watchable<ConnectionSnapshot>;

  /** The list of threads, to watch; it is asked for once somebody does. */
  readonly inbox: Watchable<InboxSnapshot>;

  /** For demos and tests. */
  readonly debug = {
    /** Cuts the connection as if the network broke, until `restore`. */
    cut: (): void => this.#running().cut(true),
    /** Mends what `cut` has cut, and tries at once. */
    restore: (): void => this.#running().cut(false),
    /** Makes the core panic, to see what the application shows then. Ends every client of the page. */
    panic: async (): Promise<void> => {
      const module = await this.#running().load();
      try {
        module.exports.plantedPanic();
      } catch {
        // That was the point.
      }
    },
  };

  /** What is wrong with the options, `connect` tells. */
  constructor(options: DmClientOptions = {}) {
    const lifecycle = new Lifecycle(options);
    this.#lifecycle = lifecycle;
    this.connection = lifecycle.view.connection;
    this.inbox = lifecycle.view.inbox;
  }

  /** Whether the gateway has welcomed this client, and is still there as far as is known. */
  get isConnected(): boolean {
    return this.connection.getSnapshot().state === 'connected';
  }

  /** What went wrong by itself last, until it is over; the event `error` tells it too. */
  get lastError(): RejoinderError | undefined {
    return this.#lifecycle.view.trouble.last;
  }

  /** Whether `dispose` was called: nothing can be done with this client any more. */
  get isDisposed(): boolean {
    return this.#lifecycle.isDisposed;
  }

  /**
   * Takes other options. The same ones may come at any time.
   *
   * @throws `invalid_argument` if they differ and `connect` or `logout` was called.
   */
  readonly configure = (options: DmClientOptions): void => {
    this.#running().configure(options);
  };

  /**
   * Connects and stays connected. While connected it takes the new token for the connection that
   * lives, within ten seconds; a token of another user connects as that user, and what the one
   * before had queued leaves when they return.
   *
   * Resolves when what is stored on this device has been read and the first attempt has ended, either
   * way: without a network the client works on from its storage, and tries again by itself.
   *
   * @throws `core_load_failed`, `csp_forbids_wasm`, `no_user`, or `superseded` by another user's.
   */
  readonly connect = async (token: TokenSource): Promise<void> => {
    const lifecycle = this.#running();
    checkToken(token);
    await lifecycle.connect(token);
  };

  /** Disconnects until the next `connect`. Messages can still be sent: they wait in the queue. */
  readonly disconnect = (): void => {
    this.#running().disconnect();
  };

  /**
   * Disconnects and deletes everything stored for this user on this device, the queue too. Resolves
   * when that is under way; it ends also if nobody waits for it.
   */
  readonly logout = async (): Promise<void> => {
    await this.#running().logout();
  };

  /** Closes everything for good and tells nothing more; what is queued stays in the storage. */
  readonly dispose = (): void => {
    if (!this.isDisposed) this.#lifecycle.dispose();
  };

  /** Loads the WebAssembly core ahead of `connect`. */
  readonly preload = async (): Promise<void> => {
    await this.#running().load();
  };

  /**
   * Keeps a thread open, so that its messages are told by the event `message`, until the returned
   * function or `unsubscribe` is called. May come before `connect`.
   */
  readonly subscribe = (threadId: string): (() => void) => {
    const { view } = this.#running();
    checkId(threadId, 'threadId');
    const leave = view.thread(threadId).subscribe(() => {});
    const held = this.#subscriptions.get(threadId) ?? new Set();
    this.#subscriptions.set(threadId, held.add(leave));
    return () => {
      held.delete(leave);
      leave();
    };
  };

  /** What keeps threads open for `subscribe`. */
  readonly #subscriptions = new Map<string, Set<() => void>>();

  /** Ends every `subscribe` of a thread. */
  readonly unsubscribe = (threadId: string): void => {
    this.#running();
    checkId(threadId, 'threadId');
    const held = this.#subscriptions.get(threadId) ?? [];
    this.#subscriptions.delete(threadId);
    for (const leave of held) leave();
  };

  /** Calls `listener` for each event of this name, until the returned function or `off` is called. */
  readonly on = <K extends keyof DmEvents>(event: K, listener: DmListener<K>): (() => void) => {
    const { view } = this.#running();
    checkFunction(listener, 'listener');
    view.events.add(event, listener);
    if (event === 'inbox') view.inbox.want();
    return () => view.events.remove(event, listener);
  };

  /** Takes a listener away, if it is there. */
  readonly off = <K extends keyof DmEvents>(event: K, listener: DmListener<K>): void => {
    this.#lifecycle.view.events.remove(event, listener);
  };

  /**
   * Sends a message; it shows at once. Resolves when it is safe, which needs no connection: whether
   * it has reached the gateway, its `delivery` tells.
   *
   * @throws `invalid`, `too_large`, `outbox_full`, `not_connected_yet`, `logged_out`; or what
   * `connect` throws. Then nothing was queued.
   */
  readonly sendMessage = async (
    threadId: string,
    body: string,
    attachments: readonly Attachment[] = [],
  ): Promise<SentMessage> => {
    const lifecycle = this.#running();
    checkId(threadId, 'threadId');
    checkText(body, 'body');
    // Before anything else: the caller may change the array while the core is being loaded.
    const files = checkAttachments(attachments);
    const session = await lifecycle.begun();
    return session.send(threadId, wellFormed(body), files);
  };

  /** Says that the user is writing, or has stopped. Call it at each key press: few of them leave. */
  readonly sendTyping = (threadId: string, isTyping: boolean): void => {
    const lifecycle = this.#running();
    checkId(threadId, 'threadId');
    checkBoolean(isTyping, 'isTyping');
    lifecycle.whenRunning((session) => session.do((core) => core.setTyping(threadId, isTyping)));
  };

  /** Tries a failed message again; one that is not there, or has not failed, is left alone. */
  readonly retry = async (clientMsgId: string): Promise<void> => {
    const lifecycle = this.#running();
    checkText(clientMsgId, 'clientMsgId');
    const session = await lifecycle.begun();
    session.do((core) => core.retry(clientMsgId));
  };

  /**
   * Takes a message back, if it can be. Resolves with what became of it; called again after
   * `maybe_sent`, with how that ended.
   */
  readonly discard = async (clientMsgId: string): Promise<DiscardOutcome> => {
    const lifecycle = this.#running();
    checkText(clientMsgId, 'clientMsgId');
    const session = await lifecycle.begun();
    return session.discard(clientMsgId);
  };

  /** Shows older messages of an open thread, if there are any and they are not being fetched. */
  readonly loadOlder = (threadId: string): void => {
    const lifecycle = this.#running();
    checkId(threadId, 'threadId');
    lifecycle.whenRunning((session) => session.do((core) => core.loadOlder(threadId)));
  };

  /** Returns a thread, to watch; the same object each time. */
  thread(threadId: string): DmThread {
    checkId(threadId, 'threadId');
    return this.#lifecycle.view.thread(threadId);
  }

  /** Returns the id of the newest confirmed message of an open thread, if there is one. */
  lastServerMsgId(threadId: string): string | undefined {
    return this.thread(threadId).getSnapshot().lastServerMsgId;
  }

  #running(): Lifecycle {
    if (this.isDisposed) throw new RejoinderError('disposed');
    return this.#lifecycle;
  }
}
