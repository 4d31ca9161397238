//! Everything a gateway asks for, in the order in which it must be done.

use rejoinder_protocol::Token;

use super::{Measure, NextBatch, ReadId, RequestId, SessionKey, ToPeers};
use crate::store::{Answer, Read};

/// Everything a gateway asks for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Effect {
    /// Tell whoever sent `Input::Command` what became of it. Not answered.
    Answer {
        /// The request.
        request: RequestId,
        /// What became of it.
        answer: Answer,
    },
    /// Run a batch. Only one of each kind of `locked` is under way at a time, and never two with
    /// commands of one thread. Answered by `Input::Committed`.
    Commit(NextBatch),
    /// A session has something to write, or may read again, or shall be closed: call
    /// `Gateway::take` until it returns `None`. Not answered.
    Flush {
        /// The session.
        session: SessionKey,
    },
    /// Count something, or leave it. Not answered.
    Measure(Measure),
    /// Tell other gateways something, or ask them. Without any, or while they cannot be reached, it is
    /// dropped.
    Peers(ToPeers),
    /// Read from the store. Answered by `Input::Read`.
    Read {
        /// The read.
        read: ReadId,
        /// The question.
        question: Read,
    },
    /// Find out whom a token names. Answered by `Input::Verified`.
    Verify {
        /// The session.
        session: SessionKey,
        /// The token.
        token: Token,
    },
}
