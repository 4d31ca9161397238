import { RejoinderError } from './errors.js';
import type { Notice } from './notices.js';
import type { Attachment } from './types.js';

/** What the WebAssembly core exports. */
export interface CoreExports {
  readonly Core: new (options: CoreOptions, notify: (notices: Notice[]) => void) => CoreClient;
  setFatalListener(callback: (message: string) => void): void;
  /** Panics on purpose, for tests. */
  plantedPanic(): void;
}

/** Whose client it is. */
export interface CoreOptions {
  readonly url: string;
  readonly userId: string;
  readonly skipFailed: boolean;
}

/**
 * The client of one user. Every call returns at once and may throw an error with a `code`; what
 * comes of it arrives later through `notify`.
 */
export interface CoreClient {
  connect(): void;
  disconnect(): void;
  openThread(threadId: string): void;
  closeThread(threadId: string): void;
  send(threadId: string, body: string, attachments: readonly Attachment[]): string;
  retry(clientMsgId: string): void;
  discard(clientMsgId: string): void;
  loadOlder(threadId: string): void;
  setTyping(threadId: string, isTyping: boolean): void;
  watchInbox(): void;
  logout(): void;
  token(attempt: number, token: string | undefined, subject: string | undefined): void;
  cut(isCut: boolean): void;
  dispose(): void;
}

/** The loaded core. A panic inside it is final: it says so once, and refuses every later call. */
export class CoreModule {
  readonly exports: CoreExports;
  #failure: RejoinderError | undefined;
  readonly #listeners = new Set<(failure: RejoinderError) => void>();

  constructor(exports: CoreExports) {
    this.exports = exports;
    exports.setFatalListener((message) => this.#fail(message));
  }

  /** Why the core has stopped, or `undefined` while it is sound. */
  get failure(): RejoinderError | undefined {
    return this.#failure;
  }

  /** Tells `listener` once when the core panics, at once if it has; returns how to stop listening. */
  onFailure(listener: (failure: RejoinderError) => void): () => void {
    if (this.#failure) listener(this.#failure);
    else this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #fail(message: string): void {
    const failure = new RejoinderError('panic', `(${message})`);
    this.#failure = failure;
    const listeners = [...this.#listeners];
    this.#listeners.clear();
    for (const listener of listeners) {
      try {
        listener(failure);
      } catch (error) {
        // One broken listener must not keep the news from the others.
        console.error(error);
      }
    }
  }
}
