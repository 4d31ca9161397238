//! What the application is told, in the spelling of JavaScript.
//!
//! This is the one place where `snake_case` becomes `camelCase`.

use std::sync::Arc;

use rejoinder_protocol::{
    Attachment, ClientMsgId, ErrorCode, SequenceNumber, ServerMsgId, ThreadId, ThreadSummary,
    UnixMillis, UserId,
};
use serde::{Serialize, Serializer};

use super::transport::Transport;

/// News for the application.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(
    tag = "type",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum Notice {
    /// The state of the connection, the queue or the storage changed.
    Connection(ConnectionNotice),
    /// What became of a discarded message.
    Discarded {
        /// The message.
        client_msg_id: ClientMsgId,
        /// What became of it.
        outcome: DiscardOutcome,
    },
    /// The list of threads changed.
    Inbox {
        /// The latest changed first.
        threads: Vec<InboxThread>,
        /// Whether the gateway has confirmed the list on this connection.
        is_current: bool,
    },
    /// A message was confirmed as the cursor advanced. Once per message; never for optimistic
    /// ones, the cache, history or a first window.
    Message {
        /// The thread.
        thread_id: ThreadId,
        /// The message.
        message: Row,
    },
    /// `sendMessage` is answered.
    Settled {
        /// The message.
        client_msg_id: ClientMsgId,
        /// Where it is safe, or why it was not taken.
        #[serde(flatten)]
        result: SendResult,
    },
    /// A thread changed.
    Thread(ThreadDelta),
}

/// The state of the connection, the queue and the storage.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConnectionNotice {
    /// The user of this engine.
    pub user_id: UserId,
    /// Where the connection stands.
    pub state: ConnectionState,
    /// Why it is not connected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// The close code behind `reason`, if the gateway or the browser gave one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub close_code: Option<u16>,
    /// By which way, while connected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transport: Option<Transport>,
    /// When the next attempt begins, by the device's clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_attempt_at: Option<UnixMillis>,
    /// Messages that are not acknowledged, failed ones included.
    pub queue_length: usize,
    /// Where messages are kept until they are acknowledged.
    pub storage: Durability,
    /// Why they are kept in memory only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage_reason: Option<&'static str>,
}

/// Where the connection stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConnectionState {
    /// Not wanted.
    Idle,
    /// An attempt is under way.
    Connecting,
    /// Welcomed by the gateway.
    Connected,
    /// Waiting for the next attempt.
    Waiting,
    /// Two tokens in a row were refused: `connect` with a new one. The queue is intact.
    AuthRequired,
    /// The token belongs to another user. The queue is intact.
    WrongUser,
    /// The gateway said that trying again cannot help. The queue is intact.
    Stopped,
}

/// Why there is no connection; or, with [`Reason::NoToken`], why there soon may be none.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// The gateway closed the connection, see the close code.
    Closed,
    /// The application has no token now.
    NoToken,
    /// The gateway did not answer.
    Silent,
    /// The socket was lost, or could not be opened.
    Unreachable,
    /// Something that does not speak the protocol answered.
    NotAGateway,
    /// The database was restored or another tab saw another history.
    EpochChanged,
    /// The gateway says that the token has expired.
    TokenExpired,
    /// The gateway says that the token is not valid.
    TokenRefused,
}

/// Whether something survives the end of the page.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Durability {
    /// It is in the browser's storage.
    Disk,
    /// It is in memory only.
    Memory,
}

/// The answer to `sendMessage`.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
pub enum SendResult {
    /// The message is taken.
    Taken {
        /// Where it is safe.
        durability: Durability,
    },
    /// Nothing was queued.
    Refused {
        /// Why.
        code: SendRefusal,
    },
}

/// Why a message was not queued.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SendRefusal {
    /// It breaks a rule, for example it is empty.
    Invalid,
    /// It is longer than a limit.
    TooLarge,
    /// Too many messages wait already.
    OutboxFull,
    /// The key was used before.
    IdConflict,
    /// The user logged out.
    LoggedOut,
}

/// What became of a discarded message.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DiscardOutcome {
    /// It was never sent and is gone.
    Discarded,
    /// It may have been stored; `cancelled` or `sent` follows.
    MaybeSent,
    /// The gateway voided it: it was not stored and never will be.
    Cancelled,
    /// It was stored before it could be voided.
    Sent,
    /// No such message waits, or the gateway no longer says what became of it.
    Unknown,
}

/// A message as it is shown.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    /// Stable from the first render to the end: the `client_msg_id` of one's own messages, the
    /// `server_msg_id` of others'.
    pub id: Arc<str>,
    /// The idempotency key.
    pub client_msg_id: ClientMsgId,
    /// The store's identity, once it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_msg_id: Option<ServerMsgId>,
    /// The place in the thread, once it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sequence_number: Option<SequenceNumber>,
    /// Who wrote it.
    pub sender_id: UserId,
    /// Whether that is the user of this engine.
    pub is_own: bool,
    /// The text.
    pub body: String,
    /// The attachments.
    #[serde(serialize_with = "shown_attachments")]
    pub attachments: Vec<Attachment>,
    /// When it was committed; until then, when the user sent it by the device's clock.
    pub sent_at: UnixMillis,
    /// When it was last edited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub edited_at: Option<UnixMillis>,
    /// Whether it was deleted.
    pub is_deleted: bool,
    /// Where it stands on its way.
    pub delivery: Delivery,
}

