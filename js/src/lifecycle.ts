import { checkId, invalid } from './arguments.js';
import type { CoreModule } from './core.js';
import { RejoinderError } from './errors.js';
import { gatewayUrl } from './gatewayUrl.js';
import { loadCore } from './load.js';
import type { Notice } from './notices.js';
import { Session, type SessionOwner } from './session.js';
import { Tokens } from './tokens.js';
import type { DmClientOptions, TokenSource } from './types.js';
import { lastUser, rememberUser, userOf } from './user.js';
import { IDLE, View, type ViewOwner } from './view.js';

/** Who is connected, and who was: one session after the other, each with its user. */
export class Lifecycle implements SessionOwner, ViewOwner {
  readonly view = new View(this);
  #options: DmClientOptions;
  #session: Session | undefined;
  /** The session that the last `connect` brings or has brought. */
  #ready: Promise<Session> | undefined;
  /** The last `connect` or `logout`: the next one comes after it. */
  #last: Promise<unknown> | undefined;
  /** Aborted when it no longer matters whom the last token is for. */
  #asking = new AbortController();
  #isWanted = false;
  #isCut = false;
  #hasLoggedOut = false;
  #isDisposed = false;

  constructor(options: DmClientOptions) {
    this.#options = options;
  }

  get isDisposed(): boolean {
    return this.#isDisposed;
  }

