//! What the users asked for, and what they were told: the other half of the truth.

use std::collections::BTreeMap;

use rejoinder::engine::{DiscardOutcome, Durability, SendResult};
use rejoinder_gateway::store::plan::KeyName;
use rejoinder_protocol::{ClientMsgId, ThreadId, UserId};

use crate::action::DeviceNo;

/// The answer after which the end of the page does not matter.
pub const SAFE: SendResult = SendResult::Taken {
    durability: Durability::Disk,
};

/// One call of `sendMessage`.
#[derive(Clone, Debug)]
pub struct Sent {
    /// Whose.
    pub user_id: UserId,
    /// To where.
    pub thread_id: ThreadId,
    /// Under which key.
    pub client_msg_id: ClientMsgId,
    /// What.
    pub body: String,
    /// From which device.
    pub device: DeviceNo,
    /// From which page.
    pub page: usize,
    /// What it was answered.
    pub answer: Option<SendResult>,
    /// How many calls there had been when it was answered "disk".
    pub safe_since: Option<usize>,
    /// The key is a copy of another message's, of this or another user.
    pub is_unusual: bool,
    /// It is shown as failed, and its user has not decided yet.
    pub is_failed: bool,
    /// It was refused for good at some time, so later ones may have gone before it.
    pub has_failed: bool,
    /// The user asked to take it back.
    pub is_discarded: bool,
    /// Which page said the last word on that.
    pub told_by: Option<usize>,
    /// What the last word on that was.
    pub outcome: Option<DiscardOutcome>,
    /// Its page ended before it was safe or committed: if it arrives, then late.
    pub is_orphan: bool,
    /// The device forgot everything: its storage was thrown away, or the user logged out.
    pub is_forgotten: bool,
}

impl Sent {
    /// Returns the full name of its key.
    pub fn key_name(&self) -> KeyName {
        let (thread_id, user_id) = (self.thread_id.clone(), self.user_id.clone());
        (thread_id, user_id, self.client_msg_id)
    }

    /// Whether the user was told that the end of the page does not matter.
    pub fn is_safe(&self) -> bool {
        self.answer.as_ref() == Some(&SAFE)
    }
}

/// Everything the users asked for.
#[derive(Debug, Default)]
pub struct Ledger {
    /// Every call, in order.
    pub calls: Vec<Sent>,
    by_key: BTreeMap<(UserId, ClientMsgId), Vec<usize>>,
}

impl Ledger {
    /// Notes a call.
    pub fn add(&mut self, sent: Sent) {
        let name = (sent.user_id.clone(), sent.client_msg_id);
        let indexes = self.by_key.entry(name).or_default();
        indexes.push(self.calls.len());
        self.calls.push(sent);
        if indexes.len() > 1 {
            // What becomes of one becomes of all of them.
            for index in indexes {
                self.calls[*index].is_unusual = true;
            }
        }
    }

    fn indexes(&self, user_id: &UserId, key: ClientMsgId) -> Vec<usize> {
        self.by_key
            .get(&(user_id.clone(), key))
            .cloned()
            .unwrap_or_default()
    }

    /// Returns the calls under a key.
    pub fn of_key(&self, user_id: &UserId, key: ClientMsgId) -> Vec<&Sent> {
        let indexes = self.indexes(user_id, key);
        indexes
            .into_iter()
            .map(|index| &self.calls[index])
            .collect()
    }

    /// Changes the calls under a key that a device made.
    pub fn update(
        &mut self,
        user_id: &UserId,
        key: ClientMsgId,
        device: DeviceNo,
        mut change: impl FnMut(&mut Sent, usize),
    ) {
        let count = self.calls.len();
        for index in self.indexes(user_id, key) {
            if self.calls[index].device == device {
                change(&mut self.calls[index], count);
            }
        }
    }

    /// Returns whether any device of the user asked to take a message back.
    pub fn is_discarded(&self, user_id: &UserId, key: ClientMsgId) -> bool {
        self.of_key(user_id, key)
            .iter()
            .any(|sent| sent.is_discarded)
    }

    /// Returns whether a device has forgotten a message.
    pub fn is_forgotten(&self, user_id: &UserId, key: ClientMsgId) -> bool {
        self.of_key(user_id, key)
            .iter()
            .any(|sent| sent.is_forgotten)
    }

    /// A device forgets everything it was asked for until now.
    pub fn forget(&mut self, device: DeviceNo) {
        for sent in self.calls.iter_mut().filter(|sent| sent.device == device) {
            sent.is_forgotten = true;
        }
    }
}
