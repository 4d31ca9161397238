import type { CoreClient, CoreModule, CoreOptions } from './core.js';
import { fromCore, type RejoinderError } from './errors.js';
import type { ConnectionNotice, Notice } from './notices.js';
import type { Tokens } from './tokens.js';
import type { Attachment, ConnectionState, DiscardOutcome, SentMessage } from './types.js';
import { subjectOf } from './user.js';

/** What a session tells its client. */
export interface SessionOwner {
  /** What the core has told: all of it belongs together. */
  take(notices: readonly Notice[]): void;
  /** The token function brought no token. */
  tokenMissing(cause: unknown): void;
  /** The core has stopped for good. */
  failed(session: Session, failure: RejoinderError): void;
}

interface Pending<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (error: RejoinderError) => void;
}

/** A `connect` that waits for its attempt to end. */
interface Attempt extends Pending<void> {
  hasBegun: boolean;
}

/** One user's core, and the promises that it has yet to keep. */
export class Session {
  readonly userId: string;
  readonly #core: CoreClient;
  readonly #owner: SessionOwner;
  readonly #sends = new Map<string, Pending<SentMessage>>();
  readonly #discards = new Map<string, Pending<DiscardOutcome>>();
  readonly #attempts = new Set<Attempt>();
  readonly #stopWatching: () => void;
  #tokens: Tokens;
  /** The attempt that waits for a token, or whose connection waits for a newer one. */
  #wanted: number | undefined;
  #state: ConnectionState = 'idle';
  #end: RejoinderError | undefined;

  /** @throws if the core has stopped, or does not take the options. */
  constructor(module: CoreModule, options: CoreOptions, tokens: Tokens, owner: SessionOwner) {
    if (module.failure) throw module.failure;
    this.userId = options.userId;
    this.#tokens = tokens;
    this.#owner = owner;
    try {
      this.#core = new module.exports.Core(options, (notices) => this.#take(notices));
    } catch (error) {
      throw fromCore(error);
    }
    this.#stopWatching = module.onFailure((failure) => {
      this.end(failure);
      owner.failed(this, failure);
    });
  }

  /** Whether no call has an effect any more. */
  get hasEnded(): boolean {
    return this.#end !== undefined;
  }

  /** Connects; resolves when the attempt has ended, either way. */
  connect(): Promise<void> {
    this.do((core) => core.connect());
    if (this.#state === 'connected') return Promise.resolve();
    const attempt = { ...pending<void>(), hasBegun: this.#state === 'connecting' };
    this.#attempts.add(attempt);
    return attempt.promise;
  }

  /** Disconnects until the next `connect`. */
  disconnect(): void {
    this.do((core) => core.disconnect());
    this.#attempts.forEach(({ resolve }) => {
      resolve();
    });
    this.#attempts.clear();
  }

  /** Takes tokens from elsewhere from now on, also for an attempt that waits for one. */
  use(tokens: Tokens): void {
    this.#tokens = tokens;
    if (this.#wanted !== undefined) void this.#answer(this.#wanted);
  }

  /** Queues a message; resolves when it is safe. */
  async send(
    threadId: string,
    body: string,
    attachments: readonly Attachment[],
  ): Promise<SentMessage> {
    const clientMsgId = this.do((core) => core.send(threadId, body, attachments));
    const send = pending<SentMessage>();
    this.#sends.set(clientMsgId, send);
    return send.promise;
  }

  /** Takes a message back; resolves with what became of it. */
  async discard(clientMsgId: string): Promise<DiscardOutcome> {
    const known = this.#discards.get(clientMsgId);
    if (known) return known.promise;
    this.do((core) => core.discard(clientMsgId));
    const discard = pending<DiscardOutcome>();
    this.#discards.set(clientMsgId, discard);
    return discard.promise;
  }

  /** Calls the core, and returns what it returns or throws one of our errors. */
  do<T>(call: (core: CoreClient) => T): T {
    if (this.#end) throw this.#end;
    try {
      return call(this.#core);
    } catch (error) {
      throw fromCore(error);
    }
  }

  /** Ends it for the reason `why`; what is stored stays. */
  end(why: RejoinderError): void {
    if (this.#end) return;
    this.#end = why;
    this.#stopWatching();
    for (const waiting of [this.#sends, this.#discards, this.#attempts]) {
      waiting.forEach(({ reject }) => {
        reject(why);
      });
      waiting.clear();
    }
    try {
      this.#core.dispose();
    } catch {
      // It has panicked: there is nothing left to close it with.
    }
  }

  #take(notices: readonly Notice[]): void {
    if (this.#end) return;
    for (const notice of notices) {
      if (notice.type === 'connection') this.#connectionChanged(notice);
      if (notice.type === 'tokenWanted') void this.#answer(notice.attempt);
      if (notice.type === 'settled') {
        const { clientMsgId, durability, code } = notice;
        const send = this.#sends.get(clientMsgId);
        this.#sends.delete(clientMsgId);
        if (durability) send?.resolve({ clientMsgId, durability });
        else send?.reject(fromCore({ code }));
      }
      if (notice.type === 'discarded') {
        this.#discards.get(notice.clientMsgId)?.resolve(notice.outcome);
        this.#discards.delete(notice.clientMsgId);
      }
    }
    this.#owner.take(notices);
  }

  #connectionChanged({ state }: ConnectionNotice): void {
    this.#state = state;
    for (const attempt of this.#attempts) {
      if (state === 'connecting') attempt.hasBegun = true;
      else if (attempt.hasBegun || state === 'connected') {
        attempt.resolve();
        this.#attempts.delete(attempt);
      }
    }
  }

  async #answer(attempt: number): Promise<void> {
    const tokens = this.#tokens;
    this.#wanted = attempt;
    let token: string | undefined;
    let missing: unknown;
    try {
      token = await tokens.next();
    } catch (error) {
      missing = error;
    }
    const isLate = tokens !== this.#tokens || attempt !== this.#wanted || this.hasEnded;
    if (isLate) return;
    this.#wanted = undefined;
    if (token === undefined) this.#owner.tokenMissing(missing);
    try {
      this.do((core) => core.token(attempt, token, token && subjectOf(token)));
    } catch {
      // It ended meanwhile, or has just panicked, and tells its listeners itself.
    }
  }
}

function pending<T>(): Pending<T> {
  let resolve: (value: T) => void = () => {};
  let reject: (error: RejoinderError) => void = () => {};
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}
