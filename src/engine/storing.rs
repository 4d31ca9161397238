//! What goes to the browser's storage, and what its answers mean.

use std::collections::BTreeMap;

use rejoinder_protocol::{ClientMsgId, Epoch, HistoryPage, ThreadId};

use super::Engine;
use super::config::OUTBOX_RELOAD_MS;
use super::effect::Effect;
use super::input::{StorageFailure, StoredResult, WriteId};
use super::notice::{DiscardOutcome, Durability};
use super::outbox::{Flight, Saved};
use super::stored::{Advance, Answer, History, OrderNumber, Reset, Write};
use super::thread_log::Applied;
use super::time::Millis;

/// Whether the outbox was read at the start.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Boot {
    #[default]
    NotAsked,
    Asked,
    Done,
}

/// What a write was for.
#[derive(Clone, Debug)]
pub(crate) enum PendingWrite {
    Enqueue(ClientMsgId),
    Mark(ClientMsgId),
    Discard(ClientMsgId),
    /// Confirmed rows of a thread.
    Confirmed(ThreadId),
    Other,
}

/// The browser's storage, as far as it was heard of.
#[derive(Clone, Debug, Default)]
pub(crate) struct Storage {
    pub(crate) boot: Boot,
    /// The history of the last welcome.
    pub(crate) epoch: Option<Epoch>,
    /// Why nothing is stored.
    pub(crate) failure: Option<StorageFailure>,
    /// Confirmed rows are not stored any more: the cache is behind, but whole.
    is_cache_off: bool,
    /// With the rows of the outbox that each write deletes.
    pending: BTreeMap<WriteId, (PendingWrite, Vec<ClientMsgId>)>,
    last_write: WriteId,
    /// An outbox load is under way.
    pub(super) is_loading: bool,
    /// When the outbox was last asked for.
    pub(super) loaded_at: Millis,
}

impl Storage {
    /// Whether messages of the outbox are stored.
    pub(crate) fn is_on(&self) -> bool {
        self.failure.is_none()
    }

    fn has_cache(&self) -> bool {
        self.is_on() && !self.is_cache_off
    }

    /// Whether the deletion of a row was asked for and not answered: what storage still tells of it
    /// is old.
    pub(super) fn is_deleting(&self, client_msg_id: ClientMsgId) -> bool {
        let mut writes = self.pending.values();
        writes.any(|(_, deleted)| deleted.contains(&client_msg_id))
    }

    /// Returns when the outbox is to be read again, on a live connection.
    pub(crate) fn next_deadline(&self) -> Option<Millis> {
        let is_due = self.is_on() && self.boot == Boot::Done && !self.is_loading;
        is_due.then(|| self.loaded_at.after(OUTBOX_RELOAD_MS))
    }
}

impl Engine {
    pub(super) fn persist(
        &mut self,
        pending: PendingWrite,
        write: Write,
        effects: &mut Vec<Effect>,
    ) {
        if !self.storage.is_on() {
            return;
        }
        self.storage.last_write.0 += 1;
        let write_id = self.storage.last_write;
        let deleted = write.deleted_rows().to_vec();
        self.storage.pending.insert(write_id, (pending, deleted));
        effects.push(Effect::Persist { write_id, write });
    }

    /// Writes confirmed rows, unless the cache is off or the thread is being read anew: after a
    /// refusal every later write rests on what was refused.
    pub(super) fn persist_thread(
        &mut self,
        thread_id: &ThreadId,
        write: Write,
        effects: &mut Vec<Effect>,
    ) {
        let is_reloading = self
            .threads
            .get(thread_id)
            .is_some_and(|thread| thread.is_reloading);
        if self.storage.has_cache() && !is_reloading {
            self.persist(PendingWrite::Confirmed(thread_id.clone()), write, effects);
        }
    }

    pub(super) fn delete_entries(
        &mut self,
        client_msg_ids: Vec<ClientMsgId>,
        effects: &mut Vec<Effect>,
    ) {
        if !client_msg_ids.is_empty() {
            let write = Write::DeleteEntries { client_msg_ids };
            self.persist(PendingWrite::Other, write, effects);
        }
    }

