//! What a gateway says.

use serde::{Deserialize, Serialize};

use crate::{
    ClientFrameType, ClientMsgId, Cursor, Epoch, ErrorCode, Limits, Message, Object, Revision,
    SequenceNumber, ServerMsgId, SessionId, ThreadId, ThreadSummary, UnixMillis, UserId,
};

/// A frame from a gateway. The list is closed; a client ignores a type it does not know.
#[derive(Clone, Debug, Eq, PartialEq, Deserialize, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ServerFrame {
    /// A message is stored.
    Ack(Ack),
    /// A newer token was accepted.
    Authenticated(Authenticated),
    /// A key is void for ever.
    Cancelled(Cancelled),
    /// A live change.
    Change(Change),
    /// A frame was refused.
    Error(ErrorFrame),
    /// The last frame before the gateway closes the connection.
    Goodbye(Goodbye),
    /// Older messages.
    History(HistoryPage),
    /// A page of the user's threads.
    Inbox(InboxPage),
    /// The subscription has caught up.
    Live(Live),
    /// Changes of a catch-up.
    Page(Page),
    /// "Are you there?" Answered by `pong`.
    Ping,
    /// The answer to a `ping`.
    Pong,
    /// Whether somebody is online.
    Presence(Presence),
    /// The user is no longer part of a thread.
    Removed(Removed),
    /// The client's state of a thread cannot be continued; here is the newest.
    Reset(Reset),
    /// A thread of the user has a newer message or was begun.
    Thread(ThreadSummary),
    /// Somebody is writing.
    Typing(TypingNotice),
    /// The answer to `hello`.
    Welcome(Welcome),
    /// A frame of a later version, to be ignored.
    #[serde(other)]
    Unknown,
}

/// The answer to `hello`.
#[derive(Clone, Debug, Eq, PartialEq, Deserialize, Serialize)]
pub struct Welcome {
    /// Who the token says the user is.
    pub user_id: UserId,
    /// This connection's name in the gateway's log.
    pub session_id: SessionId,
    /// The database history that all numbers of this connection belong to.
    pub epoch: Epoch,
    /// The gateway's clock, for display, and to count from to `token_expires_at`.
    pub server_time: UnixMillis,
    /// When the token expires, by the same clock; `None`: never, or an older gateway that does not
    /// tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_expires_at: Option<UnixMillis>,
    /// How liveness is kept.
    pub heartbeat: Heartbeat,
    /// What the gateway accepts.
    pub limits: Limits,
}

/// How liveness is kept.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Deserialize, Serialize)]
pub struct Heartbeat {
    /// The gateway pings this often, in milliseconds.
    pub interval_ms: u64,
    /// A client that sends nothing for this long is closed with `idle`, in milliseconds.
    pub idle_ms: u64,
}

/// A newer token was accepted.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Deserialize, Serialize)]
pub struct Authenticated {
    /// When it expires.
    pub expires_at: UnixMillis,
}

/// Changes of a catch-up, each object once, in its latest state, by rising revision.
#[derive(Clone, Debug, Eq, PartialEq, Deserialize, Serialize)]
pub struct Page {
    /// The thread.
    pub thread_id: ThreadId,
    /// The page covers the changes after this one …
    pub from_revision: Revision,
    /// … up to and including this one.
    pub to_revision: Revision,
    /// The newest change when the page was read.
    pub head_revision: Revision,
    /// The objects whose last change lies in the range.
    pub changes: Vec<Object>,
    /// Whether another page follows.
    pub more: bool,
}

/// The subscription has caught up; from here on `change`s follow one by one.
#[derive(Clone, Debug, Eq, PartialEq, Deserialize, Serialize)]
pub struct Live {
    /// The thread.
    pub thread_id: ThreadId,
    /// The next `change` has the revision after this one.
    pub revision: Revision,
}

/// A live change.
#[derive(Clone, Debug, Eq, PartialEq, Deserialize, Serialize)]
pub struct Change {
    /// The thread.
    pub thread_id: ThreadId,
    /// Its number, one more than the last.
    pub revision: Revision,
    /// The object in its latest state.
    pub object: Object,
}

