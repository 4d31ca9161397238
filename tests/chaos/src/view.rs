//! What one client shows and has stored.

use std::collections::BTreeMap;

use rejoinder::engine::Row;
use rejoinder::engine::stored::EntryRecord;
use rejoinder_protocol::{Message, ThreadId, UserId};

/// One client.
#[derive(Clone, Debug)]
pub(crate) struct View {
    /// Which of them.
    pub(crate) device: usize,
    /// Whose.
    pub(crate) user_id: UserId,
    /// What its user takes part in.
    pub(crate) due: Vec<ThreadId>,
    /// What it shows.
    pub(crate) threads: BTreeMap<ThreadId, Shown>,
    /// What it has stored.
    pub(crate) kept: BTreeMap<ThreadId, Kept>,
    /// Its outbox.
    pub(crate) waiting: Vec<EntryRecord>,
}

/// A thread as it is shown.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shown {
    /// From the top to the bottom.
    pub(crate) rows: Vec<Row>,
    /// Whether it says that there is more above.
    pub(crate) has_older: bool,
}

/// A thread as it is stored.
#[derive(Clone, Debug, Default)]
pub(crate) struct Kept {
    /// Up to where.
    pub(crate) revision: u64,
    /// By rising place.
    pub(crate) messages: Vec<Message>,
}
