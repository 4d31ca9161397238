export { DmClient } from './client.js';
export { RejoinderError, type RejoinderErrorCode } from './errors.js';
export type { DmListener } from './events.js';
export type { WasmSource } from './load.js';
export { createClient, getWebSocketClient } from './shared.js';
export type {
  Attachment,
  ConnectionReason,
  ConnectionSnapshot,
  ConnectionState,
  Delivery,
  DiscardedEvent,
  DiscardOutcome,
  DmClientOptions,
  DmEvents,
  DmThread,
  Durability,
  InboxPreview,
  InboxSnapshot,
  InboxThread,
  Message,
  MessageEvent,
  Partner,
  PartnerPresence,
  SentMessage,
  SyncState,
  ThreadSnapshot,
  TokenSource,
  Transport,
  Watchable,
} from './types.js';