/// The client's state of a thread cannot be continued; here is the newest.
#[derive(Clone, Debug, Eq, PartialEq, Deserialize, Serialize)]
pub struct Reset {
    /// The thread.
    pub thread_id: ThreadId,
    /// The database history of `head_revision`.
    pub epoch: Epoch,
    /// The newest change; the client's new cursor.
    pub head_revision: Revision,
    /// The newest messages, at most 50, by rising place, and all participants.
    pub window: Vec<Object>,
    /// Whether messages exist below the window.
    pub has_older: bool,
    /// The cursor that this answers; absent if the client had none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answers: Option<Cursor>,
}

/// Older messages, by rising place, ending right below the place asked for.
#[derive(Clone, Debug, Eq, PartialEq, Deserialize, Serialize)]
pub struct HistoryPage {
    /// The thread.
    pub thread_id: ThreadId,
    /// What was asked for.
    pub before_sequence_number: SequenceNumber,
    /// The database history of `as_of`.
    pub epoch: Epoch,
    /// The newest change when the messages were read.
    pub as_of: Revision,
    /// The messages.
    pub messages: Vec<Message>,
    /// Whether older ones exist.
    pub has_older: bool,
}

/// A page of the user's threads, the latest changed first.
#[derive(Clone, Debug, Eq, PartialEq, Deserialize, Serialize)]
pub struct InboxPage {
    /// The threads.
    pub threads: Vec<ThreadSummary>,
    /// Where the next page begins; absent at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// The user is no longer part of a thread.
#[derive(Clone, Debug, Eq, PartialEq, Deserialize, Serialize)]
pub struct Removed {
    /// The thread.
    pub thread_id: ThreadId,
}

/// A message is stored, and survives the loss of the gateway.
#[derive(Clone, Debug, Eq, PartialEq, Deserialize, Serialize)]
pub struct Ack {
    /// The thread.
    pub thread_id: ThreadId,
    /// The key.
    pub client_msg_id: ClientMsgId,
    /// The message's identity.
    pub server_msg_id: ServerMsgId,
    /// Its place.
    pub sequence_number: SequenceNumber,
    /// The change that brought it.
    pub revision: Revision,
    /// When it was committed.
    pub sent_at: UnixMillis,
    /// Whether it was stored by an earlier attempt; the numbers are the original ones.
    pub duplicate: bool,
}

/// A key is void for ever: its message was not stored and never will be.
#[derive(Clone, Debug, Eq, PartialEq, Deserialize, Serialize)]
pub struct Cancelled {
    /// The thread.
    pub thread_id: ThreadId,
    /// The key.
    pub client_msg_id: ClientMsgId,
}

/// A frame was refused; the connection lives on.
#[derive(Clone, Debug, Eq, PartialEq, Deserialize, Serialize)]
pub struct ErrorFrame {
    /// Which frame; absent if it could not be read that far.
    #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<ErrorRef>,
    /// Why.
    pub code: ErrorCode,
    /// Not before so many milliseconds again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

/// Which frame was refused.
#[derive(Clone, Debug, Eq, PartialEq, Deserialize, Serialize)]
pub struct ErrorRef {
    /// Its type.
    #[serde(rename = "type")]
    pub frame_type: ClientFrameType,
    /// Its thread, if it named a readable one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread_id: Option<ThreadId>,
    /// Its key, if it named a readable one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_msg_id: Option<ClientMsgId>,
}

/// Somebody is writing.
#[derive(Clone, Debug, Eq, PartialEq, Deserialize, Serialize)]
pub struct TypingNotice {
    /// The thread.
    pub thread_id: ThreadId,
    /// Who.
    pub user_id: UserId,
    /// `true` expires by itself after some seconds; `false` ends it early.
    pub is_typing: bool,
}

/// Whether somebody is online.
#[derive(Clone, Debug, Eq, PartialEq, Deserialize, Serialize)]
pub struct Presence {
    /// Who.
    pub user_id: UserId,
    /// Whether.
    pub state: PresenceState,
    /// When they were last seen; only beside `offline`, and only if ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_seen_at: Option<UnixMillis>,
}

/// Whether somebody is online. A gateway never sends `unknown`.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PresenceState {
    /// At least one device is connected.
    Online,
    /// None is.
    Offline,
    /// A state of a later version: nothing is known.
    #[serde(other)]
    Unknown,
}

/// The last frame before the gateway closes the connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Deserialize, Serialize)]
pub struct Goodbye {
    /// The close code that follows; see [`CloseCode`](crate::CloseCode).
    pub code: u16,
    /// Not before so many milliseconds again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}
