import type { TokenSource } from './types.js';

/** The tokens of one `connect`: the same one each time, or what the function brings. */
export class Tokens {
  readonly #source: TokenSource;
  #peeked: Promise<string> | undefined;

  constructor(source: TokenSource) {
    this.#source = source;
  }

  /** The text that is the token each time, if nobody needs to be asked. */
  get text(): string | undefined {
    return typeof this.#source === 'string' ? this.#source : undefined;
  }

  /** Returns the token that `next` will return. Asks for it once, however often it is called. */
  peek(): Promise<string> {
    this.#peeked ??= this.#ask();
    return this.#peeked;
  }

  /** Returns a token for the next attempt: a current one, for the last one may have expired. */
  next(): Promise<string> {
    const peeked = this.#peeked;
    this.#peeked = undefined;
    return peeked ?? this.#ask();
  }

  async #ask(): Promise<string> {
    const token: unknown = typeof this.#source === 'function' ? await this.#source() : this.#source;
    if (typeof token !== 'string' || token === '') {
      throw new TypeError('the token function must bring a string that is not empty');
    }
    return token;
  }
}
