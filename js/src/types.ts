import type { RejoinderError } from './errors.js';
import type { WasmSource } from './load.js';

/** A file that a message points to. */
export interface Attachment {
  /** The file's name, as a person sees it. */
  readonly name: string;
  /** Its media type, for example `image/png`. */
  readonly mimeType: string;
  /** Its size in bytes; a whole number below 2^53. */
  readonly sizeBytes: number;
  /** Where it can be fetched. Data, not markup: decide which schemes to link before you render it. */
  readonly url: string;
}

/** Whether something survives the end of the page: in the browser's storage, or not. */
export type Durability = 'disk' | 'memory';

/** Where a message stands on its way. */
export type Delivery =
  /** It waits for the gateway. */
  | {
      readonly status: 'queued';
      /** Where it is safe meanwhile; absent while that is being found out. */
      readonly durability?: Durability;
      /** The `clientMsgId` of the failed message that must be retried or discarded first. */
      readonly blockedBy?: string;
    }
  /** The gateway has stored it. Messages of others are always `sent`. */
  | { readonly status: 'sent' }
  /** The gateway refused it for good, for the reason in `code`; `retry` or `discard` it. */
  | { readonly status: 'failed'; readonly code: string }
  /** It was discarded after it may have been sent; the gateway is being asked. */
  | { readonly status: 'cancelling' };

/** A message. Unchanged messages stay the identical object from one snapshot to the next. */
export interface Message {
  /** Stable from the first render to the end: use it as the React key. */
  readonly id: string;
  /** The key that its sender made. */
  readonly clientMsgId: string;
  /** The store's identity, once it is known. */
  readonly serverMsgId?: string;
  /** The place in the thread: from 1, without holes, the same on every device. */
  readonly sequenceNumber?: number;
  /** Who wrote it. */
  readonly senderId: string;
  /** Whether that is the user of this client. */
  readonly isOwn: boolean;
  /** The text; empty if it was deleted. */
  readonly body: string;
  /** The attachments. */
  readonly attachments: readonly Attachment[];
  /** When it was stored; until then, when it was sent by this device's clock. Milliseconds UTC. */
  readonly sentAt: number;
  /** When it was last edited. Milliseconds UTC. */
  readonly editedAt?: number;
  /** Whether it was deleted. */
  readonly isDeleted: boolean;
  /** Where it stands on its way. */
  readonly delivery: Delivery;
}

/** Whether somebody is online; `unknown` while we are not connected ourselves. */
export type PartnerPresence = 'online' | 'offline' | 'unknown';

/** Somebody else who takes part in a thread. */
export interface Partner {
  /** Who. */
  readonly userId: string;
  /** Whether they are writing. */
  readonly isTyping: boolean;
  /** Whether they are online. */
  readonly presence: PartnerPresence;
  /** When they were last seen. Milliseconds UTC. */
  readonly lastSeenAt?: number;
}

/** How fresh a thread is: not connected, fetching what is missing, or complete. */
export type SyncState = 'connecting' | 'catching-up' | 'live';

/** Everything about a thread at one moment. Frozen; the same object until something changes. */
export interface ThreadSnapshot {
  /** Confirmed messages in the order of the thread, then one's own that wait. */
  readonly messages: readonly Message[];
  /** How fresh it is. */
  readonly syncState: SyncState;
  /** Whether what is stored on this device was read: until then an empty list means nothing. */
  readonly isLoaded: boolean;
  /** Whether older messages exist; `loadOlder` shows them. */
  readonly hasOlder: boolean;
  /** Whether older messages are being fetched. */
  readonly isLoadingOlder: boolean;
  /** Whether messages are known to be missing, and are being fetched. */
  readonly hasGap: boolean;
  /** The newest confirmed message. */
  readonly lastServerMsgId?: string;
  /** Why the gateway does not show the thread, for example `not_found`. */
  readonly unavailable?: string;
  /** Everybody else who takes part. */
  readonly partners: readonly Partner[];
  /** Whether a partner is writing. */
  readonly partnerTyping: boolean;
  /** Whether a partner is online; `false` when that is unknown. */
  readonly partnerOnline: boolean;
  /** Whether a partner is online, with the third answer. */
  readonly partnerPresence: PartnerPresence;
  /** When the partner was last seen. Milliseconds UTC. */
  readonly lastSeenAt?: number;
}

/** Where the connection stands. */
export type ConnectionState =
  /** Not wanted, or not yet. */
  | 'idle'
  /** An attempt is under way. */
  | 'connecting'
  /** Welcomed by the gateway. */
  | 'connected'
  /** Waiting for the next attempt, at `nextAttemptAt`. */
  | 'waiting'
  /**
   * Two tokens in a row were refused, `reason` tells why: `connect` with a new one. What waits to be
   * sent is kept and leaves then.
   */
  | 'auth-required'
  /** The token belongs to another user: `connect` with one of this user's, or as the other user. */
  | 'wrong-user'
  /** The gateway said that trying again cannot help. */
  | 'stopped'
  /** The client has stopped after an internal error; reload the page. */
  | 'failed';

/** Why there is no connection; or, with `no-token` while connected, why there soon may be none. */
export type ConnectionReason =
  /** The gateway closed it, see `closeCode`. */
  | 'closed'
  /** The token function brought none; while connected: none to replace the one that ends soon. */
  | 'no-token'
  /** The gateway did not answer. */
  | 'silent'
  /** The socket was lost or could not be opened. */
  | 'unreachable'
  /** Something else answered. */
  | 'not-a-gateway'
  /** The gateway's database was restored; starting again. */
  | 'epoch-changed'
  /** The gateway says that the token has expired. */
  | 'token-expired'
  /** The gateway says that the token is not valid. */
  | 'token-refused'
  /** The client itself has stopped. */
  | 'panic';

