import { RejoinderError, type RejoinderErrorCode } from './errors.js';
import type { ConnectionSnapshot } from './types.js';

/** What is over as soon as the gateway has welcomed the client. */
const ENDED_BY_WELCOME: readonly RejoinderErrorCode[] = [
  'auth_required',
  'core_load_failed',
  'no_gateway',
  'no_token',
  'no_user',
  'stopped',
  'unreachable',
  'wrong_user',
];

/** Returns what is wrong with a connection, if it is more than a moment's absence. */
function troubleOf(connection: ConnectionSnapshot): RejoinderError | undefined {
  const { state, reason, closeCode, storageReason } = connection;
  const detail = closeCode === undefined ? '' : `(close code ${closeCode})`;
  if (state === 'auth-required') return new RejoinderError('auth_required', detail);
  if (state === 'wrong-user') return new RejoinderError('wrong_user', detail);
  if (state === 'stopped') return new RejoinderError('stopped', detail);
  if (state === 'connected' && reason === 'no-token') return new RejoinderError('no_token');
  if (state === 'waiting') {
    if (reason === 'no-token') return new RejoinderError('no_token');
    if (reason === 'not-a-gateway') return new RejoinderError('no_gateway');
    if (reason === 'unreachable' || reason === 'silent') return new RejoinderError('unreachable');
  }
  if (storageReason) return new RejoinderError('storage_unavailable', `(${storageReason})`);
  return undefined;
}

/** What goes wrong by itself: the last of it, and each kind once in the console. */
export class Trouble {
  #last: RejoinderError | undefined;
  readonly #logged = new Set<RejoinderErrorCode>();

  /** The last thing that went wrong and may still be so. */
  get last(): RejoinderError | undefined {
    return this.#last;
  }

  /** Takes in that something went wrong. */
  add(error: RejoinderError): void {
    this.#last = error;
    if (this.#logged.has(error.code)) return;
    this.#logged.add(error.code);
    // What mends itself is a warning.
    if (error.retryable) console.warn(error.message);
    else console.error(error.message);
  }

  /** Takes in where the connection stands; returns what is newly wrong with it. */
  see(connection: ConnectionSnapshot): RejoinderError | undefined {
    const isOver = this.#last && ENDED_BY_WELCOME.includes(this.#last.code);
    const isWell = connection.state === 'connected' && connection.reason === undefined;
    if (isWell && isOver) this.#last = undefined;
    const found = troubleOf(connection);
    // The same again is no news, and the first may carry the cause.
    if (!found || found.code === this.#last?.code) return undefined;
    this.add(found);
    return found;
  }
}
