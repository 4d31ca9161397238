//! What can be read from a store.

use rejoinder_protocol::{
    Epoch, HistoryPage, InboxPage, Page, Participant, Reset, Revision, SequenceNumber, Since,
    ThreadId, ThreadSummary, UnixMillis, UserId,
};

use super::plan::ThreadState;

/// Who asks about a thread.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Reader {
    /// The application's back end, which may see every thread.
    Backend,
    /// A user, who may see the threads that they take part in.
    User(UserId),
}

impl Reader {
    /// Returns whether the thread may be shown.
    #[must_use]
    pub fn may_read(&self, thread: &ThreadState) -> bool {
        match self {
            Self::Backend => true,
            Self::User(user_id) => thread.admits(user_id),
        }
    }
}

impl From<UserId> for Reader {
    fn from(user_id: UserId) -> Self {
        Self::User(user_id)
    }
}

/// A question. Every answer is read in one transaction, which also checks that the user may, where
/// a user asks.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Read {
    /// Threads of these users that changed since a moment. Answered by [`Content::Heads`].
    Changed {
        /// The users.
        user_ids: Vec<UserId>,
        /// The moment.
        since: UnixMillis,
    },
    /// How far threads are. Answered by [`Content::Heads`], without those that do not exist.
    Heads {
        /// The threads.
        thread_ids: Vec<ThreadId>,
    },
    /// Messages below a place. Answered by [`Content::History`].
    History {
        /// Who asks.
        reader: Reader,
        /// The thread.
        thread_id: ThreadId,
        /// Messages below this place are wanted.
        before: SequenceNumber,
        /// How many at most; held to 1..=200.
        limit: u32,
    },
    /// The user's threads, the latest changed first. Answered by [`Content::Inbox`].
    Inbox {
        /// Who asks.
        user_id: UserId,
        /// How many at most; held to 1..=200.
        limit: u32,
        /// The `next` of the page before.
        before: Option<String>,
    },
    /// How a thread shows in the lists of all who take part; asked by the gateway itself. Answered by
    /// [`Content::Overview`].
    Overview {
        /// The thread.
        thread_id: ThreadId,
    },
    /// Changes after a place. Answered by [`Content::Page`] or [`Content::Reset`].
    Page {
        /// Who asks.
        user_id: UserId,
        /// The thread.
        thread_id: ThreadId,
        /// Where the reader stands.
        since: Since,
        /// The last change wanted; `None`: the head.
        to_revision: Option<Revision>,
    },
    /// Everybody who ever took part in a thread. Answered by [`Content::Participants`].
    Participants {
        /// Who asks.
        reader: Reader,
        /// The thread.
        thread_id: ThreadId,
    },
    /// How a thread shows in a list. Answered by [`Content::Summary`].
    Summary {
        /// Who asks.
        user_id: UserId,
        /// The thread.
        thread_id: ThreadId,
    },
}

/// An answer, and the database history that its numbers belong to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ReadAnswer {
    /// The database history.
    pub epoch: Epoch,
    /// The answer.
    pub content: Content,
}

/// An answer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Content {
    /// How far threads are.
    Heads(Vec<(ThreadId, Revision)>),
    /// Older messages.
    History(HistoryPage),
    /// Threads.
    Inbox(InboxPage),
    /// The question makes no sense, for example a `before` that was never a `next`.
    Invalid,
    /// No such thread, or not the user's.
    NotFound,
    /// A thread in a list, and who no longer takes part in it.
    Overview(ThreadSummary, Vec<UserId>),
    /// Changes, and who takes part in the thread now.
    Page(Page, Vec<UserId>),
    /// Everybody who ever took part.
    Participants(Vec<Participant>),
    /// The reader cannot continue; the newest window, and who takes part in the thread now.
    Reset(Reset, Vec<UserId>),
    /// A thread in a list.
    Summary(ThreadSummary),
}
