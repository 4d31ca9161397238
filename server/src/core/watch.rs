//! What others write into the store: who says that there is something, and what is looked at.
//!
//! Whoever says so is only believed that it is worth a look; the store says what is true. And nobody
//! may have said anything: so everything that somebody here waits for is polled as well.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use rejoinder_protocol::{Revision, ThreadId, UnixMillis, UserId};

use super::config::{
    LOOKS_MAX, LOOKS_WAITING_MAX, POLL_CHUNK, POLL_HEARING_MS, POLL_MS, POLL_OVERLAP_MS,
};
use super::{Hub, Millis, Now};
use crate::store::Read;

/// What others write into the store. It begins with a poll, and hears nothing yet.
#[derive(Debug, Default)]
pub struct Watch {
    /// Whether changes are told to us at the moment.
    is_heard: bool,
    poll_at: Millis,
    /// What is left of the poll under way.
    polling: VecDeque<Vec<ThreadId>>,
    is_polling: bool,
    round: Round,
    /// Threads that are worth a look, and those that are being looked at.
    due: BTreeSet<ThreadId>,
    looking: BTreeSet<ThreadId>,
    told: Told,
}

/// One turn through everybody who is here, some of them with each poll.
#[derive(Debug, Default)]
struct Round {
    after: Option<UserId>,
    began: UnixMillis,
    /// When the one before began: what changed since then is asked for.
    before: UnixMillis,
    /// News were missed: all its polls follow each other closely.
    is_urgent: bool,
}

impl Round {
    /// Begins anew with the first user; nobody's changes are asked for from a later moment on.
    fn again(&mut self) {
        if self.after.take().is_some() {
            self.began = self.before;
        }
        self.is_urgent = true;
    }
}

/// How far threads were told to those who are here, for as long as a poll may bring it up again.
#[derive(Debug, Default)]
struct Told {
    newer: BTreeMap<ThreadId, Revision>,
    older: BTreeMap<ThreadId, Revision>,
    began: Millis,
}

impl Told {
    fn note(&mut self, thread_id: &ThreadId, revision: Revision) {
        let told = self.newer.entry(thread_id.clone()).or_default();
        *told = revision.max(*told);
    }

    fn is_news(&self, thread_id: &ThreadId, revision: Revision) -> bool {
        self.of(thread_id).is_none_or(|told| told < revision)
    }

    /// Returns how far it was told.
    fn of(&self, thread_id: &ThreadId) -> Option<Revision> {
        let told = [&self.newer, &self.older].map(|told| told.get(thread_id));
        told.into_iter().flatten().max().copied()
    }

    fn forget(&mut self, now: Millis) {
        if now.since(self.began) > 2 * POLL_OVERLAP_MS {
            self.began = now;
            self.older = std::mem::take(&mut self.newer);
        }
    }
}

impl Watch {
    /// Takes the news that changes are told to us from now on, or no longer. Something was missed in
    /// between, either way.
    pub fn heard(&mut self, is_heard: bool) {
        self.is_heard = is_heard;
        self.poll_at = Millis(0);
        self.round.again();
    }

    /// Forgets what was told and asked: another history of the store has begun.
    pub fn begin_anew(&mut self) {
        *self = Self {
            is_heard: self.is_heard,
            ..Self::default()
        };
    }

    /// Takes a hint that a thread has changed, and perhaps how far.
    pub fn hint(&mut self, thread_id: &ThreadId, revision: Option<Revision>) {
        let is_news = revision.is_none_or(|revision| self.told.is_news(thread_id, revision));
        // Beyond that a poll finds what somebody here waits for.
        if is_news && self.due.len() < LOOKS_WAITING_MAX {
            self.due.insert(thread_id.clone());
        }
    }

    /// Returns the next thread to look at, if not too many are being looked at.
    pub fn next_look(&mut self) -> Option<ThreadId> {
        if self.looking.len() >= LOOKS_MAX {
            return None;
        }
        let free = |thread_id: &&ThreadId| !self.looking.contains(*thread_id);
        let thread_id = self.due.iter().find(free)?.clone();
        self.due.remove(&thread_id);
        self.looking.insert(thread_id.clone());
        Some(thread_id)
    }

    /// Takes the news that a look is over.
    pub fn looked(&mut self, thread_id: &ThreadId) {
        self.looking.remove(thread_id);
    }

    /// Notes that changes of our own were told, unless one of somebody else's may be missing before
    /// them: then a look finds it.
    pub fn published(&mut self, thread_id: &ThreadId, first: Revision, last: Revision) {
        let told = self.told.of(thread_id).unwrap_or_default();
        if told.next() >= first {
            self.told.note(thread_id, last);
        }
    }

    /// Notes how far a thread was told; returns whether that was news.
    pub fn told(&mut self, thread_id: &ThreadId, revision: Revision) -> bool {
        let is_news = self.told.is_news(thread_id, revision);
        self.told.note(thread_id, revision);
        is_news
    }

    /// Begins a poll if it is time for one, and returns its first question.
    pub fn tick(&mut self, now: Now, hub: &Hub) -> Option<Read> {
        #[cfg(feature = "mutants")]
        if rejoinder_mutants::planted!(PollForgotten) {
            return None;
        }
        if self.is_polling || now.monotonic < self.poll_at {
            return None;
        }
        self.told.forget(now.monotonic);
        let threads: Vec<_> = hub.threads().cloned().collect();
        self.polling = threads.chunks(POLL_CHUNK).map(<[_]>::to_vec).collect();
        self.is_polling = true;
        let (user_ids, since) = self.next_users(now, hub);
        let every = if self.is_heard && !self.round.is_urgent {
            POLL_HEARING_MS
        } else {
            POLL_MS
        };
        self.poll_at = now.monotonic.after(every);
        Some(Read::Changed { user_ids, since })
    }

    /// Returns the poll's next question; `None` if it is over.
    pub fn next_question(&mut self) -> Option<Read> {
        let thread_ids = self.polling.pop_front();
        self.is_polling = thread_ids.is_some();
        Some(Read::Heads {
            thread_ids: thread_ids?,
        })
    }

    /// Takes the news that the store did not answer: the next poll begins anew.
    pub fn give_up(&mut self) {
        self.polling.clear();
        self.is_polling = false;
    }

    /// Returns when the next poll begins.
    #[must_use]
    pub fn next_wakeup(&self) -> Option<Millis> {
        (!self.is_polling).then_some(self.poll_at)
    }

    /// Returns the next users of the round, and since when their changes are asked for.
    fn next_users(&mut self, now: Now, hub: &Hub) -> (Vec<UserId>, UnixMillis) {
        let round = &mut self.round;
        if round.after.is_none() {
            // Whoever came later asks for everything at the start.
            round.before = match round.began == UnixMillis::default() {
                true => now.wall,
                false => round.began,
            };
            round.began = now.wall;
        }
        let users: Vec<_> = hub
            .users_after(round.after.as_ref())
            .take(POLL_CHUNK)
            .cloned()
            .collect();
        round.after = users.last().filter(|_| users.len() == POLL_CHUNK).cloned();
        round.is_urgent &= round.after.is_some();
        // A transaction may have waited for a while before it was committed, and clocks differ.
        let since = round.before.get().saturating_sub(POLL_OVERLAP_MS);
        (users, UnixMillis::try_from(since).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests;
