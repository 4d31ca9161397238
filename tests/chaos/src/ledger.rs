//! Everything that users ever asked for, and what they were told of it.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rejoinder::engine::{DiscardOutcome, Durability, SendResult};
use rejoinder_protocol::{ClientMsgId, ThreadId, UserId};

/// A message, as its user knows it.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    /// On which client it was written.
    pub(crate) device: usize,
    /// By whom.
    pub(crate) user_id: UserId,
    /// Where.
    pub(crate) thread_id: ThreadId,
    /// Its key.
    pub(crate) client_msg_id: ClientMsgId,
    /// Its text.
    pub(crate) body: String,
    /// It was handed to a connection.
    pub(crate) was_transmitted: bool,
    /// What `sendMessage` was answered.
    pub(crate) answer: Option<SendResult>,
    /// Its client crashed before the message was called safe: it may be gone, and nobody said no.
    pub(crate) is_orphan: bool,
    /// Its user wanted it back.
    pub(crate) is_discarded: bool,
    /// The last word on that.
    pub(crate) outcome: Option<DiscardOutcome>,
}

impl Sent {
    /// Whether its user was told that it is in storage.
    pub(crate) fn is_stored(&self) -> bool {
        let durability = Durability::Disk;
        self.answer == Some(SendResult::Taken { durability })
    }
}

/// Everything, by the order of writing.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pages: Mutex<Pages>,
}

#[derive(Debug, Default)]
struct Pages {
    all: Vec<Sent>,
    by_key: BTreeMap<ClientMsgId, usize>,
    /// What a client told or did that makes no sense.
    nonsense: Vec<String>,
}

impl Ledger {
    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A user writes.
    pub(crate) fn add(&self, sent: Sent) {
        let mut pages = self.pages();
        let index = pages.all.len();
        pages.by_key.insert(sent.client_msg_id, index);
        pages.all.push(sent);
    }

    /// Changes what is known of a message; returns whether it is one of ours.
    pub(crate) fn update(&self, key: ClientMsgId, change: impl FnOnce(&mut Sent)) -> bool {
        let mut pages = self.pages();
        let index = pages.by_key.get(&key).copied();
        let sent = index.and_then(|index| pages.all.get_mut(index));
        sent.map(change).is_some()
    }

    /// A client crashes: what was not called safe is in nobody's hands.
    pub(crate) fn crashed(&self, device: usize) {
        let mut pages = self.pages();
        let own = pages.all.iter_mut().filter(|sent| sent.device == device);
        for sent in own.filter(|sent| !sent.is_stored()) {
            sent.is_orphan = true;
        }
    }

    /// Something makes no sense.
    pub(crate) fn nonsense(&self, what: String) {
        self.pages().nonsense.push(what);
    }

    /// Returns everything, and what made no sense.
    pub(crate) fn read(&self) -> (Vec<Sent>, Vec<String>) {
        let pages = self.pages();
        (pages.all.clone(), pages.nonsense.clone())
    }
}
