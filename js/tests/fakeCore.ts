import { vi } from 'vitest';
import { type CoreClient, type CoreExports, CoreModule, type CoreOptions } from '../src/core.js';
import type { ConnectionNotice, Notice, ThreadDelta, ThreadMeta } from '../src/notices.js';
import type { Message } from '../src/types.js';

/** A core that records what it is called with; the test says what it tells. */
export class FakeCore {
  readonly options: CoreOptions;
  readonly tell: (...notices: Notice[]) => void;
  readonly tokens: (string | undefined)[] = [];
  readonly calls = {
    connect: vi.fn(() => this.tellConnection({ state: 'connecting' })),
    disconnect: vi.fn(() => this.tellConnection({ state: 'idle' })),
    openThread: vi.fn((_threadId: string) => {}),
    closeThread: vi.fn((_threadId: string) => {}),
    send: vi.fn((_threadId: string, _body: string, _attachments: unknown) => {
      this.sent += 1;
      return `key-${this.sent}`;
    }),
    retry: vi.fn((_clientMsgId: string) => {}),
    discard: vi.fn((_clientMsgId: string) => {}),
    loadOlder: vi.fn((_threadId: string) => {}),
    setTyping: vi.fn((_threadId: string, _isTyping: boolean) => {}),
    watchInbox: vi.fn(() => {}),
    logout: vi.fn(() => {}),
    token: vi.fn((_attempt: number, token: string | undefined, _subject: string | undefined) => {
      this.tokens.push(token);
    }),
    cut: vi.fn((_isCut: boolean) => {}),
    dispose: vi.fn(() => {}),
  } satisfies CoreClient;
  private sent = 0;

  constructor(options: CoreOptions, notify: (notices: Notice[]) => void) {
    this.options = options;
    this.tell = (...notices) => notify(notices);
    Object.assign(this, this.calls);
  }

  /** Tells of the connection in a later microtask, as the core does. */
  tellConnection(change: Partial<ConnectionNotice>): void {
    queueMicrotask(() => this.tell(connection(this.options.userId, change)));
  }
}

/** A page with a fake core. */
export class FakePage {
  readonly cores: FakeCore[] = [];
  panic = (_message: string): void => {};
  readonly module: CoreModule;

  constructor() {
    const cores = this.cores;
    // Its instances are fake cores with the calls on themselves.
    class Core extends FakeCore {
      constructor(options: CoreOptions, notify: (notices: Notice[]) => void) {
        super(options, notify);
        cores.push(this);
      }
    }
    this.module = new CoreModule({
      Core: Core as unknown as CoreExports['Core'],
      setFatalListener: (callback) => {
        this.panic = callback;
      },
      plantedPanic: () => {
        queueMicrotask(() => this.panic('planted'));
        throw new Error('unreachable');
      },
    });
  }

  /** The core that was made last. */
  get core(): FakeCore {
    const core = this.cores.at(-1);
    if (!core) throw new Error('no core was made');
    return core;
  }
}

export function connection(userId: string, change: Partial<ConnectionNotice> = {}): Notice {
  const all = { state: 'connected', queueLength: 0, storage: 'disk', ...change } as const;
  return { type: 'connection', userId, ...all };
}

export function message(id: string, change: Partial<Message> = {}): Message {
  return {
    id,
    clientMsgId: id,
    senderId: 'bob',
    isOwn: false,
    body: `text of ${id}`,
    attachments: [],
    sentAt: 1_700_000_000_000,
    isDeleted: false,
    delivery: { status: 'sent' },
    ...change,
  };
}

export function meta(change: Partial<ThreadMeta> = {}): ThreadMeta {
  return {
    syncState: 'live',
    isLoaded: true,
    hasOlder: false,
    isLoadingOlder: false,
    hasGap: false,
    partners: [{ userId: 'bob', isTyping: false, presence: 'online' }],
    ...change,
  };
}

/** The delta that appends messages to a list of `length`. */
export function appended(threadId: string, length: number, ...rows: Message[]): Notice {
  const insert = rows.map(({ id }) => id);
  const splice = { at: length, deleteCount: 0, insert };
  return { type: 'thread', threadId, removed: [], upserted: rows, splice };
}

export function delta(threadId: string, change: Partial<ThreadDelta> = {}): Notice {
  return { type: 'thread', threadId, removed: [], upserted: [], ...change };
}

/** Lets everything that is ready run. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 30; turn += 1) await Promise.resolve();
}
