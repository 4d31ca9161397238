//! What an operator counts: events as data, for whoever runs the cores. They name nobody.

use rejoinder_protocol::{CloseCode, ErrorCode};

/// Something that happened and may be counted. Nothing depends on it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Measure {
    /// The answer to a message was written.
    Acked {
        /// Since the message was taken, in milliseconds.
        after_ms: u64,
    },
    /// The same message came again, and was answered with its original.
    Duplicate,
    /// A session ended.
    Ended {
        /// Why the gateway ended it; `None` if the client went.
        code: Option<CloseCode>,
    },
    /// A change was written to one who watches its thread, and whose sender is at this gateway.
    FannedOut {
        /// Since the message was taken, in milliseconds.
        after_ms: u64,
    },
    /// A client had too much waiting to be told one more change: it reads pages instead.
    FellBack,
    /// A page of changes was handed to a client.
    Page {
        /// How many changes it holds.
        changes: usize,
        /// How long its text is.
        bytes: usize,
    },
    /// A client was answered with an error.
    Refused {
        /// Which.
        code: ErrorCode,
    },
    /// A client was handed the newest window instead of a continuation.
    Reset {
        /// Whether the client had a cursor, which was void or too far behind.
        had_cursor: bool,
        /// How many messages and participants it holds.
        objects: usize,
        /// How long its text is.
        bytes: usize,
    },
    /// A client came back with cursors.
    Resumed {
        /// Of how many threads.
        threads: usize,
    },
}

/// How much there is of something now.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Levels {
    /// Connections.
    pub sessions: usize,
    /// Users with a connection.
    pub users: usize,
    /// Threads that somebody here is subscribed to.
    pub threads: usize,
    /// Commands that wait for a transaction.
    pub waiting_commands: usize,
    /// Frames that wait to be written, of all clients.
    pub waiting_frames: usize,
    /// Questions to the store that are not answered yet.
    pub reads: usize,
}
