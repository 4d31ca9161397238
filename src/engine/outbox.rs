//! Messages that are not yet part of the log, in the order of sending.

use std::collections::BTreeMap;

use rejoinder_protocol::{Ack, ClientMsgId, ThreadId};

use super::config::ACK_TIMEOUT_MS;
use super::notice::Durability;
use super::stored::{EntryRecord, OrderNumber};
use super::time::Millis;

/// Whether a message's row is in the browser's storage.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Saved {
    /// Being written. After the deadline a row that carries `attempted` is sent all the same.
    Writing { deadline: Millis },
    /// The deadline passed; the row may still arrive.
    Late,
    /// It is.
    Disk,
    /// It is not and will not be.
    Memory,
}

/// Where a message stands on its way to the gateway.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Flight {
    /// Waits for its turn.
    Waiting,
    /// `attempted` is being written.
    Marking,
    /// Sent on this connection.
    Sent { at: Millis },
    /// Sent long ago; the connection is being probed, and the answer to that tells.
    Suspect { at: Millis },
    /// Acknowledged on this connection; waits for its change.
    Acked,
    /// Its row is gone: another tab confirmed or discarded it. What is stored of the thread, and
    /// catching up from there, tells which. The thread may have caught up once since: that answer
    /// may be to what was asked before.
    Elsewhere { caught_up: bool },
}

/// One message.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) record: EntryRecord,
    /// Its key in storage, once that is known.
    pub(crate) order: Option<OrderNumber>,
    pub(crate) saved: Saved,
    pub(crate) flight: Flight,
    /// The newest acknowledgement, also of an earlier connection; for display.
    pub(crate) ack: Option<Ack>,
    /// `sendMessage` was answered.
    pub(crate) is_settled: bool,
    /// A transaction that discards it is open.
    pub(crate) is_discarding: bool,
    /// When `cancel` was last sent on this connection.
    pub(crate) cancel_sent_at: Option<Millis>,
    /// `bad_json` and `unknown_type` answers so far.
    pub(crate) strange_errors: u8,
}

impl Entry {
    pub(crate) fn new(record: EntryRecord, saved: Saved) -> Self {
        Self {
            record,
            order: None,
            saved,
            flight: Flight::Waiting,
            ack: None,
            is_settled: false,
            is_discarding: false,
            cancel_sent_at: None,
            strange_errors: 0,
        }
    }

    /// A row that some engine wrote before, or another tab now.
    pub(crate) fn adopted(order: OrderNumber, record: EntryRecord) -> Self {
        Self {
            order: Some(order),
            is_settled: true,
            ..Self::new(record, Saved::Disk)
        }
    }

    pub(crate) fn durability(&self) -> Option<Durability> {
        match self.saved {
            Saved::Writing { .. } => None,
            Saved::Late | Saved::Memory => Some(Durability::Memory),
            Saved::Disk => Some(Durability::Disk),
        }
    }

    /// Whether another tab took it away, and nobody here asked the gateway to.
    fn is_elsewhere(&self) -> bool {
        matches!(self.flight, Flight::Elsewhere { .. }) && !self.record.cancel_wanted
    }

    /// Whether the row may be sent without asking storage first.
    fn may_transmit(&self) -> bool {
        #[cfg(feature = "mutants")]
        if rejoinder_mutants::planted!(SentBeforeStored) {
            return true;
        }
        match self.saved {
            Saved::Writing { .. } => false,
            Saved::Late | Saved::Disk => self.record.attempted,
            Saved::Memory => true,
        }
    }
}

/// What the head of a thread's queue needs next.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Next {
    /// Transmit it.
    Transmit(ClientMsgId),
    /// Write `attempted` first.
    Mark(ClientMsgId),
}

/// After a transient refusal, a thread waits.
#[derive(Clone, Copy, Debug)]
struct Pause {
    until: Millis,
    refusals: u32,
}

/// All messages that are not yet part of the log.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outbox {
    entries: Vec<Entry>,
    /// All rows of storage up to this one were read once.
    seen: OrderNumber,
    pauses: BTreeMap<ThreadId, Pause>,
}

impl Outbox {
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Messages that the gateway has not acknowledged.
    pub(crate) fn waiting(&self) -> usize {
        self.entries
            .iter()
            .filter(|entry| entry.flight != Flight::Acked)
            .count()
    }

