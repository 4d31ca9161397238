import type { TokenSource } from './types.js';

/**
 * How long a token that was asked for to learn whose it is may wait to be used, in milliseconds.
 * Where there is a connection already, it could wait until it has long expired.
 */
const PEEKED_MS = 30_000;

/** The tokens of one `connect`: the same one each time, or what the function brings. */
export class Tokens {
  readonly #source: TokenSource;
  #peeked: Promise<string> | undefined;
  #peekedAt = 0;

  constructor(source: TokenSource) {
    this.#source = source;
  }

  /** The text that is the token each time, if nobody needs to be asked. */
  get text(): string | undefined {
    return typeof this.#source === 'string' ? this.#source : undefined;
  }

  /** Returns the token that `next` will return. Asks for it once, however often it is called. */
  peek(): Promise<string> {
    if (!this.#peeked) {
      this.#peeked = this.#ask();
      this.#peekedAt = performance.now();
    }
    return this.#peeked;
  }

  /** Returns a token for the next attempt or refresh: a current one, for the last may have expired. */
  next(): Promise<string> {
    const peeked = this.#peeked;
    this.#peeked = undefined;
    const isFresh = performance.now() - this.#peekedAt < PEEKED_MS;
    return peeked && isFresh ? peeked : this.#ask();
  }

  async #ask(): Promise<string> {
    const token: unknown = typeof this.#source === 'function' ? await this.#source() : this.#source;
    if (typeof token !== 'string' || token === '') {
      throw new TypeError('the token function must bring a string that is not empty');
    }
    return token;
  }
}
