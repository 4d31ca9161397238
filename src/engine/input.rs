//! All that can happen to an engine.

use rejoinder_protocol::{
    Attachment, ClientFrame, ClientMsgId, SequenceNumber, ThreadId, Token, UserId,
};

use super::stored::{Answer, EntryRecord, OrderNumber, ThreadLoad};

/// Names one attempt to connect. What belongs to an older attempt is dropped.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct Attempt(pub u64);

/// Names one write to the browser's storage.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct WriteId(pub u64);

/// The close code of a connection that ended without one, as browsers report it (RFC 6455, section
/// 7.1.5).
pub const NO_CLOSE_CODE: u16 = 1006;

/// Something that happened.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Input {
    /// A request of a connection without a socket is answered by this frame; it says nothing about the
    /// connection itself.
    Answer {
        /// Of which connection.
        attempt: Attempt,
        /// The frame.
        text: String,
    },
    /// The application wants something.
    App(AppInput),
    /// The socket holds so many bytes that are not sent yet.
    Buffered {
        /// Whose socket.
        attempt: Attempt,
        /// How many.
        bytes: u32,
    },
    /// A text frame arrived.
    Frame {
        /// On whose socket.
        attempt: Attempt,
        /// The frame.
        text: String,
    },
    /// The gateway gave a sign of life that is no frame.
    Heard {
        /// On whose connection.
        attempt: Attempt,
    },
    /// The page or the network changed.
    Lifecycle(Lifecycle),
    /// Answer to [`Effect::LoadOutbox`](super::Effect::LoadOutbox).
    OutboxLoaded(Result<OutboxLoad, StorageFailure>),
    /// A request of a connection without a socket was refused as a whole, by the gateway or by
    /// something on the way to it; that says nothing about the connection itself.
    Refused {
        /// Of which connection.
        attempt: Attempt,
        /// What was said by it.
        frame: ClientFrame,
        /// Not before so many milliseconds again, if that was said.
        retry_after_ms: Option<u64>,
    },
    /// The socket is closed or could not be opened.
    SocketClosed {
        /// Whose socket.
        attempt: Attempt,
        /// The close code; [`NO_CLOSE_CODE`] if there was none.
        code: u16,
        /// Not before so many milliseconds again, if that was said otherwise than by `goodbye`.
        retry_after_ms: Option<u64>,
    },
    /// Answer to [`Effect::OpenSocket`](super::Effect::OpenSocket): it is open.
    SocketOpened {
        /// Whose socket.
        attempt: Attempt,
    },
    /// Answer to [`Effect::Persist`](super::Effect::Persist).
    Stored {
        /// Which write.
        write_id: WriteId,
        /// What became of it.
        result: StoredResult,
    },
    /// Answer to [`Effect::LoadThread`](super::Effect::LoadThread).
    ThreadLoaded {
        /// The thread.
        thread_id: ThreadId,
        /// What was asked for.
        before: Option<SequenceNumber>,
        /// What is stored.
        result: Result<ThreadLoad, StorageFailure>,
    },
    /// Answer to [`Effect::RequestToken`](super::Effect::RequestToken).
    Token {
        /// For which attempt.
        attempt: Attempt,
        /// The token, or none if the application has none now.
        token: Option<TokenInput>,
    },
    /// A request of a connection without a socket brought no answer.
    Unanswered {
        /// Of which connection.
        attempt: Attempt,
        /// What was said by it.
        frame: ClientFrame,
    },
    /// The moment of [`Engine::next_wakeup`](super::Engine::next_wakeup) has come.
    Woke,
}

/// What the application wants.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum AppInput {
    /// Stop showing a thread; it stays subscribed while its outbox holds messages.
    CloseThread {
        /// The thread.
        thread_id: ThreadId,
    },
    /// Be connected from now on.
    Connect,
    /// Take a message back.
    Discard {
        /// The message.
        client_msg_id: ClientMsgId,
    },
    /// Be disconnected until the next `Connect`. The outbox stays.
    Disconnect,
    /// Show older messages of an open thread.
    LoadOlder {
        /// The thread.
        thread_id: ThreadId,
    },
    /// Disconnect and forget everything stored for this user on this device.
    Logout,
    /// Show a thread.
    OpenThread {
        /// The thread.
        thread_id: ThreadId,
    },
    /// Try a failed message again.
    Retry {
        /// The message.
        client_msg_id: ClientMsgId,
    },
    /// Send a message. Answered by [`Notice::Settled`](super::Notice::Settled).
    Send {
        /// The thread.
        thread_id: ThreadId,
        /// A new UUIDv7.
        client_msg_id: ClientMsgId,
        /// The text.
        body: String,
        /// The attachments.
        attachments: Vec<Attachment>,
    },
    /// The user is writing, or stopped.
    SetTyping {
        /// The thread.
        thread_id: ThreadId,
        /// Which of the two.
        is_typing: bool,
    },
    /// Keep the list of threads up to date from now on.
    WatchInbox,
}

/// A hint from the page or the network. None of them proves anything.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Lifecycle {
    /// The page is about to be frozen or closed.
    Hidden,
    /// The browser believes that there is no network.
    Offline,
    /// The browser believes that there is a network.
    Online,
    /// The page is visible again, was restored, or resumed after a freeze.
    Visible,
}

/// A token, and what can be read of it without the key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TokenInput {
    /// The token.
    pub token: Token,
    /// Who it says it is for; unverified.
    pub subject: Option<UserId>,
}

/// The outbox as it is stored.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct OutboxLoad {
    /// The rows, by rising order.
    pub entries: Vec<(OrderNumber, EntryRecord)>,
    /// How many rows could not be read and were left alone.
    pub unreadable: usize,
}

/// What became of a write.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum StoredResult {
    /// The transaction is complete.
    Committed {
        /// What it told.
        answer: Answer,
        /// The key of the row that it added.
        added: Option<OrderNumber>,
    },
    /// Storage did not take it.
    Failed(StorageFailure),
    /// Another engine changed the thread; nothing was written.
    Refused,
}

/// Why the browser's storage did not do its work.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum StorageFailure {
    /// The transaction was aborted, for whatever reason.
    Aborted,
    /// The connection to the database is lost and could not be opened again.
    Closed,
    /// The disk or the origin's share of it is full.
    Quota,
    /// The browser offers no storage, for example in a private window.
    Unavailable,
    /// A newer version of the client holds the database.
    VersionTooNew,
}

impl StorageFailure {
    /// Returns the name that the application sees.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Aborted => "aborted",
            Self::Closed => "closed",
            Self::Quota => "quota",
            Self::Unavailable => "unavailable",
            Self::VersionTooNew => "version_too_new",
        }
    }
}
