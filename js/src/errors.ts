/** What went wrong, for programs. */
export type RejoinderErrorCode =
  /** The page's Content-Security-Policy forbids WebAssembly. */
  | 'csp_forbids_wasm'
  /** The core could not be loaded; calling again tries again. */
  | 'core_load_failed'
  /** The core has stopped after an internal error; reload the page. */
  | 'panic';

/** Every error that this package throws. */
export class RejoinderError extends Error {
  override readonly name = 'RejoinderError';
  /** What went wrong, for programs; the message is for people. */
  readonly code: RejoinderErrorCode;

  constructor(code: RejoinderErrorCode, message: string, cause?: unknown) {
    super(message);
    this.code = code;
    // Not an argument of `super`: consumers may compile against a `lib` that does not know it.
    if (cause !== undefined) Object.defineProperty(this, 'cause', { value: cause });
  }
}
