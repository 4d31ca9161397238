//! Which commands go into the next transaction, and whom their outcomes belong to.

use std::collections::VecDeque;
use std::sync::Arc;

use rejoinder_protocol::ThreadId;

use super::config::{COMMANDS_MAX, WAITING_COMMANDS_MAX};
use super::{Full, SessionKey};
use crate::store::{Applied, Command, Outcome, StoreError};

/// Identifies a batch from effect to answer.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct BatchId(pub u64);

/// Identifies a request from outside the sockets.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct RequestId(pub u64);

/// Who waits for a command's answer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Origin {
    /// A request of a session, which holds a place for the reply.
    Frame(SessionKey),
    /// A request from outside the sockets.
    Request(RequestId),
    /// A subscription to a `--dev` thread that did not exist yet.
    Subscription(SessionKey, ThreadId),
}

/// What became of a batch.
#[derive(Debug)]
pub enum Settled {
    /// The outcomes, in the order in which they must be published.
    Known(Vec<(Origin, Command, Outcome)>),
    /// Nobody knows; these are the commands.
    Unknown(Vec<(Origin, Command)>),
}

/// The queue of commands before the store. Only one batch is under way: what waits meanwhile forms
/// the next one.
#[derive(Debug, Default)]
pub struct Committer {
    waiting: VecDeque<(Origin, Command)>,
    under_way: Option<(BatchId, Vec<Origin>, Arc<[Command]>)>,
    last: u64,
}

impl Committer {
    /// Adds a command.
    ///
    /// # Errors
    ///
    /// [`Full`] if too many wait already; the command is not taken.
    pub fn push(&mut self, origin: Origin, command: Command) -> Result<(), Full> {
        if self.waiting.len() >= WAITING_COMMANDS_MAX {
            return Err(Full);
        }
        self.waiting.push_back((origin, command));
        Ok(())
    }

    /// Returns the next batch if none is under way and something waits.
    pub fn next_batch(&mut self) -> Option<(BatchId, Arc<[Command]>)> {
        if self.under_way.is_some() || self.waiting.is_empty() {
            return None;
        }
        let count = self.waiting.len().min(COMMANDS_MAX);
        let (origins, commands): (Vec<_>, Vec<_>) = self.waiting.drain(..count).unzip();
        let commands: Arc<[Command]> = commands.into();
        self.last += 1;
        let batch = BatchId(self.last);
        self.under_way = Some((batch, origins, Arc::clone(&commands)));
        Some((batch, commands))
    }

    /// Takes what became of the batch under way; `None` for any other.
    pub fn settle(
        &mut self,
        batch: BatchId,
        result: Result<Applied, StoreError>,
    ) -> Option<Settled> {
        if self.under_way.as_ref().is_none_or(|one| one.0 != batch) {
            return None;
        }
        let (_, origins, commands) = self.under_way.take()?;
        let asked = origins.into_iter().zip(commands.iter().cloned());
        Some(match result {
            Ok(applied) if applied.outcomes.len() == commands.len() => {
                let settled = asked.zip(applied.outcomes);
                let settled =
                    settled.map(|((origin, command), outcome)| (origin, command, outcome));
                Settled::Known(settled.collect())
            }
            // A store that answers only a part left the rest in the dark.
            Ok(_) | Err(_) => Settled::Unknown(asked.collect()),
        })
    }

    /// Returns whether nothing waits and nothing is under way.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.under_way.is_none()
    }
}