    pub(crate) fn get(&self, client_msg_id: ClientMsgId) -> Option<&Entry> {
        self.entries
            .iter()
            .find(|entry| entry.record.client_msg_id == client_msg_id)
    }

    pub(crate) fn get_mut(&mut self, client_msg_id: ClientMsgId) -> Option<&mut Entry> {
        self.entries
            .iter_mut()
            .find(|entry| entry.record.client_msg_id == client_msg_id)
    }

    pub(crate) fn seen(&self) -> OrderNumber {
        self.seen
    }

    /// Everything up to `order` was read.
    pub(crate) fn see(&mut self, order: OrderNumber) {
        self.seen = self.seen.max(order);
    }

    pub(crate) fn push(&mut self, entry: Entry) {
        self.entries.push(entry);
    }

    /// Puts a row of storage in its place: before all later rows and before those without a number,
    /// which were sent after it. A row that is held already learns its number.
    pub(crate) fn adopt(&mut self, order: OrderNumber, record: EntryRecord) {
        if let Some(entry) = self.get_mut(record.client_msg_id) {
            entry.order = Some(order);
            entry.record.cancel_wanted |= record.cancel_wanted;
            return;
        }
        let at = self
            .entries
            .iter()
            .position(|entry| entry.order.is_none_or(|held| held > order))
            .unwrap_or(self.entries.len());
        #[cfg(feature = "mutants")]
        let at = match rejoinder_mutants::planted!(OrderByClock) {
            true => self.place_by_clock(&record),
            false => at,
        };
        self.entries.insert(at, Entry::adopted(order, record));
    }

    #[cfg(feature = "mutants")]
    fn place_by_clock(&self, record: &EntryRecord) -> usize {
        let is_later = |entry: &Entry| entry.record.created_at > record.created_at;
        let place = self.entries.iter().position(is_later);
        place.unwrap_or(self.entries.len())
    }