    pub(super) fn persist_advance(
        &mut self,
        thread_id: &ThreadId,
        applied: Applied,
        settled: Vec<ClientMsgId>,
        effects: &mut Vec<Effect>,
    ) {
        if !self.storage.has_cache() {
            self.delete_entries(settled, effects);
            return;
        }
        let log = self
            .threads
            .get(thread_id)
            .and_then(|thread| thread.log.as_ref());
        let Some((epoch, reset_count)) = log.and_then(|log| log.stored.clone()) else {
            // Nothing of the thread is stored that could be continued, but the outbox is.
            self.delete_entries(settled, effects);
            return;
        };
        let Applied {
            from,
            to,
            messages,
            participants,
            ..
        } = applied;
        let thread_id = thread_id.clone();
        let write = Write::Advance(Advance {
            thread_id: thread_id.clone(),
            epoch,
            reset_count,
            from,
            to,
            messages,
            participants,
            settled,
        });
        self.persist_thread(&thread_id, write, effects);
    }

    pub(super) fn persist_reset(
        &mut self,
        thread_id: &ThreadId,
        expected: Option<(Epoch, u64)>,
        applied: Applied,
        settled: Vec<ClientMsgId>,
        effects: &mut Vec<Effect>,
    ) {
        let has_cache = self.storage.has_cache();
        let Some(log) = self
            .threads
            .get_mut(thread_id)
            .and_then(|thread| thread.log.as_mut())
        else {
            return;
        };
        let Some(cursor) = log.cursor.clone() else {
            return;
        };
        log.reset_stored();
        if !has_cache {
            self.delete_entries(settled, effects);
            return;
        }
        #[cfg(feature = "mutants")]
        let settled = match rejoinder_mutants::planted!(ResetWipesOutbox) {
            true => self
                .outbox
                .iter()
                .map(|one| one.record.client_msg_id)
                .collect(),
            false => settled,
        };
        let write = Write::Reset(Reset {
            thread_id: thread_id.clone(),
            expected,
            from: applied.from,
            epoch: cursor.epoch,
            head: cursor.revision,
            messages: applied.messages,
            participants: applied.participants,
            settled,
        });
        self.persist_thread(thread_id, write, effects);
    }

    pub(super) fn persist_history(&mut self, page: &HistoryPage, effects: &mut Vec<Effect>) {
        let has_cache = self.storage.has_cache();
        let Some(log) = self
            .threads
            .get_mut(&page.thread_id)
            .and_then(|thread| thread.log.as_mut())
        else {
            return;
        };
        log.stored_oldest = log.oldest;
        let Some((epoch, reset_count)) = log.stored.clone() else {
            return;
        };
        let settled = log.own_keys(&page.messages);
        if page.messages.is_empty() || !has_cache {
            self.delete_entries(settled, effects);
            return;
        }
        let write = Write::History(History {
            thread_id: page.thread_id.clone(),
            epoch,
            reset_count,
            as_of: page.as_of,
            messages: page.messages.clone(),
        });
        self.persist_thread(&page.thread_id, write, effects);
        let settled: Vec<_> = settled
            .into_iter()
            .filter(|id| self.outbox.get(*id).is_some())
            .collect();
        self.delete_entries(settled, effects);
    }

    /// Storage does not work: from now on everything is in memory, and says so.
    pub(super) fn storage_failed(&mut self, failure: StorageFailure) {
        self.storage.failure = Some(failure);
        for thread in self.threads.values_mut() {
            thread.touch_list();
        }
    }

    pub(super) fn handle_stored(
        &mut self,
        write_id: WriteId,
        result: StoredResult,
        effects: &mut Vec<Effect>,
    ) {
        let Some((pending, _)) = self.storage.pending.remove(&write_id) else {
            return;
        };
        match result {
            StoredResult::Committed { answer, added } => {
                self.committed(pending, answer, added, effects);
            }
            #[cfg(feature = "mutants")]
            StoredResult::Refused if rejoinder_mutants::planted!(RefusalIgnored) => {}
            StoredResult::Refused => {
                if let PendingWrite::Confirmed(thread_id) = pending {
                    self.reload_thread(&thread_id, effects);
                }
            }
            StoredResult::Failed(failure) => self.write_failed(pending, failure, effects),
        }
    }

