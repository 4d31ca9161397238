//! The pump: what a session must still read so that its client misses nothing.
//!
//! Subscribing is syncing. One page at a time is read, of one thread after the other, and only when
//! the client has taken everything before it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use rejoinder_protocol::{Cursor, Epoch, Revision, Since, ThreadId, UserId};

use crate::core::Millis;
use crate::core::config::{PARKED_MS, SUBSCRIPTIONS_MAX, SUMMARIES_MAX};
use crate::store::Read;

/// What a read is for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Pumped {
    /// A page of a subscription; `turn` tells a newer subscription of the same thread apart.
    Page { thread_id: ThreadId, turn: u64 },
    /// A summary that found no place in the queue.
    Summary { thread_id: ThreadId },
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    /// Waits for its turn to read.
    Due,
    /// Its page is being read, or its `--dev` thread is being made.
    Reading,
    /// Told live, or about to be.
    Told,
    /// Looks again at this moment, unless something happens before.
    Resting(Millis),
}

#[derive(Debug)]
struct Subscription {
    since: Since,
    state: State,
    turn: u64,
    /// Whether its `--dev` thread was already asked for.
    made: bool,
    /// Whether the store has said that its user may.
    admitted: bool,
}

/// The subscriptions of one session.
#[derive(Debug, Default)]
pub(crate) struct Subscriptions {
    all: BTreeMap<ThreadId, Subscription>,
    due: VecDeque<ThreadId>,
    summaries: BTreeSet<ThreadId>,
    /// Summaries that could not be read, and when they are tried again.
    unread: BTreeMap<ThreadId, Millis>,
    reading: bool,
    last_turn: u64,
}

impl Subscriptions {
    /// Begins a subscription, or begins it again from another place; `false` if there are too many.
    pub(crate) fn begin(&mut self, thread_id: &ThreadId, since: Since) -> bool {
        if self.all.len() >= SUBSCRIPTIONS_MAX && !self.all.contains_key(thread_id) {
            return false;
        }
        self.last_turn += 1;
        let subscription = Subscription {
            since,
            state: State::Due,
            turn: self.last_turn,
            made: false,
            admitted: false,
        };
        self.all.insert(thread_id.clone(), subscription);
        self.enqueue(thread_id);
        true
    }

    fn enqueue(&mut self, thread_id: &ThreadId) {
        if !self.due.contains(thread_id) {
            self.due.push_back(thread_id.clone());
        }
    }

    /// Ends a subscription; returns whether there was one.
    pub(crate) fn end(&mut self, thread_id: &ThreadId) -> bool {
        self.due.retain(|one| one != thread_id);
        self.all.remove(thread_id).is_some()
    }

    /// Returns the threads, and forgets them.
    pub(crate) fn end_all(&mut self) -> Vec<ThreadId> {
        self.due.clear();
        self.summaries.clear();
        self.unread.clear();
        std::mem::take(&mut self.all).into_keys().collect()
    }

    /// Returns whether a subscription exists.
    pub(crate) fn contains(&self, thread_id: &ThreadId) -> bool {
        self.all.contains_key(thread_id)
    }

    /// Returns the next read, if none is under way. Call it only when the client took everything.
    pub(crate) fn next_read(&mut self, user_id: &UserId) -> Option<(Read, Pumped)> {
        if self.reading {
            return None;
        }
        while let Some(thread_id) = self.due.pop_front() {
            let Some(subscription) = self.all.get_mut(&thread_id) else {
                continue;
            };
            if subscription.state != State::Due {
                continue; // It went live while it waited for its turn.
            }
            subscription.state = State::Reading;
            self.reading = true;
            let read = Read::Page {
                user_id: user_id.clone(),
                thread_id: thread_id.clone(),
                since: subscription.since.clone(),
                to_revision: None,
            };
            let turn = subscription.turn;
            return Some((read, Pumped::Page { thread_id, turn }));
        }
        let thread_id = self.summaries.pop_first()?;
        self.reading = true;
        let read = Read::Summary {
            user_id: user_id.clone(),
            thread_id: thread_id.clone(),
        };
        Some((read, Pumped::Summary { thread_id }))
    }