/// On the wire and in storage attachments are spelled as everything is there.
fn shown_attachments<S: Serializer>(all: &[Attachment], serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Shown<'a> {
        name: &'a str,
        mime_type: &'a str,
        size_bytes: u64,
        url: &'a str,
    }
    serializer.collect_seq(all.iter().map(|one| Shown {
        name: &one.name,
        mime_type: &one.mime_type,
        size_bytes: one.size_bytes,
        url: &one.url,
    }))
}

/// Where a message stands on its way.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(
    tag = "status",
    rename_all = "kebab-case",
    rename_all_fields = "camelCase"
)]
pub enum Delivery {
    /// It waits for the gateway.
    Queued {
        /// Where it is safe; absent while that is being found out.
        #[serde(skip_serializing_if = "Option::is_none")]
        durability: Option<Durability>,
        /// The failed message that must be retried or discarded first.
        #[serde(skip_serializing_if = "Option::is_none")]
        blocked_by: Option<ClientMsgId>,
    },
    /// The gateway has stored it.
    Sent,
    /// The gateway refused it for good.
    Failed {
        /// Why.
        code: ErrorCode,
    },
    /// It was discarded after it may have been sent; the gateway is asked.
    Cancelling,
}

/// What changed in a thread since the last delta.
///
/// Applied in this order: forget `removed`, replace or add `upserted`, then in the list of ids
/// delete `delete_count` at `at` and insert `insert` there.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ThreadDelta {
    /// The thread.
    pub thread_id: ThreadId,
    /// Rows that are no longer shown.
    pub removed: Vec<Arc<str>>,
    /// Rows that are new or changed.
    pub upserted: Vec<Row>,
    /// How the list of ids changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub splice: Option<Splice>,
    /// Everything about the thread but its messages; absent if it is as before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meta: Option<ThreadMeta>,
}

/// How a list of ids changed.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Splice {
    /// Where.
    pub at: usize,
    /// How many ids go.
    pub delete_count: usize,
    /// The ids that come.
    pub insert: Vec<Arc<str>>,
}

/// Everything about a thread but its messages.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ThreadMeta {
    /// How fresh the thread is.
    pub sync_state: SyncState,
    /// Whether the stored part has been read: until then an empty list means nothing.
    pub is_loaded: bool,
    /// Whether older messages exist.
    pub has_older: bool,
    /// Whether older messages are being fetched.
    pub is_loading_older: bool,
    /// Whether a hole is known that is being filled.
    pub has_gap: bool,
    /// The newest confirmed message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_server_msg_id: Option<ServerMsgId>,
    /// Why the gateway does not let the user see the thread.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unavailable: Option<ErrorCode>,
    /// Everybody else who takes part.
    pub partners: Vec<Partner>,
}

/// How fresh a thread is.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SyncState {
    /// Not connected: what is shown may be old.
    Connecting,
    /// Changes are being fetched.
    CatchingUp,
    /// Nothing is missing.
    Live,
}

/// Somebody else who takes part.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Partner {
    /// Who.
    pub user_id: UserId,
    /// Whether they are writing.
    pub is_typing: bool,
    /// Whether they are online.
    pub presence: PartnerPresence,
    /// When they were last seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_seen_at: Option<UnixMillis>,
}

/// Whether somebody is online.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PartnerPresence {
    /// At least one device is connected.
    Online,
    /// None is.
    Offline,
    /// We are not connected ourselves, or were not told.
    #[default]
    Unknown,
}

/// A thread in the list of threads.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct InboxThread {
    /// The thread.
    pub thread_id: ThreadId,
    /// Everybody else who takes part.
    pub partner_ids: Vec<UserId>,
    /// The newest message's place; 0 if there is none.
    pub sequence_number: SequenceNumber,
    /// The newest message, shortened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preview: Option<InboxPreview>,
}

/// The beginning of a message.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct InboxPreview {
    /// Who wrote it.
    pub sender_id: UserId,
    /// The beginning of the text.
    pub body: String,
    /// When it was committed.
    pub sent_at: UnixMillis,
}

impl InboxThread {
    pub(crate) fn new(summary: &ThreadSummary, user_id: &UserId) -> Self {
        let partner_ids = summary
            .participants
            .iter()
            .filter(|id| *id != user_id)
            .cloned()
            .collect();
        Self {
            thread_id: summary.thread_id.clone(),
            partner_ids,
            sequence_number: summary.sequence_number,
            preview: summary.preview.clone().map(|preview| InboxPreview {
                sender_id: preview.sender_id,
                body: preview.body,
                sent_at: preview.sent_at,
            }),
        }
    }
}