    fn committed(
        &mut self,
        pending: PendingWrite,
        answer: Answer,
        added: Option<OrderNumber>,
        effects: &mut Vec<Effect>,
    ) {
        match (pending, answer) {
            (PendingWrite::Enqueue(client_msg_id), Answer::Enqueued { earlier }) => {
                self.enqueued(client_msg_id, added, effects);
                self.adopt(earlier, effects);
                self.outbox.see(added.unwrap_or_default());
            }
            (PendingWrite::Mark(client_msg_id), Answer::Attempted { present, earlier }) => {
                self.marked(client_msg_id, present, effects);
                self.adopt(earlier, effects);
            }
            (PendingWrite::Discard(client_msg_id), Answer::Deleted) => {
                self.discarded(client_msg_id, DiscardOutcome::Discarded, effects);
            }
            // It was sent, or another tab confirmed or discarded it: only the gateway knows.
            (PendingWrite::Discard(client_msg_id), _) => {
                self.discarded(client_msg_id, DiscardOutcome::MaybeSent, effects);
            }
            (
                PendingWrite::Enqueue(_)
                | PendingWrite::Mark(_)
                | PendingWrite::Confirmed(_)
                | PendingWrite::Other,
                _,
            ) => {}
        }
    }

    fn enqueued(
        &mut self,
        client_msg_id: ClientMsgId,
        order: Option<OrderNumber>,
        effects: &mut Vec<Effect>,
    ) {
        let Some(entry) = self.outbox.get_mut(client_msg_id) else {
            // It was confirmed or cancelled before its row was written.
            self.delete_entries(vec![client_msg_id], effects);
            return;
        };
        entry.order = order;
        entry.saved = Saved::Disk;
        let thread_id = entry.record.thread_id.clone();
        self.settle(client_msg_id, Durability::Disk, effects);
        self.touch_pending(&thread_id);
    }

    fn marked(&mut self, client_msg_id: ClientMsgId, present: bool, effects: &mut Vec<Effect>) {
        let Some(entry) = self.outbox.get_mut(client_msg_id) else {
            return;
        };
        entry.flight = Flight::Waiting;
        if present {
            entry.record.attempted = true;
            return;
        }
        // Another tab discarded it, or its change is stored and on its way to us.
        entry.flight = Flight::Elsewhere { caught_up: false };
        let thread_id = entry.record.thread_id.clone();
        self.reload_thread(&thread_id, effects);
        // A wish to cancel that another tab stored is ours to carry out as well.
        self.load_outbox(effects);
    }

    fn write_failed(
        &mut self,
        pending: PendingWrite,
        failure: StorageFailure,
        effects: &mut Vec<Effect>,
    ) {
        match pending {
            PendingWrite::Enqueue(client_msg_id) => {
                if let Some(entry) = self.outbox.get_mut(client_msg_id) {
                    entry.saved = Saved::Memory;
                }
                self.settle(client_msg_id, Durability::Memory, effects);
                self.storage_failed(failure);
            }
            PendingWrite::Mark(client_msg_id) => {
                if let Some(entry) = self.outbox.get_mut(client_msg_id) {
                    entry.flight = Flight::Waiting;
                }
                self.storage_failed(failure);
            }
            PendingWrite::Discard(client_msg_id) => {
                self.storage_failed(failure);
                self.discard_in_memory(client_msg_id, effects);
            }
            // The cache is behind but whole; the outbox may still have room.
            PendingWrite::Confirmed(_) => self.storage.is_cache_off = true,
            PendingWrite::Other => {}
        }
    }

    /// Whether stored messages below the window are as new as the log.
    pub(super) fn may_read_older(&self) -> bool {
        self.storage.has_cache()
    }
}
