//! Which commands go into the next transaction, and whom their outcomes belong to.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use rejoinder_protocol::{Epoch, ThreadId};

use super::config::{COMMANDS_MAX, SKIPS_MAX, WAITING_COMMANDS_MAX};
use super::{Full, Millis, SessionKey};
use crate::store::{Applied, Command, Locked, Outcome, StoreError};

/// Identifies a batch from effect to answer.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct BatchId(pub u64);

/// Identifies a request from outside the sockets.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct RequestId(pub u64);

/// Who waits for a command's answer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Origin {
    /// A request of a session, which holds a place for the reply, and when it was taken.
    Frame(SessionKey, Millis),
    /// A request from outside the sockets.
    Request(RequestId),
    /// A subscription to a `--dev` thread that did not exist yet.
    Subscription(SessionKey, ThreadId),
}

/// What became of a batch.
#[derive(Debug)]
pub enum Settled {
    /// The outcomes, in the order in which they must be published. Commands that were skipped are
    /// not among them: they wait again.
    Known(Vec<(Origin, Command, Outcome)>),
    /// Nobody knows; these are the commands.
    Unknown(Vec<(Origin, Command)>),
    /// Another history has begun meanwhile: whatever became of these is void.
    Void(Vec<(Origin, Command)>),
}

/// What is run in one transaction.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NextBatch {
    /// Comes back with the answer.
    pub batch: BatchId,
    /// The database history in which the commands were asked.
    pub asked_in: Epoch,
    /// The commands.
    pub commands: Arc<[Command]>,
    /// What to do about threads that somebody else has locked.
    pub locked: Locked,
}

#[derive(Debug)]
struct UnderWay {
    origins: Vec<Origin>,
    commands: Arc<[Command]>,
    locked: Locked,
    is_void: bool,
}

/// The queue of commands before the store. What waits while a batch is under way forms the next one.
///
/// A thread that somebody else has locked is skipped, so that it stalls no other; after
/// `SKIPS_MAX` times its lock is waited for, beside the other batches. All of a thread's commands
/// take the same way, so their order holds.
#[derive(Debug, Default)]
pub struct Committer {
    waiting: VecDeque<(Origin, Command)>,
    /// How often in a row a waiting thread was skipped.
    skips: BTreeMap<ThreadId, u32>,
    /// The threads whose lock is waited for, with their commands. Only one is at a time; its entry
    /// stays until none of its commands is left.
    patient: BTreeMap<ThreadId, VecDeque<(Origin, Command)>>,
    /// The turns of those threads.
    turns: VecDeque<ThreadId>,
    under_way: BTreeMap<BatchId, UnderWay>,
    last: u64,
}

impl Committer {
    /// Adds a command.
    ///
    /// # Errors
    ///
    /// [`Full`] if too many wait already; the command is not taken.
    pub fn push(&mut self, origin: Origin, command: Command) -> Result<(), Full> {
        if self.waiting() >= WAITING_COMMANDS_MAX {
            return Err(Full);
        }
        match self.patient.get_mut(command.thread_id()) {
            Some(queue) => queue.push_back((origin, command)),
            None => self.waiting.push_back((origin, command)),
        }
        Ok(())
    }

