//! The gateway's database, with the faults that a database has.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use rejoinder_gateway::store::{Applied, Command, Locked, Read, ReadAnswer, Sqlite, StoreError};
use rejoinder_protocol::{Epoch, ThreadId, UnixMillis};

/// Commands, and what became of them.
pub type Stored = (Arc<[Command]>, Applied);

/// The gateway's database. It outlives the processes that use it.
#[derive(Debug)]
pub struct Records {
    sqlite: Sqlite,
    /// Every batch that was committed, to restore a backup from.
    log: Vec<(UnixMillis, Arc<[Command]>)>,
    restores: u64,
    /// So many commits find it busy.
    pub busy: u32,
    /// The fates of the next commits that nobody learns: stored or not.
    pub unknown: VecDeque<bool>,
    /// So many reads fail.
    pub failing_reads: u32,
    /// Threads that a transaction of somebody else holds, and until when.
    held: BTreeMap<ThreadId, u64>,
}

impl Default for Records {
    /// Opens an empty database.
    fn default() -> Self {
        Self {
            sqlite: open(&epoch(0)),
            log: Vec::new(),
            restores: 0,
            busy: 0,
            unknown: VecDeque::new(),
            failing_reads: 0,
            held: BTreeMap::new(),
        }
    }
}

impl Records {
    /// Returns the present history.
    pub fn epoch(&self) -> &Epoch {
        self.sqlite.epoch()
    }

    /// Runs a batch. Returns what the gateway learns, and what became of it really.
    pub fn apply(
        &mut self,
        moment: u64,
        now: UnixMillis,
        asked_in: &Epoch,
        commands: &Arc<[Command]>,
        locked: Locked,
    ) -> (Result<Applied, StoreError>, Option<Stored>) {
        if self.busy > 0 {
            self.busy -= 1;
            return (Err(StoreError::Unavailable("busy".to_owned())), None);
        }
        let unknown = || Err(StoreError::UnknownFate("the connection died".to_owned()));
        let fate = self.unknown.pop_front();
        if fate == Some(false) {
            return (unknown(), None);
        }
        let threads = commands.iter().map(Command::thread_id);
        let skipped: BTreeSet<_> = threads
            .filter(|one| self.is_held(one, moment))
            .cloned()
            .collect();
        if locked == Locked::Wait && !skipped.is_empty() {
            return (Err(StoreError::Unavailable("locked".to_owned())), None);
        }
        let is_free = |one: &&Command| !skipped.contains(one.thread_id());
        let free: Arc<[Command]> = commands.iter().filter(is_free).cloned().collect();
        let result = self.sqlite.apply(asked_in, now, &free).map(|applied| {
            let mut answered = applied.outcomes.into_iter();
            let outcomes = commands.iter().map(|one| match is_free(&one) {
                true => answered.next().flatten(),
                false => None,
            });
            Applied {
                epoch: applied.epoch,
                outcomes: outcomes.collect(),
            }
        });
        let stored = result.as_ref().ok().cloned();
        let stored = stored.map(|applied| (Arc::clone(commands), applied));
        if stored
            .as_ref()
            .is_some_and(|(_, applied)| applied.epoch == *asked_in)
        {
            self.log.push((now, free));
        }
        if fate == Some(true) {
            return (unknown(), stored);
        }
        (result, stored)
    }

    /// Runs what others do, past the gateway.
    pub fn others(&mut self, now: UnixMillis, commands: &Arc<[Command]>) -> Option<Applied> {
        let asked_in = self.epoch().clone();
        let applied = self.sqlite.apply(&asked_in, now, commands).ok()?;
        self.log.push((now, Arc::clone(commands)));
        Some(applied)
    }

    /// Holds a thread until a moment.
    pub fn hold(&mut self, thread_id: ThreadId, until: u64) {
        let held = self.held.entry(thread_id).or_default();
        *held = until.max(*held);
    }

    /// Returns whether a thread is held at a moment.
    pub fn is_held(&self, thread_id: &ThreadId, moment: u64) -> bool {
        self.held
            .get(thread_id)
            .is_some_and(|until| *until > moment)
    }

    /// Ends every transaction that holds something.
    pub fn release(&mut self) {
        self.held.clear();
    }

    /// Answers a question.
    pub fn read(&mut self, question: &Read) -> Result<ReadAnswer, StoreError> {
        if self.failing_reads > 0 {
            self.failing_reads -= 1;
            return Err(StoreError::Unavailable("it does not answer".to_owned()));
        }
        self.sqlite.read(question)
    }

    /// Answers a question of this program, which no fault concerns.
    pub fn inspect(&self, question: &Read) -> Result<ReadAnswer, StoreError> {
        self.sqlite.read(question)
    }

    /// Puts a backup in place, which lacks the newest batches and begins a new history. Returns
    /// what the backup holds: every batch with its outcomes.
    pub fn restore(&mut self, batches: usize) -> Vec<(UnixMillis, Arc<[Command]>, Applied)> {
        self.restores += 1;
        let epoch = epoch(self.restores);
        self.sqlite = open(&epoch);
        self.log.truncate(self.log.len().saturating_sub(batches));
        let mut held = Vec::new();
        for (now, commands) in &self.log {
            if let Ok(applied) = self.sqlite.apply(&epoch, *now, commands) {
                held.push((*now, Arc::clone(commands), applied));
            }
        }
        held
    }
}

fn epoch(number: u64) -> Epoch {
    format!("epoch-{number}").parse().expect("a valid epoch")
}

fn open(epoch: &Epoch) -> Sqlite {
    Sqlite::memory(epoch).expect("a database in memory opens")
}
