import { RejoinderError } from './errors.js';

/** What the WebAssembly core exports. */
export interface CoreExports {
  readonly Client: { open(name: string): Promise<CoreClient> };
  onFatal(callback: (message: string) => void): void;
  /** Panics on purpose, for tests. */
  plantedPanic(): void;
}

/** One open client of the core. */
export interface CoreClient {
  put(key: string, value: Uint8Array): Promise<void>;
  get(key: string): Promise<Uint8Array | undefined>;
  free(): void;
}

/**
 * The loaded core.
 *
 * A panic inside it is final, and leaves the promises of its calls pending for ever. So each such
 * promise goes through {@link Core.guard}.
 */
export class Core {
  readonly exports: CoreExports;
  #failure: RejoinderError | undefined;
  readonly #waiting = new Set<(failure: RejoinderError) => void>();
  readonly #listeners = new Set<(failure: RejoinderError) => void>();

  constructor(exports: CoreExports) {
    this.exports = exports;
    exports.onFatal((message) => this.#fail(message));
  }

  /** Why the core has stopped, or `undefined` while it is sound. */
  get failure(): RejoinderError | undefined {
    return this.#failure;
  }

  /** Settles like `call`, or rejects as soon as the core has panicked. */
  guard<T>(call: Promise<T>): Promise<T> {
    if (this.#failure) {
      call.catch(() => {});
      return Promise.reject(this.#failure);
    }
    return new Promise((resolve, reject) => {
      this.#waiting.add(reject);
      const settled = () => this.#waiting.delete(reject);
      call.then(resolve, reject).finally(settled);
    });
  }

  /** Tells `listener` once when the core panics, at once if it has; returns how to stop listening. */
  onFailure(listener: (failure: RejoinderError) => void): () => void {
    if (this.#failure) listener(this.#failure);
    else this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #fail(message: string): void {
    const failure = new RejoinderError(
      'panic',
      `Rejoinder has stopped after an internal error; reload the page. Nothing queued is lost. (${message})`,
    );
    this.#failure = failure;
    const waiting = [...this.#waiting];
    const listeners = [...this.#listeners];
    this.#waiting.clear();
    this.#listeners.clear();
    for (const reject of waiting) reject(failure);
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