  configure(options: DmClientOptions): void {
    const fields = ['url', 'userId', 'skipFailed', 'wasm'] as const;
    if (fields.every((field) => options[field] === this.#options[field])) return;
    if (this.#last) {
      throw invalid('options', 'differ from those this client runs with: use createClient');
    }
    this.#options = options;
  }

  /** Loads the core, once for everybody. */
  load(): Promise<CoreModule> {
    return loadCore(this.#options.wasm);
  }

  async connect(token: TokenSource): Promise<void> {
    this.#isWanted = true;
    this.#hasLoggedOut = false;
    this.#asking.abort(new RejoinderError('superseded'));
    this.#asking = new AbortController();
    const { signal } = this.#asking;
    const ready = this.#start(new Tokens(token), signal, this.#last);
    this.#ready = ready;
    this.#last = ready;
    if (!this.#session) this.view.setConnection({ ...IDLE, state: 'connecting' });
    try {
      await this.#attempt(ready);
    } catch (error) {
      const later = this.#later(ready);
      const isNobodys = signal.aborted && error === signal.reason;
      // Nobody knows whom this call was for, so it is as if only the later one had been made.
      if (isNobodys && later) return this.#attempt(later);
      if (!isNobodys && !later && !this.#isDisposed) this.#startFailed(error);
      throw error;
    }
  }

  async #attempt(ready: Promise<Session>): Promise<void> {
    const session = await ready;
    if (this.#isWanted) await session.connect();
  }

  /** Returns what a later `connect` brings, if there was one. */
  #later(ready: Promise<Session>): Promise<Session> | undefined {
    return this.#ready === ready ? undefined : this.#ready;
  }

  /** Brings the session of whoever the tokens are for, after what was asked for `before`. */
  async #start(
    tokens: Tokens,
    signal: AbortSignal,
    before: Promise<unknown> | undefined,
  ): Promise<Session> {
    const url = gatewayUrl(this.#options.url);
    const loading = this.load();
    // Awaited below, perhaps never.
    loading.catch(() => {});
    const { userId = await userOf(tokens, url, signal) } = this.#options;
    checkId(userId, 'userId');
    const module = await loading;
    await before?.catch(() => {});
    if (this.#isDisposed) throw new RejoinderError('disposed');
    const old = this.#session;
    if (old?.userId === userId && !old.hasEnded) {
      old.use(tokens);
      return old;
    }
    const session = this.#open(module, url, userId, tokens);
    old?.end(new RejoinderError('superseded'));
    if (old) this.view.clear();
    this.#session = session;
    rememberUser(url, userId);
    for (const threadId of this.view.openThreads()) this.openThread(threadId);
    if (this.view.inbox.isWanted) this.watchInbox();
    if (this.#isCut) session.do((core) => core.cut(true));
    return session;
  }

  #open(module: CoreModule, url: string, userId: string, tokens: Tokens): Session {
    const skipFailed = this.#options.skipFailed ?? false;
    return new Session(module, { url, userId, skipFailed }, tokens, this);
  }

  #startFailed(error: unknown): void {
    const isPanic = error instanceof RejoinderError && error.code === 'panic';
    if (isPanic) this.view.setConnection({ ...IDLE, state: 'failed', reason: 'panic' });
    else if (!this.#session) this.view.setConnection(IDLE);
    if (error instanceof RejoinderError) this.view.report(error);
  }

  disconnect(): void {
    this.#isWanted = false;
    if (this.#session) this.whenRunning((session) => session.disconnect());
    else this.view.setConnection(IDLE);
  }

  logout(): Promise<void> {
    const url = gatewayUrl(this.#options.url);
    const stored = this.#options.userId ?? lastUser(url);
    const loggedOut = new RejoinderError('logged_out');
    this.#isWanted = false;
    this.#hasLoggedOut = true;
    this.#asking.abort(loggedOut);
    const leaving = this.#leave(url, stored, loggedOut, this.#last, this.#ready);
    this.#ready = undefined;
    this.#last = leaving;
    return leaving;
  }

  async #leave(
    url: string,
    stored: string | undefined,
    why: RejoinderError,
    before: Promise<unknown> | undefined,
    ready: Promise<Session> | undefined,
  ): Promise<void> {
    await before?.catch(() => {});
    const begun = await ready?.catch(() => undefined);
    let session = begun ?? this.#session;
    if (!session && stored !== undefined) {
      // The last user has not connected this time; only the core can delete what is stored.
      session = this.#open(await this.load(), url, stored, new Tokens(() => ''));
    }
    rememberUser(url, undefined);
    if (session && !session.hasEnded) {
      session.do((core) => core.logout());
      session.end(why);
    }
    this.#session = undefined;
    this.view.clear();
  }

  dispose(): void {
    this.#isDisposed = true;
    this.#isWanted = false;
    const disposed = new RejoinderError('disposed');
    this.#asking.abort(disposed);
    this.#session?.end(disposed);
    this.view.dispose();
  }

  cut(isCut: boolean): void {
    this.#isCut = isCut;
    this.whenRunning((session) => session.do((core) => core.cut(isCut)));
  }

  /** Returns the session that the last `connect` brings, or rejects with why there is none. */
  begun(): Promise<Session> {
    const code = this.#hasLoggedOut ? 'logged_out' : 'not_connected_yet';
    return this.#ready ?? Promise.reject(new RejoinderError(code));
  }

  /** Does what matters only while there is a session. */
  whenRunning(call: (session: Session) => void): void {
    if (this.#session && !this.#session.hasEnded) call(this.#session);
  }

  openThread(threadId: string): void {
    this.#quietly((session) => session.do((core) => core.openThread(threadId)));
  }

  closeThread(threadId: string): void {
    this.#quietly((session) => session.do((core) => core.closeThread(threadId)));
  }

  watchInbox(): void {
    this.#quietly((session) => session.do((core) => core.watchInbox()));
  }

  /** Nobody called who could catch an error: it comes from a component's effect, or a timer. */
  #quietly(call: (session: Session) => void): void {
    try {
      this.whenRunning(call);
    } catch (error) {
      // A panic tells of itself.
      const isPanic = error instanceof RejoinderError && error.code === 'panic';
      if (!isPanic && error instanceof RejoinderError) this.view.report(error);
    }
  }

  take(notices: readonly Notice[]): void {
    this.view.take(notices);
  }

  tokenMissing(cause: unknown): void {
    this.view.report(new RejoinderError('no_token', `(${String(cause)})`, cause));
  }

  failed(session: Session, failure: RejoinderError): void {
    if (session !== this.#session) return;
    const before = this.view.connection.getSnapshot();
    const { nextAttemptAt: _, closeCode: __, transport: ___, ...connection } = before;
    this.view.stop({ ...connection, state: 'failed', reason: 'panic' });
    this.view.report(failure);
  }
}