    pub(crate) fn remove(&mut self, client_msg_id: ClientMsgId) -> Option<Entry> {
        let at = self
            .entries
            .iter()
            .position(|entry| entry.record.client_msg_id == client_msg_id)?;
        Some(self.entries.remove(at))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter()
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Entry> {
        self.entries.iter_mut()
    }

    pub(crate) fn of_thread(&self, thread_id: &ThreadId) -> impl Iterator<Item = &Entry> {
        self.entries
            .iter()
            .filter(move |entry| entry.record.thread_id == *thread_id)
    }

    pub(crate) fn has_thread(&self, thread_id: &ThreadId) -> bool {
        self.of_thread(thread_id).next().is_some()
    }

    pub(crate) fn thread_ids(&self) -> Vec<ThreadId> {
        let mut ids: Vec<ThreadId> = self
            .entries
            .iter()
            .map(|entry| entry.record.thread_id.clone())
            .collect();
        ids.sort();
        ids.dedup();
        ids
    }

    /// Returns the failed message that holds up later ones of its thread.
    pub(crate) fn blocker(&self, thread_id: &ThreadId, skip_failed: bool) -> Option<ClientMsgId> {
        if skip_failed {
            return None;
        }
        self.of_thread(thread_id)
            .find(|entry| entry.record.failed.is_some() && !entry.record.cancel_wanted)
            .map(|entry| entry.record.client_msg_id)
    }

    /// Returns what the head of a thread's queue needs next, on a live connection.
    ///
    /// First in, first out, with one message in flight; a discarded one is out of the queue.
    pub(crate) fn next(
        &self,
        thread_id: &ThreadId,
        now: Millis,
        skip_failed: bool,
    ) -> Option<Next> {
        if self
            .pauses
            .get(thread_id)
            .is_some_and(|pause| pause.until > now)
        {
            return None;
        }
        // A discard races with `attempted`: until it is decided nothing may leave.
        if self.of_thread(thread_id).any(|entry| entry.is_discarding) {
            return None;
        }
        for entry in self.of_thread(thread_id) {
            let is_over = matches!(entry.flight, Flight::Acked | Flight::Elsewhere { .. });
            if entry.record.cancel_wanted || is_over {
                continue;
            }
            if entry.record.failed.is_some() {
                #[cfg(feature = "mutants")]
                let skip_failed = skip_failed || rejoinder_mutants::planted!(SkipOnFailure);
                if skip_failed {
                    continue;
                }
                return None;
            }
            return match entry.flight {
                Flight::Marking
                | Flight::Sent { .. }
                | Flight::Suspect { .. }
                | Flight::Acked
                | Flight::Elsewhere { .. } => None,
                Flight::Waiting if entry.may_transmit() => {
                    Some(Next::Transmit(entry.record.client_msg_id))
                }
                Flight::Waiting if entry.saved == Saved::Disk => {
                    Some(Next::Mark(entry.record.client_msg_id))
                }
                Flight::Waiting => None,
            };
        }
        None
    }

    /// Holds a thread after a transient refusal: `retry_after_ms`, else 1 s doubling to 32 s.
    pub(crate) fn pause(&mut self, thread_id: &ThreadId, now: Millis, retry_after_ms: Option<u64>) {
        let refusals = self.pauses.get(thread_id).map_or(0, |pause| pause.refusals);
        let growing = 1_000_u64 << refusals.min(5);
        let until = now.after(retry_after_ms.unwrap_or(growing));
        self.pauses.insert(
            thread_id.clone(),
            Pause {
                until,
                refusals: refusals + 1,
            },
        );
    }

    pub(crate) fn unpause(&mut self, thread_id: &ThreadId) {
        self.pauses.remove(thread_id);
    }

    /// The connection is gone, and with it what it was asked to wait for.
    pub(crate) fn connection_lost(&mut self) {
        self.handed_over();
        self.pauses.clear();
    }

    /// Another connection carries on: what was in flight on the one before is not any more,
    /// acknowledged or not. A thread that waits after a refusal goes on waiting: a text that is
    /// refused on the way is refused again.
    pub(crate) fn handed_over(&mut self) {
        for entry in &mut self.entries {
            entry.cancel_sent_at = None;
            match entry.flight {
                Flight::Sent { .. } | Flight::Suspect { .. } | Flight::Acked => {
                    entry.flight = Flight::Waiting;
                }
                // The transaction is still open and will be answered.
                Flight::Marking | Flight::Waiting => {}
                Flight::Elsewhere { .. } => {}
            }
        }
    }

    /// Returns what another tab must have discarded, if the thread's changes do not tell of it.
    /// What is being cancelled from here as well waits for the gateway's word.
    pub(crate) fn elsewhere(&self, thread_id: &ThreadId) -> Vec<ClientMsgId> {
        self.of_thread(thread_id)
            .filter(|entry| entry.is_elsewhere())
            .map(|entry| entry.record.client_msg_id)
            .collect()
    }

    /// A thread has caught up. Returns what other tabs took away and no change told of, though it
    /// had caught up once before; and whether there is more, for which it had not.
    pub(crate) fn caught_up(&mut self, thread_id: &ThreadId) -> (Vec<ClientMsgId>, bool) {
        let mut gone = Vec::new();
        let mut is_doubtful = false;
        for entry in &mut self.entries {
            if entry.record.thread_id != *thread_id || !entry.is_elsewhere() {
                continue;
            }
            let caught_up = Flight::Elsewhere { caught_up: true };
            if std::mem::replace(&mut entry.flight, caught_up) == caught_up {
                gone.push(entry.record.client_msg_id);
            } else {
                is_doubtful = true;
            }
        }
        (gone, is_doubtful)
    }

    /// Returns when the outbox next needs attention.
    pub(crate) fn next_deadline(&self, is_live: bool, now: Millis) -> Option<Millis> {
        let entries = self
            .entries
            .iter()
            .filter_map(|entry| match (entry.saved, entry.flight) {
                (Saved::Writing { deadline }, _) => Some(deadline),
                (_, Flight::Sent { at } | Flight::Suspect { at }) => Some(at.after(ACK_TIMEOUT_MS)),
                _ => entry.cancel_sent_at.map(|at| at.after(ACK_TIMEOUT_MS)),
            });
        let pauses = self
            .pauses
            .values()
            .map(|pause| pause.until)
            .filter(|until| *until > now);
        let pauses = pauses.filter(|_| is_live);
        entries.chain(pauses).min()
    }
}
