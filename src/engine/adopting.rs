//! Reading the outbox: what an earlier page or another tab left there.

use rejoinder_protocol::{ClientMsgId, ThreadId};

use super::Engine;
use super::connection::State;
use super::effect::Effect;
use super::input::{OutboxLoad, StorageFailure};
use super::outbox::{Entry, Flight, Saved};
use super::stored::{EntryRecord, OrderNumber};
use super::storing::Boot;

impl Engine {
    /// Reads the outbox again: other tabs write to it too.
    pub(super) fn load_outbox(&mut self, effects: &mut Vec<Effect>) {
        #[cfg(feature = "mutants")]
        if rejoinder_mutants::planted!(OutboxReadOnce) {
            return;
        }
        if self.storage.is_on() && !std::mem::replace(&mut self.storage.is_loading, true) {
            self.storage.loaded_at = self.clock.now.monotonic;
            effects.push(Effect::LoadOutbox);
        }
    }

    pub(super) fn check_storage(&mut self, effects: &mut Vec<Effect>) {
        let now = self.clock.now.monotonic;
        let is_due = self
            .storage
            .next_deadline()
            .is_some_and(|deadline| deadline <= now);
        if is_due && self.connection.live().is_some() {
            self.load_outbox(effects);
        }
    }

    pub(super) fn handle_outbox_loaded(
        &mut self,
        result: Result<OutboxLoad, StorageFailure>,
        effects: &mut Vec<Effect>,
    ) {
        self.storage.is_loading = false;
        match result {
            Ok(load) => {
                if let Some((newest, _)) = load.entries.last() {
                    self.outbox.see(*newest);
                }
                self.note_gone_elsewhere(&load.entries, effects);
                self.adopt(load.entries, effects);
            }
            Err(failure) => self.storage_failed(failure),
        }
        if self.storage.boot != Boot::Done {
            self.storage.boot = Boot::Done;
            if self.connection.state == State::Booting {
                self.begin_attempt(effects);
            }
        }
    }

    /// A row that is gone was discarded or confirmed by another tab.
    pub(super) fn note_gone_elsewhere(
        &mut self,
        rows: &[(OrderNumber, EntryRecord)],
        effects: &mut Vec<Effect>,
    ) {
        let is_gone = |entry: &&Entry| {
            let is_idle = entry.saved == Saved::Disk
                && entry.flight == Flight::Waiting
                && !entry.is_discarding;
            let key = entry.record.client_msg_id;
            is_idle && !rows.iter().any(|(_, record)| record.client_msg_id == key)
        };
        let gone: Vec<_> = self
            .outbox
            .iter()
            .filter(is_gone)
            .map(|entry| (entry.record.client_msg_id, entry.record.thread_id.clone()))
            .collect();
        for (client_msg_id, thread_id) in gone {
            if let Some(entry) = self.outbox.get_mut(client_msg_id) {
                entry.flight = Flight::Elsewhere { caught_up: false };
            }
            self.reload_thread(&thread_id, effects);
        }
    }

    /// A thread has caught up: what another tab took away and did not confirm, it discarded. The
    /// answer may be to what was asked before it was gone, and so the thread is asked once more.
    pub(super) fn caught_up(&mut self, thread_id: &ThreadId) {
        let (gone, is_doubtful) = self.outbox.caught_up(thread_id);
        self.drop_entries(thread_id, gone);
        if is_doubtful && let Some(thread) = self.threads.get_mut(thread_id) {
            thread.sync_again();
        }
    }

    /// The thread's changes will not tell what became of what another tab took away.
    pub(super) fn drop_discarded_elsewhere(&mut self, thread_id: &ThreadId) {
        let gone = self.outbox.elsewhere(thread_id);
        self.drop_entries(thread_id, gone);
    }

    fn drop_entries(&mut self, thread_id: &ThreadId, client_msg_ids: Vec<ClientMsgId>) {
        for client_msg_id in client_msg_ids {
            self.outbox.remove(client_msg_id);
            self.touch_list(thread_id);
        }
    }

    /// Takes in rows of storage that this engine may not hold: an earlier page or another tab
    /// wrote them.
    pub(super) fn adopt(
        &mut self,
        rows: Vec<(OrderNumber, EntryRecord)>,
        effects: &mut Vec<Effect>,
    ) {
        let mut known = Vec::new();
        for (order, record) in rows {
            let client_msg_id = record.client_msg_id;
            if self.storage.is_deleting(client_msg_id) {
                continue;
            }
            let thread_id = record.thread_id.clone();
            let log = self
                .threads
                .get(&thread_id)
                .and_then(|thread| thread.log.as_ref());
            #[cfg(feature = "mutants")]
            let log = log.filter(|_| !rejoinder_mutants::planted!(ShownTwice));
            // In the log already: never shown a second time, and of no more use.
            if log.is_some_and(|log| log.holds_own(client_msg_id)) {
                known.push(client_msg_id);
                self.confirm_entry(client_msg_id, effects);
                continue;
            }
            self.outbox.adopt(order, record);
            self.ensure_thread(&thread_id, effects);
            self.touch_list(&thread_id);
        }
        self.delete_entries(known, effects);
    }
}
