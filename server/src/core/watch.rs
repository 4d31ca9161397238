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

/// Who else may write into the store.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Others {
    /// Other gateways.
    Gateways,
    /// Whoever has the database's password.
    Writers,
}

/// What others write into the store. It begins with a poll, and hears nothing yet.
#[derive(Debug, Default)]
pub struct Watch {
    /// Whose changes are not told to us at the moment.
    unheard: BTreeSet<Others>,
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
    /// More were missed in the middle of it: another one follows.
    once_more: bool,
}

impl Round {
    /// Begins anew with the first user; nobody's changes are asked for from a later moment on.
    fn again(&mut self) {
        if self.is_urgent && self.after.is_some() {
            self.once_more = true; // Those who come last must have their turn.
            return;
        }
        if self.after.take().is_some() {
            self.began = self.before;
        }
        self.is_urgent = true;
    }
}

/// How far threads were told to those who are here, for as long as a poll may bring it up again.
#[derive(Debug, Default)]
struct Told {
    newer: BTreeMap<ThreadId, Far>,
    older: BTreeMap<ThreadId, Far>,
    began: Millis,
}

/// How far a thread was told.
#[derive(Clone, Copy, Debug, Default)]
struct Far {
    /// Everything up to here.
    whole: Revision,
    /// Something up to here: what is read before it is old.
    newest: Revision,
}

impl Told {
    fn note(&mut self, thread_id: &ThreadId, whole: Revision, newest: Revision) {
        let before = self.of(thread_id);
        let far = Far {
            whole: whole.max(before.whole),
            newest: newest.max(before.newest),
        };
        self.newer.insert(thread_id.clone(), far);
    }

    fn of(&self, thread_id: &ThreadId) -> Far {
        let told = self.newer.get(thread_id);
        let told = told.or_else(|| self.older.get(thread_id));
        told.copied().unwrap_or_default()
    }

    fn forget(&mut self, now: Millis) {
        if now.since(self.began) > 2 * POLL_OVERLAP_MS {
            self.began = now;
            self.older = std::mem::take(&mut self.newer);
        }
    }
}

impl Watch {
    /// Begins with nothing heard yet of whoever there is.
    #[must_use]
    pub fn new(others_write: bool, has_peers: bool) -> Self {
        let writers = others_write.then_some(Others::Writers);
        let gateways = has_peers.then_some(Others::Gateways);
        Self {
            unheard: writers.into_iter().chain(gateways).collect(),
            ..Self::default()
        }
    }

    /// Takes the news that changes of these are told to us from now on, or no longer. Something was
    /// missed in between, either way.
    pub fn heard(&mut self, of: Others, is_heard: bool) {
        match is_heard {
            true => self.unheard.remove(&of),
            false => self.unheard.insert(of),
        };
        self.poll_at = Millis(0);
        self.round.again();
    }

    /// Forgets what was told and asked: another history of the store has begun.
    pub fn begin_anew(&mut self) {
        *self = Self {
            unheard: std::mem::take(&mut self.unheard),
            ..Self::default()
        };
    }

    /// Takes a hint that a thread has changed, and perhaps how far.
    pub fn hint(&mut self, thread_id: &ThreadId, revision: Option<Revision>) {
        let is_news = revision.is_none_or(|revision| self.is_news(thread_id, revision));
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

    /// Takes the news that a look is over, which has found nothing.
    pub fn looked(&mut self, thread_id: &ThreadId) {
        self.looking.remove(thread_id);
    }

    /// Takes how far a look has found a thread; returns whether that was news. If it was read before
    /// something that was told here since, it is old, and another one must follow.
    pub fn found(&mut self, thread_id: &ThreadId, revision: Revision) -> bool {
        self.looking.remove(thread_id);
        let told = self.told.of(thread_id);
        if self.is_old(thread_id, revision) {
            self.due.insert(thread_id.clone());
            return false;
        }
        self.told.note(thread_id, revision, revision);
        told.whole < revision
    }

    /// Returns whether something newer of a thread was told here.
    #[must_use]
    pub fn is_old(&self, thread_id: &ThreadId, revision: Revision) -> bool {
        #[cfg(feature = "mutants")]
        if rejoinder_mutants::planted!(OldNewsBelieved) {
            return false;
        }
        revision < self.told.of(thread_id).newest
    }

    /// Returns whether a thread was not told this far yet.
    #[must_use]
    pub fn is_news(&self, thread_id: &ThreadId, revision: Revision) -> bool {
        self.told.of(thread_id).whole < revision
    }

    /// Returns whether nothing can be missing between what was told of a thread and this change.
    #[must_use]
    pub fn follows(&self, thread_id: &ThreadId, change: Revision) -> bool {
        self.told.of(thread_id).whole.next() >= change
    }

    /// Notes that changes were told. One of somebody else's may be missing before them: then a look
    /// finds it.
    pub fn published(&mut self, thread_id: &ThreadId, first: Revision, last: Revision) {
        let whole = match self.follows(thread_id, first) {
            true => last,
            false => Revision::ZERO,
        };
        self.told.note(thread_id, whole, last);
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
        let every = if self.unheard.is_empty() && !self.round.is_urgent {
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
        if round.after.is_none() {
            round.is_urgent = std::mem::take(&mut round.once_more);
        }
        // A transaction may have waited for a while before it was committed, and clocks differ.
        let since = round.before.get().saturating_sub(POLL_OVERLAP_MS);
        (users, UnixMillis::try_from(since).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests;
