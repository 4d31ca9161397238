//! All that an engine asks its driver to do.

use rejoinder_protocol::{ClientFrame, SequenceNumber, ThreadId};

use super::input::{Attempt, WriteId};
use super::notice::Notice;
use super::stored::Write;
use super::transport::Transport;

/// Something to do. The order of effects is the order in which they are begun.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Effect {
    /// Close a socket. Not answered: from now on what comes from it is dropped.
    CloseSocket {
        /// Whose socket.
        attempt: Attempt,
    },
    /// Delete everything stored for this user. Not answered.
    DeleteDatabase,
    /// Read the outbox. Answered by [`Input::OutboxLoaded`](super::Input::OutboxLoaded).
    LoadOutbox,
    /// Read a part of a thread. Answered by [`Input::ThreadLoaded`](super::Input::ThreadLoaded).
    LoadThread {
        /// The thread.
        thread_id: ThreadId,
        /// Messages right below this place; `None`: the newest ones.
        before: Option<SequenceNumber>,
    },
    /// Tell the application. Not answered.
    Notify(Notice),
    /// Open a connection, beside the one that lives if there is one. Answered by [`Input::SocketOpened`](super::Input::SocketOpened) or
    /// [`Input::SocketClosed`](super::Input::SocketClosed).
    OpenSocket {
        /// The attempt's name.
        attempt: Attempt,
        /// By which way.
        transport: Transport,
    },
    /// Write to storage. Answered by [`Input::Stored`](super::Input::Stored). Writes take effect
    /// in the order of their effects, and before reads that were asked for after them.
    Persist {
        /// The write's name.
        write_id: WriteId,
        /// What to write.
        write: Write,
    },
    /// Ask the application for a token: for an attempt, or a newer one for the connection that an
    /// attempt brought. Answered by [`Input::Token`](super::Input::Token).
    RequestToken {
        /// The attempt's name.
        attempt: Attempt,
    },
    /// Write a frame to a socket. Not answered; a loss shows as
    /// [`Input::SocketClosed`](super::Input::SocketClosed) or as silence.
    Transmit {
        /// Whose socket.
        attempt: Attempt,
        /// The frame.
        frame: ClientFrame,
    },
}
