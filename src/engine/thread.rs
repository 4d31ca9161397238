//! What the engine knows about one thread.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rejoinder_protocol::{ErrorCode, Revision, SequenceNumber, UserId};

use super::notice::{Row, ThreadMeta};
use super::thread_log::ThreadLog;
use super::time::Millis;

/// Whether the gateway sends us the thread's changes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Subscription {
    /// Not asked for on this connection, or to be asked for again.
    Idle,
    /// Asked for; pages follow, then `live`.
    CatchingUp { asked_at: Millis },
    /// Changes arrive one by one.
    Live,
}

/// Whether older messages are being fetched.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Older {
    /// Not asked for.
    Idle,
    /// From storage; `skipped` tells whether a change passed it meanwhile.
    FromStorage {
        before: SequenceNumber,
        skipped: Revision,
    },
    /// To be asked of the gateway once there is a connection.
    Wanted,
    /// From the gateway.
    FromGateway { before: SequenceNumber },
}

/// Our own lease of "is writing".
#[derive(Clone, Copy, Debug)]
pub(crate) struct OwnTyping {
    pub(crate) renewed_at: Millis,
}

/// What the engine knows about one thread.
#[derive(Debug)]
pub(crate) struct ThreadState {
    /// The application shows it.
    pub(crate) is_open: bool,
    /// Its confirmed part, once it was read from storage.
    pub(crate) log: Option<ThreadLog>,
    /// It is being read anew after a refused write: frames wait for the sync that follows.
    pub(crate) is_reloading: bool,
    pub(crate) subscription: Subscription,
    /// It was complete on the connection before, from which this one took over.
    pub(crate) was_live: bool,
    /// Not to be asked for before this.
    pub(crate) resubscribe_at: Option<Millis>,
    /// The newest change that anybody told us of.
    pub(crate) told: Revision,
    /// A change was dropped because one before it was missing.
    pub(crate) has_hole: bool,
    /// When to sync because `told` was not reached.
    pub(crate) hint_deadline: Option<Millis>,
    /// Messages up to here were announced before a reload, or before the thread was closed.
    pub(crate) announced: SequenceNumber,
    pub(crate) unavailable: Option<ErrorCode>,
    pub(crate) older: Older,
    /// Until when each partner is writing.
    pub(crate) typing: BTreeMap<UserId, Millis>,
    pub(crate) own_typing: Option<OwnTyping>,
    /// What the application was last told.
    pub(crate) shown: Shown,
}

/// What the application was last told of a thread, to tell it only what changed.
#[derive(Debug, Default)]
pub(crate) struct Shown {
    pub(crate) ids: Vec<Arc<str>>,
    pub(crate) pending: Vec<Row>,
    pub(crate) meta: Option<ThreadMeta>,
    /// Rows that changed since.
    pub(crate) touched: BTreeSet<SequenceNumber>,
    /// Whether the list of ids may have changed since.
    pub(crate) list_changed: bool,
    /// Whether anything may have changed since.
    pub(crate) is_dirty: bool,
}

impl ThreadState {
    pub(crate) fn new() -> Self {
        Self {
            is_open: false,
            log: None,
            is_reloading: false,
            subscription: Subscription::Idle,
            was_live: false,
            resubscribe_at: None,
            told: Revision::ZERO,
            has_hole: false,
            hint_deadline: None,
            announced: SequenceNumber::ZERO,
            unavailable: None,
            older: Older::Idle,
            typing: BTreeMap::new(),
            own_typing: None,
            shown: Shown {
                is_dirty: true,
                ..Shown::default()
            },
        }
    }

    /// Whether there is a log that frames may be applied to.
    pub(crate) fn is_ready(&self) -> bool {
        self.log.is_some() && !self.is_reloading
    }

    /// The log, while frames may be applied to it.
    pub(crate) fn active_log(&mut self) -> Option<&mut ThreadLog> {
        if self.is_reloading {
            None
        } else {
            self.log.as_mut()
        }
    }

    pub(crate) fn revision(&self) -> Revision {
        self.log
            .as_ref()
            .map_or(Revision::ZERO, ThreadLog::revision)
    }

    /// Everything up to here was announced, or shown when it was no news any more.
    pub(crate) fn announced_until(&self) -> SequenceNumber {
        let newest = self.log.as_ref().and_then(ThreadLog::newest);
        let newest = newest.map_or(SequenceNumber::ZERO, |held| held.message.sequence_number);
        self.announced.max(newest)
    }

    pub(crate) fn touch(&mut self) {
        self.shown.is_dirty = true;
    }

    pub(crate) fn touch_list(&mut self) {
        self.shown.is_dirty = true;
        self.shown.list_changed = true;
    }

    /// The connection is gone, and with it what only it carried.
    pub(crate) fn connection_lost(&mut self) {
        self.subscription = Subscription::Idle;
        self.was_live = false;
        self.resubscribe_at = None;
        self.hint_deadline = None;
        self.unavailable = None;
        self.typing.clear();
        self.own_typing = None;
        if matches!(self.older, Older::FromGateway { .. }) {
            self.older = Older::Wanted;
        }
        self.touch();
    }

    /// Ask again from the cursor, as soon as there is a connection.
    pub(crate) fn sync_again(&mut self) {
        self.subscription = Subscription::Idle;
        self.was_live = false;
        self.hint_deadline = None;
        self.touch();
    }

    /// Returns when the thread next needs attention on a live connection.
    pub(crate) fn next_deadline(&self, subscribe_timeout_ms: u64) -> Option<Millis> {
        let asked = match self.subscription {
            Subscription::CatchingUp { asked_at } => Some(asked_at.after(subscribe_timeout_ms)),
            // What is being read anew asks by itself once it is read.
            Subscription::Idle if self.is_ready() => self.resubscribe_at,
            Subscription::Idle => None,
            Subscription::Live => None,
        };
        let typing = self.typing.values().min().copied();
        [asked, typing, self.hint_deadline]
            .into_iter()
            .flatten()
            .min()
    }
}