    /// Returns how many commands wait for a transaction.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.len() + self.patient.values().map(VecDeque::len).sum::<usize>()
    }

    /// Returns the next batch, if there is one that may run beside those under way.
    pub fn next_batch(&mut self, epoch: &Epoch) -> Option<NextBatch> {
        let taken: Vec<_> = if !self.is_under_way(Locked::Skip) && !self.waiting.is_empty() {
            let count = self.waiting.len().min(COMMANDS_MAX);
            self.waiting.drain(..count).collect()
        } else {
            return self.next_patient(epoch);
        };
        Some(self.begin(epoch, taken, Locked::Skip))
    }

    fn next_patient(&mut self, epoch: &Epoch) -> Option<NextBatch> {
        if self.is_under_way(Locked::Wait) {
            return None;
        }
        let thread_id = self.turns.pop_front()?;
        let queue = self.patient.get_mut(&thread_id)?;
        let count = queue.len().min(COMMANDS_MAX);
        let taken = queue.drain(..count).collect();
        Some(self.begin(epoch, taken, Locked::Wait))
    }

    fn is_under_way(&self, locked: Locked) -> bool {
        self.under_way.values().any(|one| one.locked == locked)
    }

    fn begin(&mut self, epoch: &Epoch, taken: Vec<(Origin, Command)>, locked: Locked) -> NextBatch {
        let (origins, commands): (Vec<_>, Vec<_>) = taken.into_iter().unzip();
        let commands: Arc<[Command]> = commands.into();
        self.last += 1;
        let batch = BatchId(self.last);
        let under_way = UnderWay {
            origins,
            commands: Arc::clone(&commands),
            locked,
            is_void: false,
        };
        self.under_way.insert(batch, under_way);
        NextBatch {
            batch,
            asked_in: epoch.clone(),
            commands,
            locked,
        }
    }

    /// Takes what became of a batch under way; `None` for any other.
    pub fn settle(
        &mut self,
        batch: BatchId,
        result: Result<Applied, StoreError>,
    ) -> Option<Settled> {
        let UnderWay {
            origins,
            commands,
            locked,
            is_void,
        } = self.under_way.remove(&batch)?;
        let asked = origins.into_iter().zip(commands.iter().cloned());
        if is_void {
            return Some(Settled::Void(asked.collect()));
        }
        let result = result.ok().filter(|Applied { outcomes, .. }| {
            // A store that answers only a part left the rest in the dark.
            outcomes.len() == commands.len()
                && (locked == Locked::Skip || outcomes.iter().all(Option::is_some))
        });
        let settled = match result {
            None => Settled::Unknown(asked.collect()),
            Some(applied) => {
                let (mut known, mut skipped) = (Vec::new(), Vec::new());
                for ((origin, command), outcome) in asked.zip(applied.outcomes) {
                    match outcome {
                        Some(outcome) => known.push((origin, command, outcome)),
                        None => skipped.push((origin, command)),
                    }
                }
                self.wait_again(skipped);
                Settled::Known(known)
            }
        };
        match locked {
            Locked::Skip => self.forget_skips(&commands),
            Locked::Wait => self.next_turn(&commands),
        }
        Some(settled)
    }

    /// Puts skipped commands back before all that came later.
    fn wait_again(&mut self, skipped: Vec<(Origin, Command)>) {
        let threads: BTreeSet<_> = skipped
            .iter()
            .map(|(_, command)| command.thread_id().clone())
            .collect();
        for again in skipped.into_iter().rev() {
            self.waiting.push_front(again);
        }
        for thread_id in threads {
            let skips = self.skips.entry(thread_id.clone()).or_default();
            *skips += 1;
            if *skips >= SKIPS_MAX {
                self.skips.remove(&thread_id);
                self.wait_for(thread_id);
            }
        }
    }

    /// From now on the thread's lock is waited for.
    fn wait_for(&mut self, thread_id: ThreadId) {
        let waiting = std::mem::take(&mut self.waiting);
        let (of_thread, rest): (VecDeque<_>, VecDeque<_>) = waiting
            .into_iter()
            .partition(|(_, command)| *command.thread_id() == thread_id);
        self.waiting = rest;
        self.patient.insert(thread_id.clone(), of_thread);
        self.turns.push_back(thread_id);
    }

    /// Counts anew for threads of which nothing waits any more.
    fn forget_skips(&mut self, commands: &[Command]) {
        let waits = |thread_id: &ThreadId| {
            let mut waiting = self.waiting.iter();
            waiting.any(|(_, command)| command.thread_id() == thread_id)
        };
        let gone: Vec<_> = commands
            .iter()
            .map(Command::thread_id)
            .filter(|thread_id| self.skips.contains_key(*thread_id) && !waits(thread_id))
            .cloned()
            .collect();
        for thread_id in gone {
            self.skips.remove(&thread_id);
        }
    }

    /// Ends a thread's turn.
    fn next_turn(&mut self, commands: &[Command]) {
        let Some(thread_id) = commands.first().map(Command::thread_id) else {
            return;
        };
        if self.patient.get(thread_id).is_some_and(VecDeque::is_empty) {
            self.patient.remove(thread_id);
        } else {
            #[cfg(feature = "mutants")]
            if rejoinder_mutants::planted!(PatientTurnLost) {
                return;
            }
            self.turns.push_back(thread_id.clone());
        }
    }

    /// Begins with another history of the store: returns what waited, and declares void what is
    /// under way. Nothing that was asked in one history is executed in another.
    pub fn begin_anew(&mut self) -> Vec<(Origin, Command)> {
        for under_way in self.under_way.values_mut() {
            under_way.is_void = true;
        }
        self.skips.clear();
        self.turns.clear();
        let patient = std::mem::take(&mut self.patient);
        let waiting = std::mem::take(&mut self.waiting);
        let all = patient.into_values().flatten().chain(waiting);
        all.collect()
    }

    /// Returns whether nothing waits and nothing is under way.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.patient.is_empty() && self.under_way.is_empty()
    }
}

#[cfg(test)]
mod tests;