/**
 * By which way the gateway is reached: a WebSocket, or server-sent events and requests where none can
 * be opened. Nothing else differs.
 */
export type Transport = 'websocket' | 'sse';

/** The state of the connection, the queue and the storage. The queue survives every state. */
export interface ConnectionSnapshot {
  /** Whose client it is, once that is known. */
  readonly userId?: string;
  /** Where the connection stands. */
  readonly state: ConnectionState;
  /** Why it is not connected, or may soon not be. */
  readonly reason?: ConnectionReason;
  /** The close code behind `reason`, if there was one. */
  readonly closeCode?: number;
  /** By which way, while connected. */
  readonly transport?: Transport;
  /** When the next attempt begins, by this device's clock. Milliseconds UTC. */
  readonly nextAttemptAt?: number;
  /** How many messages the gateway has not acknowledged, failed ones included. */
  readonly queueLength: number;
  /** Where messages are kept until they are acknowledged. */
  readonly storage: Durability;
  /** Why they are kept in memory only, for example `quota`. */
  readonly storageReason?: string;
}

/** A thread in the list of threads. */
export interface InboxThread {
  /** The thread. */
  readonly threadId: string;
  /** Everybody else who takes part. */
  readonly partnerIds: readonly string[];
  /** The newest message's place; 0 if there is none. */
  readonly sequenceNumber: number;
  /** The beginning of the newest message. */
  readonly preview?: InboxPreview;
}

/** The beginning of a message. */
export interface InboxPreview {
  /** Who wrote it. */
  readonly senderId: string;
  /** The beginning of the text. */
  readonly body: string;
  /** When it was stored. Milliseconds UTC. */
  readonly sentAt: number;
}

/** The list of threads at one moment. Frozen; the same object until something changes. */
export interface InboxSnapshot {
  /** The latest changed first. */
  readonly threads: readonly InboxThread[];
  /** Whether the gateway has confirmed the list on this connection. */
  readonly isCurrent: boolean;
}

/** The answer to `sendMessage`: the message is taken. */
export interface SentMessage {
  /** Its key, and its `id` in the list. */
  readonly clientMsgId: string;
  /** `disk`: it survives the end of the page. `memory`: the browser gives no storage. */
  readonly durability: Durability;
}

/**
 * What became of a discarded message: it was never sent; it may have been sent and the gateway is
 * asked; the gateway voided it; it was stored before; no such message waits.
 */
export type DiscardOutcome = 'discarded' | 'maybe_sent' | 'cancelled' | 'sent' | 'unknown';

/**
 * A token, or a function that brings a current one. The function is asked at every attempt to
 * connect, once more if the gateway refuses what it brought, and about a minute before a token ends,
 * so that the connection goes on with the next one. A function that throws or hangs is asked again
 * later. With a text, an expired token leads to the state `auth-required`; `connect` with another
 * text, before or after, goes on.
 */
export type TokenSource = string | (() => string | Promise<string>);

/** How to make a client. */
export interface DmClientOptions {
  /** The gateway: absolute, or relative to the page. `/ws` of the page's origin unless given. */
  readonly url?: string;
  /**
   * Who the user is. Needed only where the token does not tell: otherwise it is the token's `sub`,
   * and without a token the last user who was here and did not log out.
   */
  readonly userId?: string;
  /**
   * Whether a message that the gateway refused lets later ones of its thread pass. Unless it is
   * `true` they wait, so that the order stays, until that one is retried or discarded.
   */
  readonly skipFailed?: boolean;
  /** Where the `.wasm` file comes from, if not from beside this package's JavaScript. */
  readonly wasm?: WasmSource;
}

/** A message was confirmed. */
export interface MessageEvent {
  /** Its thread. */
  readonly threadId: string;
  /** The message. */
  readonly message: Message;
}

/** It became known what has become of a discarded message. */
export interface DiscardedEvent {
  /** The message. */
  readonly clientMsgId: string;
  /** What became of it; after `maybe_sent` a second event brings the end. */
  readonly outcome: DiscardOutcome;
}

/** What `on` can tell, by the name of the event. */
export interface DmEvents {
  /**
   * Once for each message of a subscribed thread, one's own too, as it is confirmed while the client
   * runs. Never for optimistic messages, the cache, older messages or the first window of a thread.
   */
  readonly message: MessageEvent;
  /** The connection, the queue or the storage changed. */
  readonly connection: ConnectionSnapshot;
  /** The list of threads changed. */
  readonly inbox: InboxSnapshot;
  /** Something went wrong by itself; calls that fail reject or throw instead. */
  readonly error: RejoinderError;
  /** What became of a discarded message. */
  readonly discarded: DiscardedEvent;
}

/** Something whose value can be watched, made for React's `useSyncExternalStore`. */
export interface Watchable<T> {
  /** Calls `listener` after each change, until the returned function is called. */
  subscribe(listener: () => void): () => void;
  /** Returns the value; the same frozen object until it changes. */
  getSnapshot(): T;
  /** Returns what a server renders: always the same, whatever any client holds. */
  getServerSnapshot(): T;
}

/** One thread: open as long as somebody watches it, and for five seconds after. */
export interface DmThread extends Watchable<ThreadSnapshot> {
  /** The thread. */
  readonly threadId: string;
}
