import { invalid } from './arguments.js';
import type { DmEvents } from './types.js';
import { callAll } from './watched.js';

/** Called with what happened. */
export type DmListener<K extends keyof DmEvents> = (event: DmEvents[K]) => void;

type Listeners = { readonly [K in keyof DmEvents]: Set<DmListener<K>> };

/** The listeners of one client. */
export class Events {
  readonly #listeners: Listeners = {
    message: new Set(),
    connection: new Set(),
    inbox: new Set(),
    error: new Set(),
    discarded: new Set(),
  };

  /** Adds a listener; the same one is held once for each event. */
  add<K extends keyof DmEvents>(name: K, listener: DmListener<K>): void {
    this.#of(name).add(listener);
  }

  /** Removes a listener, if it is there. */
  remove<K extends keyof DmEvents>(name: K, listener: DmListener<K>): void {
    this.#of(name).delete(listener);
  }

  /** Tells every listener; one that throws is reported and keeps the news from nobody. */
  emit<K extends keyof DmEvents>(name: K, event: DmEvents[K]): void {
    callAll(this.#of(name), event);
  }

  /** Removes all listeners. */
  clear(): void {
    for (const listeners of Object.values(this.#listeners)) listeners.clear();
  }

  #of<K extends keyof DmEvents>(name: K): Listeners[K] {
    if (!Object.hasOwn(this.#listeners, name)) {
      throw invalid('event', `must be one of ${Object.keys(this.#listeners).join(', ')}`);
    }
    return this.#listeners[name];
  }
}