    /// Takes the news that the read is answered; returns whether the answer is still wanted.
    pub(crate) fn answered(&mut self, pumped: &Pumped) -> bool {
        self.reading = false;
        match pumped {
            Pumped::Page { thread_id, turn } => {
                let subscription = self.all.get(thread_id);
                subscription.is_some_and(|one| one.turn == *turn && one.state == State::Reading)
            }
            Pumped::Summary { .. } => true,
        }
    }

    /// Returns whether a page of this thread was read before.
    pub(crate) fn was_admitted(&self, thread_id: &ThreadId) -> bool {
        self.all.get(thread_id).is_some_and(|one| one.admitted)
    }

    /// Moves the cursor to where the client will stand after what is queued.
    pub(crate) fn moved(&mut self, thread_id: &ThreadId, epoch: &Epoch, revision: Revision) {
        if let Some(subscription) = self.all.get_mut(thread_id) {
            let epoch = epoch.clone();
            subscription.since = Since::Cursor(Cursor { epoch, revision });
            subscription.admitted = true;
        }
    }

    fn set(&mut self, thread_id: &ThreadId, state: State) {
        if let Some(subscription) = self.all.get_mut(thread_id) {
            subscription.state = state;
        }
    }

    /// Reads this thread again when its turn comes.
    pub(crate) fn again(&mut self, thread_id: &ThreadId) {
        if self.all.contains_key(thread_id) {
            self.set(thread_id, State::Due);
            self.enqueue(thread_id);
        }
    }

    /// Reads this thread again after a while.
    pub(crate) fn rest(&mut self, now: Millis, thread_id: &ThreadId) {
        self.set(thread_id, State::Resting(now.after(PARKED_MS)));
    }

    /// Takes the news that the hub tells this thread's changes from now on.
    pub(crate) fn told(&mut self, thread_id: &ThreadId) {
        self.set(thread_id, State::Told);
    }

    /// Returns whether the thread's `--dev` pair was not asked for yet, and notes that it is.
    pub(crate) fn make_once(&mut self, thread_id: &ThreadId) -> bool {
        let subscription = self.all.get_mut(thread_id);
        subscription.is_some_and(|one| !std::mem::replace(&mut one.made, true))
    }

    /// Asks for the `--dev` pair once more after a while: the store did not take it now.
    pub(crate) fn make_again(&mut self, now: Millis, thread_id: &ThreadId) {
        if let Some(subscription) = self.all.get_mut(thread_id) {
            subscription.made = false;
        }
        self.rest(now, thread_id);
    }

    /// Notes that the client must still be shown how a thread now looks in a list; `false` if there
    /// are too many such.
    pub(crate) fn owe_summary(&mut self, thread_id: &ThreadId) -> bool {
        self.unread.remove(thread_id);
        self.summaries.insert(thread_id.clone());
        self.summaries.len() + self.unread.len() <= SUMMARIES_MAX
    }

    /// Reads a summary again after a while: it may tell whoever was let in again that they are.
    pub(crate) fn owe_summary_later(&mut self, now: Millis, thread_id: ThreadId) {
        if !self.summaries.contains(&thread_id) {
            self.unread.insert(thread_id, now.after(PARKED_MS));
        }
    }

    /// Wakes those that rested until now.
    pub(crate) fn tick(&mut self, now: Millis) {
        let rested = |one: &Subscription| matches!(one.state, State::Resting(at) if at <= now);
        let awake: Vec<_> = self
            .all
            .iter()
            .filter(|(_, one)| rested(one))
            .map(|(thread_id, _)| thread_id.clone())
            .collect();
        for thread_id in awake {
            self.again(&thread_id);
        }
        self.unread.retain(|thread_id, at| {
            let waits = *at > now;
            if !waits {
                self.summaries.insert(thread_id.clone());
            }
            waits
        });
    }

    /// Returns when the next one wakes.
    pub(crate) fn next_wakeup(&self) -> Option<Millis> {
        let resting = self.all.values().filter_map(|one| match one.state {
            State::Resting(at) => Some(at),
            State::Due | State::Reading | State::Told => None,
        });
        resting.chain(self.unread.values().copied()).min()
    }
}
