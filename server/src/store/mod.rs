//! Where threads and messages live for good, and the one place where order is decided.
//!
//! [`plan`] decides, without I/O; a store looks up what the plan asks for, runs it, and writes
//! what it says, all in one transaction. This module knows no session and no socket.

mod answer;
pub mod command;
#[cfg(test)]
mod contract;
pub mod pair;
pub mod plan;
#[cfg(feature = "shell")]
pub mod postgres;
pub mod read;
pub mod sqlite;

use std::future::Future;
use std::sync::Arc;

use rejoinder_protocol::{Epoch, ThreadId, UnixMillis};

pub use command::{Answer, Command, NewMessage, Outcome, Publication, SummaryChange};
pub use pair::{derived_thread_id, dev_pair};
#[cfg(feature = "shell")]
pub use postgres::PostgresStore;
pub use read::{Content, Read, ReadAnswer, Reader};
pub use sqlite::Sqlite;
#[cfg(feature = "shell")]
pub use sqlite::SqliteStore;

/// What a store does about a thread that somebody else has locked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Locked {
    /// Leave its commands undone, see [`Applied::outcomes`]: nobody else shall wait for it.
    Skip,
    /// Wait for it, for a bounded time.
    Wait,
}

/// What became of a batch.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Applied {
    /// The database history that the outcomes' numbers belong to.
    pub epoch: Epoch,
    /// What became of each command, in their order. `None` if somebody else had its thread locked:
    /// nothing was done about it, nor about any later one of that thread.
    pub outcomes: Vec<Option<Outcome>>,
}

/// What is heard of changes that others write into a store.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Heard {
    /// This thread has changed.
    Changed(ThreadId),
    /// From now on changes are told; anything may have changed before.
    Everything,
    /// Changes are no longer told.
    Nothing,
}

/// Why a store did not answer. Repeating the call is always safe.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Nothing was written.
    #[error("the store is not available: {0}")]
    Unavailable(String),
    /// The commit itself failed: the batch may be stored or not.
    #[error("it is not known whether the commit happened: {0}")]
    UnknownFate(String),
}

/// A durable store of threads.
pub trait Store: Send + Sync + 'static {
    /// Returns the id of the database's history when it was opened.
    fn epoch(&self) -> &Epoch;

    /// Runs commands in one transaction and gives new changes the next numbers of their threads.
    ///
    /// What was asked in another history than the store's is refused with `internal`, and only
    /// [`Applied::epoch`] is true. A refused, duplicate or failing command burns no number and
    /// changes nothing for its neighbours. At most one call of each kind of `locked` is under way, and never two with
    /// commands of one thread. When this returns `Ok`, what was stored survives the loss of this process.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] if nothing was written, [`StoreError::UnknownFate`] if the
    /// batch may have been stored.
    fn apply(
        &self,
        asked_in: Epoch,
        now: UnixMillis,
        batch: Arc<[Command]>,
        locked: Locked,
    ) -> impl Future<Output = Result<Applied, StoreError>> + Send;

    /// Reads in one transaction, which also checks that the user may.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`].
    fn read(&self, read: Read) -> impl Future<Output = Result<ReadAnswer, StoreError>> + Send;

    /// Returns what is heard of changes that others write; `None` if nobody else can.
    #[cfg(feature = "shell")]
    fn hear(&self) -> Option<tokio::sync::mpsc::Receiver<Heard>> {
        None
    }
}
