//! What a client says.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Attachment, ClientMsgId, Revision, SequenceNumber, Since, ThreadId};

/// A frame from a client. The list is closed; see `docs/protocol.md` for each answer.
#[derive(Clone, Debug, Eq, PartialEq, Deserialize, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ClientFrame {
    /// A newer token for the same user. Answered by `authenticated`.
    Auth(Auth),
    /// Void a key, or learn that its message was stored. Answered by `cancelled` or `ack`.
    Cancel(Cancel),
    /// The first frame. Answered by `welcome`.
    Hello(Hello),
    /// Older messages. Answered by `history`.
    History(HistoryRequest),
    /// A page of the user's threads. Answered by `inbox`.
    Inbox(InboxRequest),
    /// "Are you there?" Answered by `pong`.
    Ping,
    /// The answer to a `ping`.
    Pong,
    /// A message. Answered by `ack`.
    Send(Send),
    /// Catch up with a thread, then stay live. Answered by `page`s or `reset`, then `live`.
    Subscribe(Subscribe),
    /// Read changes without subscribing. Answered by one `page` or `reset`.
    Sync(Sync),
    /// "I am writing" or "I stopped". Not answered.
    Typing(Typing),
    /// Stop receiving a thread. Not answered.
    Unsubscribe(Unsubscribe),
}

impl ClientFrame {
    /// Returns the frame's type.
    #[must_use]
    pub fn frame_type(&self) -> ClientFrameType {
        match self {
            Self::Auth(_) => ClientFrameType::Auth,
            Self::Cancel(_) => ClientFrameType::Cancel,
            Self::Hello(_) => ClientFrameType::Hello,
            Self::History(_) => ClientFrameType::History,
            Self::Inbox(_) => ClientFrameType::Inbox,
            Self::Ping => ClientFrameType::Ping,
            Self::Pong => ClientFrameType::Pong,
            Self::Send(_) => ClientFrameType::Send,
            Self::Subscribe(_) => ClientFrameType::Subscribe,
            Self::Sync(_) => ClientFrameType::Sync,
            Self::Typing(_) => ClientFrameType::Typing,
            Self::Unsubscribe(_) => ClientFrameType::Unsubscribe,
        }
    }
}

/// The `type` of a client's frame, as an `error` refers to it.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(
    missing_docs,
    reason = "each is the type of the frame of the same name"
)]
pub enum ClientFrameType {
    Auth,
    Cancel,
    Hello,
    History,
    Inbox,
    Ping,
    Pong,
    Send,
    Subscribe,
    Sync,
    Typing,
    Unsubscribe,
    /// A type that the receiver does not know.
    #[serde(other)]
    Unknown,
}

/// A secret that proves who the user is. It never shows in `Debug` output.
#[derive(Clone, Eq, PartialEq, Deserialize, Serialize)]
#[serde(transparent)]
pub struct Token(String);

impl Token {
    /// Wraps a token.
    #[must_use]
    pub fn new(secret: String) -> Self {
        Self(secret)
    }

    /// Returns the secret, for the one who verifies or transmits it.
    #[must_use]
    pub fn secret(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Token(..)")
    }
}

/// The first frame: who I am, and where I stood.
#[derive(Clone, Debug, Eq, PartialEq, Deserialize, Serialize)]
pub struct Hello {
    /// The version the client speaks.
    pub protocol_version: u32,
    /// Proof of who the user is.
    pub token: Token,
    /// Threads to subscribe at once, at most 64.
    #[serde(default)]
    pub resume: Vec<Resume>,
}

/// `hello` as the body of a request for a stream. What is missing, the token, is in the request's
/// head, `Authorization`.
#[derive(Clone, Debug, Eq, PartialEq, Deserialize, Serialize)]
#[serde(tag = "type", rename = "hello")]
pub struct StreamHello {
    /// The version the client speaks.
    pub protocol_version: u32,
    /// Threads to subscribe, at most [`STREAM_THREADS_MAX`](crate::STREAM_THREADS_MAX): no
    /// `subscribe` follows.
    #[serde(default)]
    pub resume: Vec<Resume>,
}

/// One thread of `hello.resume`; means the same as a `subscribe` of it.
#[derive(Clone, Debug, Eq, PartialEq, Deserialize, Serialize)]
pub struct Resume {
    /// The thread.
    pub thread_id: ThreadId,
    /// Where the client stands.
    #[serde(flatten)]
    pub since: Since,
}

/// A newer token for the same user.
#[derive(Clone, Debug, Eq, PartialEq, Deserialize, Serialize)]
pub struct Auth {
    /// Proof of who the user is.
    pub token: Token,
}

/// Catch up with a thread, then stay live.
#[derive(Clone, Debug, Eq, PartialEq, Deserialize, Serialize)]
pub struct Subscribe {
    /// The thread.
    pub thread_id: ThreadId,
    /// Where the client stands.
    #[serde(flatten)]
    pub since: Since,
}

/// Stop receiving a thread.
#[derive(Clone, Debug, Eq, PartialEq, Deserialize, Serialize)]
pub struct Unsubscribe {
    /// The thread.
    pub thread_id: ThreadId,
}

/// Read changes without subscribing.
#[derive(Clone, Debug, Eq, PartialEq, Deserialize, Serialize)]
pub struct Sync {
    /// The thread.
    pub thread_id: ThreadId,
    /// Where the client stands.
    #[serde(flatten)]
    pub since: Since,
    /// The last change wanted; absent: the head.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_revision: Option<Revision>,
}

/// Ask for messages older than one.
#[derive(Clone, Debug, Eq, PartialEq, Deserialize, Serialize)]
pub struct HistoryRequest {
    /// The thread.
    pub thread_id: ThreadId,
    /// Messages below this place are wanted.
    pub before_sequence_number: SequenceNumber,
    /// How many at most; held to 1..=200.
    pub limit: u32,
}

/// Ask for the user's threads, the latest changed first.
#[derive(Clone, Debug, Eq, PartialEq, Deserialize, Serialize)]
pub struct InboxRequest {
    /// How many at most; held to 1..=200.
    pub limit: u32,
    /// The opaque `next` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
}

/// A message.
#[derive(Clone, Debug, Eq, PartialEq, Deserialize, Serialize)]
pub struct Send {
    /// The thread.
    pub thread_id: ThreadId,
    /// Its idempotency key.
    pub client_msg_id: ClientMsgId,
    /// Its text.
    pub body: String,
    /// Its attachments.
    #[serde(default)]
    pub attachments: Vec<Attachment>,
}

/// Void a key, so that its message can never be stored, or learn that it was.
#[derive(Clone, Debug, Eq, PartialEq, Deserialize, Serialize)]
pub struct Cancel {
    /// The thread.
    pub thread_id: ThreadId,
    /// The key.
    pub client_msg_id: ClientMsgId,
}

/// Whether the user is writing in a thread.
#[derive(Clone, Debug, Eq, PartialEq, Deserialize, Serialize)]
pub struct Typing {
    /// The thread.
    pub thread_id: ThreadId,
    /// `true` is a lease of some seconds, to be renewed; `false` ends it early.
    pub is_typing: bool,
}
