//! Everything that can happen to a gateway.

use std::sync::Arc;

use rejoinder_protocol::{
    ClientFrame, DecodeError, Epoch, Resume, Revision, ServerFrame, SessionId, ThreadId,
    UnixMillis, UserId, encode,
};

use super::{BatchId, FromPeers, Measure, ReadId, RequestId};
use crate::store::{Applied, Command, Content, ReadAnswer, StoreError};

/// Identifies a session inside one gateway. Never used twice.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct SessionKey(pub u64);

/// Everything that can happen to a gateway.
#[derive(Debug)]
pub enum Input {
    /// A socket is gone. The last input about its session.
    Closed {
        /// The session.
        session: SessionKey,
    },
    /// The application's backend asks for a change. Answered by `Effect::Answer`.
    Command {
        /// Comes back with the answer.
        request: RequestId,
        /// What to do.
        command: Command,
    },
    /// Answers `Effect::Commit`.
    Committed {
        /// The batch.
        batch: BatchId,
        /// What became of it.
        result: Result<Applied, StoreError>,
    },
    /// The gateway is being stopped.
    Drain,
    /// A frame arrived. Its text was decoded outside, where no other session waits for it.
    Frame {
        /// The session.
        session: SessionKey,
        /// The length of its text.
        bytes: usize,
        /// What it says.
        frame: Result<ClientFrame, DecodeError>,
    },
    /// Changes that others write into the store are told by `Input::Hint` from now on, or no longer;
    /// either way some may have been missed.
    Heard {
        /// Whether they are.
        is_heard: bool,
    },
    /// Somebody says that a thread has changed.
    Hint {
        /// The thread.
        thread_id: ThreadId,
        /// How far its head is at least, if that was said.
        revision: Option<Revision>,
    },
    /// A socket was accepted.
    Opened {
        /// A key that was never used before.
        session: SessionKey,
    },
    /// Something of other gateways, or an answer to `Effect::Peers`.
    Peers(FromPeers),
    /// A request of one frame was accepted, of a user who is known already: the frame follows. It is
    /// answered when `Gateway::is_answered`.
    Posted {
        /// A key that was never used before.
        session: SessionKey,
        /// Who it is.
        identity: Identity,
        /// The history that the frame is meant for; `None`: whichever it is.
        epoch: Option<Epoch>,
    },
    /// Answers `Effect::Read`.
    Read {
        /// The read.
        read: ReadId,
        /// What was read.
        result: Result<ReadDone, StoreError>,
    },
    /// A request was accepted whose answer is a stream: of a user who is known already, and who says
    /// nothing more on it.
    Streamed {
        /// A key that was never used before.
        session: SessionKey,
        /// Who it is.
        identity: Identity,
        /// Threads to subscribe at once.
        resume: Vec<Resume>,
    },
    /// `Gateway::next_wakeup` has come.
    Tick,
    /// Answers `Effect::Verify`.
    Verified {
        /// The session.
        session: SessionKey,
        /// Whom the token names.
        result: Result<Identity, Refusal>,
    },
}

/// Whom a token names.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Identity {
    /// The user.
    pub user_id: UserId,
    /// When the token expires; `None`: never.
    pub expires_at: Option<UnixMillis>,
}

/// Why a token is refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Refusal {
    /// It was valid once.
    Expired,
    /// It is not valid.
    Invalid,
    /// Nobody can say now: the issuer's keys cannot be fetched. The token may be good.
    Unavailable,
}

/// What was read, with its frame already encoded: pages are long, and others wait meanwhile.
#[derive(Clone, Debug)]
pub struct ReadDone {
    pub(crate) epoch: Epoch,
    pub(crate) text: Option<Arc<str>>,
    /// What it costs to hand it to a client.
    pub(crate) cost: Option<Measure>,
    pub(crate) content: DoneContent,
}

/// What the gateway itself must know about an answer.
#[derive(Clone, Debug)]
pub(crate) enum DoneContent {
    Invalid,
    /// How far threads are.
    Heads(Vec<(ThreadId, Revision)>),
    NotFound,
    /// A thread's look for all who take part, at a revision, and who no longer does.
    Overview {
        revision: Revision,
        participants: Vec<UserId>,
        left: Vec<UserId>,
    },
    /// For `history`, `inbox` and summaries: the frame says it all.
    Plain,
    Page(PageDone),
}

#[derive(Clone, Debug)]
pub(crate) struct PageDone {
    pub(crate) to_revision: Revision,
    pub(crate) head_revision: Revision,
    pub(crate) more: bool,
    /// Whether it tells the client nothing.
    pub(crate) empty: bool,
    pub(crate) participants: Vec<UserId>,
}

impl From<ReadAnswer> for ReadDone {
    fn from(answer: ReadAnswer) -> Self {
        let (frame, content) = match answer.content {
            Content::History(page) => (Some(ServerFrame::History(page)), DoneContent::Plain),
            Content::Inbox(page) => (Some(ServerFrame::Inbox(page)), DoneContent::Plain),
            Content::Heads(heads) => (None, DoneContent::Heads(heads)),
            Content::Invalid => (None, DoneContent::Invalid),
            Content::NotFound => (None, DoneContent::NotFound),
            Content::Overview(summary, left) => {
                let done = DoneContent::Overview {
                    revision: summary.revision,
                    participants: summary.participants.clone(),
                    left,
                };
                (Some(ServerFrame::Thread(summary)), done)
            }
            // No frame asks for it.
            Content::Participants(_) => (None, DoneContent::Invalid),
            Content::Page(page, participants) => {
                let done = PageDone {
                    to_revision: page.to_revision,
                    head_revision: page.head_revision,
                    more: page.more,
                    empty: page.changes.is_empty() && page.to_revision == page.from_revision,
                    participants,
                };
                (Some(ServerFrame::Page(page)), DoneContent::Page(done))
            }
            Content::Reset(reset, participants) => {
                let done = PageDone {
                    to_revision: reset.head_revision,
                    head_revision: reset.head_revision,
                    more: false,
                    empty: false,
                    participants,
                };
                (Some(ServerFrame::Reset(reset)), DoneContent::Page(done))
            }
            Content::Summary(summary) => (Some(ServerFrame::Thread(summary)), DoneContent::Plain),
        };
        let text: Option<Arc<str>> = frame.as_ref().map(|frame| encode(frame).into());
        let bytes = text.as_ref().map_or(0, |text| text.len());
        let cost = match frame {
            Some(ServerFrame::Page(page)) => Some(Measure::Page {
                changes: page.changes.len(),
                bytes,
            }),
            Some(ServerFrame::Reset(reset)) => Some(Measure::Reset {
                had_cursor: reset.answers.is_some(),
                objects: reset.window.len(),
                bytes,
            }),
            Some(_) | None => None,
        };
        Self {
            epoch: answer.epoch,
            text,
            cost,
            content,
        }
    }
}

/// The name of a session in logs; made by the gateway.
pub(crate) type SessionName = SessionId;
