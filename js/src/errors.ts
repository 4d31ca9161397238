/** What went wrong and what to do, and whether the same call may succeed later. */
interface Explanation {
  readonly sentence: string;
  readonly isRetryable?: true;
}

const EXPLANATIONS = {
  auth_required: {
    sentence:
      'The gateway refused the token twice: call connect() with a new one. The queue is kept.',
  },
  core_load_failed: {
    sentence: 'The WebAssembly core could not be loaded; call connect() to try again.',
    isRetryable: true,
  },
  csp_forbids_wasm: {
    sentence:
      "This page's Content-Security-Policy forbids WebAssembly: add 'wasm-unsafe-eval' to its script-src.",
  },
  disposed: { sentence: 'This client was disposed of; make another one.' },
  id_conflict: { sentence: 'This key was already used for another message.' },
  invalid: {
    sentence: 'A message needs a text or an attachment, and cannot hold the character U+0000.',
  },
  invalid_argument: { sentence: 'An argument is not what this call takes.' },
  logged_out: { sentence: 'The user logged out; call connect() first.' },
  no_gateway: {
    sentence: 'What answers at this URL is no Rejoinder gateway: check the url option.',
  },
  no_token: {
    sentence: 'The token function brought no token; it is asked again by itself.',
    isRetryable: true,
  },
  no_user: {
    sentence:
      'It is not known who the user is: pass a token with a readable sub, or the userId option.',
  },
  not_connected_yet: {
    sentence: 'Call connect(token) first: it tells whose messages these are.',
  },
  outbox_full: {
    sentence: 'Too many messages wait already; this one was not queued.',
    isRetryable: true,
  },
  panic: {
    sentence:
      'Rejoinder has stopped after an internal error; reload the page. Nothing queued is lost.',
  },
  stopped: {
    sentence: 'The gateway turned this client away, and trying again cannot help.',
  },
  storage_unavailable: {
    sentence:
      'The browser gives no storage: messages that wait are kept in memory only, until the page ends.',
  },
  superseded: {
    sentence: 'Another user has connected; what was queued waits until this one returns.',
  },
  too_large: { sentence: 'The message is longer than the gateway takes; it was not queued.' },
  unreachable: {
    sentence:
      'No gateway can be reached: check the network, the url option, and that a gateway is running.',
    isRetryable: true,
  },
  wrong_user: {
    sentence: 'The token belongs to another user than this client. The queue is kept.',
  },
} as const satisfies Record<string, Explanation>;

/** What went wrong, for programs. Each is explained in `errors.md` beside this file. */
export type RejoinderErrorCode = keyof typeof EXPLANATIONS;

/** Every code, in alphabetical order. */
export const ERROR_CODES = Object.keys(EXPLANATIONS) as readonly RejoinderErrorCode[];

/** Every error that this package throws, rejects with or reports. */
export class RejoinderError extends Error {
  override readonly name = 'RejoinderError';
  /** What went wrong, for programs; the message is for people. */
  readonly code: RejoinderErrorCode;
  /** Whether the same call may succeed later, with nothing changed by the application. */
  readonly retryable: boolean;

  constructor(code: RejoinderErrorCode, detail = '', cause?: unknown) {
    const explanation: Explanation = EXPLANATIONS[code];
    const where = `[${code}, see node_modules/@rejoinder/client/src/errors.md#${code}]`;
    super([explanation.sentence, detail, where].filter(Boolean).join(' '));
    this.code = code;
    this.retryable = explanation.isRetryable ?? false;
    // Not an argument of `super`: consumers may compile against a `lib` that does not know it.
    if (cause !== undefined) Object.defineProperty(this, 'cause', { value: cause });
  }
}

/** Turns what the core threw, or the code of a refusal, into one of our errors. */
export function fromCore(error: unknown): RejoinderError {
  if (error instanceof RejoinderError) return error;
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown };
  if (typeof code === 'string' && Object.hasOwn(EXPLANATIONS, code)) {
    const detail = message === undefined ? '' : `(${String(message)})`;
    return new RejoinderError(code as RejoinderErrorCode, detail, error);
  }
  // `panicked`, or the trap of a panic that is happening now.
  return new RejoinderError('panic', `(${String(message ?? code ?? error)})`, error);
}
