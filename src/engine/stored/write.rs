//! The vocabulary of the browser's transactions: what is to be written, what must be read for it,
//! and what comes of it.

use rejoinder_protocol::{ClientMsgId, Epoch, ErrorCode, Message, Participant, Revision, ThreadId};

use super::record::{EntryRecord, OrderNumber};

/// One atomic change of the browser's database.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Write {
    /// Add a message to the outbox. Answered by [`Answer::Enqueued`].
    Enqueue {
        /// The row.
        entry: EntryRecord,
        /// The engine knows of all rows up to this one.
        seen: OrderNumber,
    },
    /// Before the first transmit: check that the row exists and set `attempted`. Answered by
    /// [`Answer::Attempted`].
    MarkAttempted {
        /// The row.
        client_msg_id: ClientMsgId,
        /// The engine knows of all rows up to this one.
        seen: OrderNumber,
    },
    /// Delete a row that was never attempted, or store the wish to cancel it. Answered by
    /// [`Answer::Deleted`], [`Answer::MaybeSent`] or [`Answer::Absent`].
    Discard {
        /// The row.
        client_msg_id: ClientMsgId,
    },
    /// Store, or forget, that a message was refused for good.
    SetFailed {
        /// The row.
        client_msg_id: ClientMsgId,
        /// Why; `None` if the user tries again.
        code: Option<ErrorCode>,
    },
    /// Delete rows whose fate is known.
    DeleteEntries {
        /// The rows.
        client_msg_ids: Vec<ClientMsgId>,
    },
    /// Changes in `(from, to]`, merged into what is stored.
    Advance(Advance),
    /// Messages right below the oldest stored one.
    History(History),
    /// Everything stored of the thread is replaced.
    Reset(Reset),
    /// The user is no longer part of the thread.
    RemoveThread {
        /// The thread.
        thread_id: ThreadId,
        /// Own messages that were acknowledged.
        settled: Vec<ClientMsgId>,
    },
}

impl Write {
    /// Returns the rows of the outbox that it deletes whatever it finds.
    #[must_use]
    pub fn deleted_rows(&self) -> &[ClientMsgId] {
        match self {
            Self::DeleteEntries { client_msg_ids } => client_msg_ids,
            Self::Advance(Advance { settled, .. })
            | Self::Reset(Reset { settled, .. })
            | Self::RemoveThread { settled, .. } => settled,
            Self::Enqueue { .. }
            | Self::MarkAttempted { .. }
            | Self::Discard { .. }
            | Self::SetFailed { .. }
            | Self::History(_) => &[],
        }
    }
}

/// Changes in `(from, to]`, merged into what is stored.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Advance {
    /// The thread.
    pub thread_id: ThreadId,
    /// The history that the numbers belong to.
    pub epoch: Epoch,
    /// The count that the engine loaded or wrote.
    pub reset_count: u64,
    /// The engine's cursor before.
    pub from: Revision,
    /// The engine's cursor after.
    pub to: Revision,
    /// The messages that changed.
    pub messages: Vec<Message>,
    /// The participants that changed.
    pub participants: Vec<Participant>,
    /// Own messages that are now stored as confirmed.
    pub settled: Vec<ClientMsgId>,
}

/// Messages right below the oldest stored one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct History {
    /// The thread.
    pub thread_id: ThreadId,
    /// The history that the numbers belong to.
    pub epoch: Epoch,
    /// The count that the engine loaded or wrote.
    pub reset_count: u64,
    /// The head when the gateway read them.
    pub as_of: Revision,
    /// By rising place.
    pub messages: Vec<Message>,
}

/// Everything stored of the thread is replaced.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Reset {
    /// The thread.
    pub thread_id: ThreadId,
    /// What the engine believes is stored; `None` if nothing.
    pub expected: Option<(Epoch, u64)>,
    /// The engine's cursor before.
    pub from: Revision,
    /// The new history.
    pub epoch: Epoch,
    /// The new cursor.
    pub head: Revision,
    /// By rising place.
    pub messages: Vec<Message>,
    /// Everybody.
    pub participants: Vec<Participant>,
    /// Own messages that are now stored as confirmed, or lie below the window.
    pub settled: Vec<ClientMsgId>,
}

/// What a transaction has to read before it can decide.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Needs {
    /// All rows of the outbox, with their keys.
    pub outbox: bool,
    /// This thread's cursor and participants.
    pub thread: Option<ThreadId>,
    /// These buckets of the thread.
    pub buckets: Vec<u64>,
    /// Whether the write must survive a power loss. What the gateway also has need not.
    pub strict: bool,
}

/// What the transaction read.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Found {
    /// The outbox, by rising key.
    pub outbox: Vec<(u64, Vec<u8>)>,
    /// The thread's cursor.
    pub cursor: Option<Vec<u8>>,
    /// The thread's participants.
    pub participants: Option<Vec<u8>>,
    /// The buckets that exist among those asked for.
    pub buckets: Vec<(u64, Vec<u8>)>,
}

/// What the transaction writes.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Changes {
    /// A row to add to the outbox; its new key belongs into the answer to the engine.
    pub outbox_add: Option<Vec<u8>>,
    /// Rows to replace.
    pub outbox_put: Vec<(u64, Vec<u8>)>,
    /// Rows to delete.
    pub outbox_delete: Vec<u64>,
    /// The thread that the rest is about.
    pub thread: Option<ThreadId>,
    /// Whether cursor, participants and all buckets of the thread are deleted first.
    pub clear_thread: bool,
    /// The cursor to put.
    pub cursor: Option<Vec<u8>>,
    /// The participants to put.
    pub participants: Option<Vec<u8>>,
    /// The buckets to put.
    pub buckets: Vec<(u64, Vec<u8>)>,
    /// What to tell the engine once the transaction is complete.
    pub answer: Answer,
}

/// What a committed write tells the engine.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Answer {
    /// Nothing but that it is stored.
    #[default]
    Done,
    /// The message is in the outbox; these rows were written before it.
    Enqueued {
        /// Rows of a smaller order number that the engine has not seen.
        earlier: Vec<(OrderNumber, EntryRecord)>,
    },
    /// `attempted` is set, if the row is there; these rows were written before it.
    Attempted {
        /// Whether the row exists and nobody wants to cancel it.
        present: bool,
        /// Rows of a smaller order number that the engine has not seen.
        earlier: Vec<(OrderNumber, EntryRecord)>,
    },
    /// The row was never attempted and is gone.
    Deleted,
    /// The row was attempted; the wish to cancel it is stored.
    MaybeSent,
    /// No such row.
    Absent,
}

/// What is stored is not what the engine believed; nothing was written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Refused;
