import { isId } from './arguments.js';
import { RejoinderError } from './errors.js';
import type { Tokens } from './tokens.js';

/**
 * How long the token function may take to tell who the user is, before the last user is taken, in
 * milliseconds. Without a network it may hang, and the cache must show all the same.
 */
const USER_PATIENCE_MS = 3_000;
/** How long it may take where no last user is known, in milliseconds. */
const USER_TIMEOUT_MS = 10_000;

/** Where the last user of a gateway is remembered. */
const key = (url: string) => `rejoinder:last-user:${url}`;

/**
 * Returns who the user is, also offline: whom the token is for, else the last user who was here.
 *
 * @throws `no_user`, or the reason of `signal` once it is aborted.
 */
export async function userOf(tokens: Tokens, url: string, signal: AbortSignal): Promise<string> {
  const remembered = lastUser(url);
  let cause: unknown;
  try {
    const patience = remembered === undefined ? USER_TIMEOUT_MS : USER_PATIENCE_MS;
    const token = tokens.text ?? (await within(patience, signal, tokens.peek()));
    const subject = subjectOf(token);
    if (subject !== undefined) return subject;
  } catch (error) {
    signal.throwIfAborted();
    cause = error;
  }
  if (remembered !== undefined) return remembered;
  throw new RejoinderError('no_user', cause === undefined ? '' : `(${String(cause)})`, cause);
}

function within<T>(ms: number, signal: AbortSignal, promise: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no token within ${ms / 1000} s`)), ms);
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

/**
 * Reads whom a token is for, without verifying it: that is the gateway's part. It only picks the
 * local database; nothing of it is sent before the gateway has named the same user.
 */
export function subjectOf(token: string): string | undefined {
  const subject = token.startsWith('dev:') ? token.slice('dev:'.length) : claimedSubject(token);
  return isId(subject) ? subject : undefined;
}

function claimedSubject(token: string): unknown {
  const payload = token.split('.')[1];
  if (!payload) return undefined;
  try {
    const bytes = Uint8Array.from(atob(payload.replace(/-/g, '+').replace(/_/g, '/')), (char) =>
      char.charCodeAt(0),
    );
    const claims: unknown = JSON.parse(new TextDecoder().decode(bytes));
    return (claims as { sub?: unknown } | null)?.sub;
  } catch {
    return undefined;
  }
}

/** Returns the last user who connected to this gateway from here and did not log out. */
export function lastUser(url: string): string | undefined {
  try {
    const userId = localStorage.getItem(key(url));
    return isId(userId) ? userId : undefined;
  } catch {
    return undefined;
  }
}

/** Remembers, or with `undefined` forgets, the last user of this gateway. */
export function rememberUser(url: string, userId: string | undefined): void {
  try {
    if (userId === undefined) localStorage.removeItem(key(url));
    else localStorage.setItem(key(url), userId);
  } catch {
    // No storage, as on a server or in a private window: then nobody is remembered.
  }
}
