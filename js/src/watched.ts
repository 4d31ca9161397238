import type { Watchable } from './types.js';

/** A value that can be watched. Setting it tells nobody; `publish` does, once. */
export class Watched<T> implements Watchable<T> {
  readonly #initial: T;
  #value: T;
  #isDirty = false;
  readonly #listeners = new Set<() => void>();

  constructor(initial: T) {
    this.#initial = initial;
    this.#value = initial;
  }

  /** Calls `listener` after each change, until the returned function is called. */
  readonly subscribe = (listener: () => void): (() => void) => {
    // A closure of its own: the same listener may come twice.
    const own = () => listener();
    this.#listeners.add(own);
    return () => {
      this.#listeners.delete(own);
    };
  };

  /** Returns the value; the same object until it changes. */
  readonly getSnapshot = (): T => this.#value;

  /** Returns the value it began with. */
  readonly getServerSnapshot = (): T => this.#initial;

  /** Sets the value, to be published. */
  set(value: T): void {
    this.#value = value;
    this.#isDirty = true;
  }

  /** Tells the listeners, if something changed. */
  publish(): void {
    if (!this.#isDirty) return;
    this.#isDirty = false;
    callAll(this.#listeners);
  }
}

/**
 * Calls every listener that is still there when its turn comes; one that throws is reported and
 * keeps the news from nobody.
 */
export function callAll<A extends unknown[]>(
  listeners: ReadonlySet<(...args: A) => void>,
  ...args: A
): void {
  for (const listener of [...listeners]) {
    if (!listeners.has(listener)) continue;
    try {
      listener(...args);
    } catch (error) {
      console.error('Rejoinder: a listener threw', error);
    }
  }
}
