//! Other gateways on the same store: what they are told, and what is known of their users.
//!
//! Whatever comes from there may be lost, late, doubled or in another order. Changes are told on only
//! if they follow what was told here; everything else is a reason to look into the store.

use std::collections::{BTreeSet, HashMap};

use rejoinder_protocol::{Epoch, Revision, ThreadId, UnixMillis, UserId};
use serde::{Deserialize, Serialize};

use super::Millis;
use super::config::{LEASE_RENEW_MS, LEASES_MAX};
use crate::store::Publication;

/// What one gateway tells all others.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum News {
    /// A change was committed.
    Changed {
        /// The history of the database that its numbers belong to.
        epoch: Epoch,
        /// The change.
        publication: Publication,
    },
    /// A change was committed that is too long to be told here.
    Moved {
        /// Where.
        thread_id: ThreadId,
        /// The newest change.
        revision: Revision,
        /// Whom it concerns.
        user_ids: Vec<UserId>,
    },
    /// A user came to a gateway or left one: the leases say where they are now.
    Presence {
        /// The user.
        user_id: UserId,
    },
    /// A user writes, or no longer does.
    Typing {
        /// Where.
        thread_id: ThreadId,
        /// Who.
        user_id: UserId,
        /// Whether they write.
        is_typing: bool,
    },
}

impl News {
    /// Returns the same without what changed: whoever is concerned looks.
    #[must_use]
    pub fn shortened(self) -> Self {
        match self {
            Self::Changed { publication, .. } => Self::Moved {
                revision: publication.head(),
                thread_id: publication.thread_id,
                user_ids: [publication.participants, publication.removed].concat(),
            },
            Self::Moved { .. } | Self::Presence { .. } | Self::Typing { .. } => self,
        }
    }
}

/// Whether any gateway holds a user's lease, by the clock that all of them share.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Lease {
    /// Nobody does.
    Free {
        /// When the last one ended, if that is still known.
        last_seen_at: Option<UnixMillis>,
    },
    /// Somebody does: the user has a connection.
    Held,
}

/// What other gateways are told or asked.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ToPeers {
    /// Hold leases for these users, or renew them. Not answered.
    Hold(Vec<UserId>),
    /// This gateway ends: let its leases for these users end when they had the time to come back to
    /// another, not before, so that nobody sees them go and come. Not answered.
    Leave(Vec<UserId>),
    /// Look at these users' leases. Answered by [`FromPeers::Leases`].
    Look(Vec<UserId>),
    /// Give back the lease of a user. Not answered.
    Release(UserId),
    /// Tell all of them. Not answered.
    Tell(News),
}

/// What is heard of other gateways.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum FromPeers {
    /// They can no longer be told nor heard.
    Down,
    /// Answers [`ToPeers::Look`].
    Leases(Vec<(UserId, Lease)>),
    /// Some of their news were missed.
    Missed,
    /// One of them tells something.
    News(News),
    /// From now on they can be told and heard; anything may have been missed before. Until the first
    /// of these they cannot.
    Up {
        /// Leases that are not held are believed only after so long, in milliseconds: they may have
        /// been lost, and not all be held again.
        settled_in_ms: u64,
    },
}

/// What is known of the users of other gateways, and what must be asked.
#[derive(Debug, Default)]
pub struct Peers {
    is_up: bool,
    leases: HashMap<UserId, Lease>,
    /// Asked for with the next question, which may be asked from this moment on.
    wanted: BTreeSet<UserId>,
    ask_at: Millis,
    renew_at: Millis,
}

impl Peers {
    /// Takes the news that the other gateways can be reached, and can be asked from a moment on;
    /// nothing that was known of their users counts any more.
    pub fn up(&mut self, ask_at: Millis) {
        *self = Self {
            is_up: true,
            ask_at,
            ..Self::default()
        };
    }

    /// Takes the news that they cannot be reached.
    pub fn down(&mut self) {
        *self = Self::default();
    }

    /// Returns whether they can be reached.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.is_up
    }

    /// Takes the news that something was missed: everything is looked at again.
    pub fn missed(&mut self) {
        self.renew_at = Millis(0);
    }

    /// Returns what is known of a user; `None` if nothing is.
    #[must_use]
    pub fn lease(&self, user_id: &UserId) -> Option<Lease> {
        self.leases.get(user_id).copied()
    }

    /// Asks for a user's lease, if anybody can be asked.
    pub fn want(&mut self, user_id: &UserId) {
        if self.is_up {
            self.wanted.insert(user_id.clone());
        }
    }

    /// Returns whose leases to ask for next; empty if nobody's.
    pub fn next_question(&mut self, now: Millis) -> Vec<UserId> {
        if now < self.ask_at {
            return Vec::new();
        }
        let question: Vec<_> = self.wanted.iter().take(LEASES_MAX).cloned().collect();
        for user_id in &question {
            self.wanted.remove(user_id);
        }
        question
    }

    /// Takes an answer; returns whether it was news.
    pub fn answered(&mut self, user_id: UserId, lease: Lease) -> bool {
        self.is_up && self.leases.insert(user_id, lease) != Some(lease)
    }

    /// Forgets a user's lease: it must be asked for before anything is told of it.
    pub fn forget(&mut self, user_id: &UserId) {
        self.leases.remove(user_id);
    }

    /// Returns whether leases must be renewed and looked at again, which then counts as done.
    pub fn renews(&mut self, now: Millis) -> bool {
        let renews = self.is_up && self.renew_at <= now;
        if renews {
            self.renew_at = now.after(LEASE_RENEW_MS);
        }
        renews
    }

    /// Forgets whoever nobody here watches any more.
    pub fn keep(&mut self, watched: &BTreeSet<UserId>) {
        self.leases.retain(|user_id, _| watched.contains(user_id));
    }

    /// Returns when there is something to renew or to ask.
    #[must_use]
    pub fn next_wakeup(&self) -> Option<Millis> {
        let asks = (!self.wanted.is_empty()).then_some(self.ask_at);
        let renews = self.is_up.then_some(self.renew_at);
        asks.into_iter().chain(renews).min()
    }
}
