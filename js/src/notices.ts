import type {
  ConnectionReason,
  ConnectionState,
  DiscardOutcome,
  Durability,
  InboxThread,
  Message,
  Partner,
  SyncState,
  Transport,
} from './types.js';

/** What the core tells the facade. The truth is `src/engine/notice.rs`; this is its mirror. */
export type Notice =
  | ({ readonly type: 'connection' } & ConnectionNotice)
  | {
      readonly type: 'discarded';
      readonly clientMsgId: string;
      readonly outcome: DiscardOutcome;
    }
  | {
      readonly type: 'inbox';
      readonly threads: readonly InboxThread[];
      readonly isCurrent: boolean;
    }
  | { readonly type: 'message'; readonly threadId: string; readonly message: Message }
  | {
      readonly type: 'settled';
      readonly clientMsgId: string;
      readonly durability?: Durability;
      readonly code?: string;
    }
  | ({ readonly type: 'thread' } & ThreadDelta)
  | { readonly type: 'tokenWanted'; readonly attempt: number };

/** The state of the connection, the queue and the storage. */
export interface ConnectionNotice {
  readonly userId: string;
  readonly state: Exclude<ConnectionState, 'failed'>;
  readonly reason?: Exclude<ConnectionReason, 'panic'>;
  readonly closeCode?: number;
  readonly transport?: Transport;
  readonly nextAttemptAt?: number;
  readonly queueLength: number;
  readonly storage: Durability;
  readonly storageReason?: string;
}

/**
 * What changed in a thread: forget `removed`, take `upserted`, then in the list of ids delete
 * `deleteCount` at `at` and insert `insert` there.
 */
export interface ThreadDelta {
  readonly threadId: string;
  readonly removed: readonly string[];
  readonly upserted: readonly Message[];
  readonly splice?: {
    readonly at: number;
    readonly deleteCount: number;
    readonly insert: readonly string[];
  };
  readonly meta?: ThreadMeta;
}

/** Everything about a thread but its messages. */
export interface ThreadMeta {
  readonly syncState: SyncState;
  readonly isLoaded: boolean;
  readonly hasOlder: boolean;
  readonly isLoadingOlder: boolean;
  readonly hasGap: boolean;
  readonly lastServerMsgId?: string;
  readonly unavailable?: string;
  readonly partners: readonly Partner[];
}
