//! The browser's database, in memory. It runs the same `stored.rs` as the real one.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use rejoinder::engine::stored::{
    Found, OrderNumber, ThreadLoad, Write, buckets_to_load, decide, load_outbox, load_thread, needs,
};
use rejoinder::engine::{OutboxLoad, StorageFailure, StoredResult};
use rejoinder_protocol::{SequenceNumber, ThreadId};

/// One database; every tab of a user holds the same one.
#[derive(Clone, Default)]
pub(crate) struct Storage(Rc<RefCell<Database>>);

#[derive(Default)]
struct Database {
    outbox: BTreeMap<u64, Vec<u8>>,
    last_order: u64,
    cursors: BTreeMap<ThreadId, Vec<u8>>,
    participants: BTreeMap<ThreadId, Vec<u8>>,
    buckets: BTreeMap<(ThreadId, u64), Vec<u8>>,
    failure: Option<StorageFailure>,
}

impl Storage {
    /// From now on nothing works, for this reason.
    pub(crate) fn break_down(&self, failure: StorageFailure) {
        self.0.borrow_mut().failure = Some(failure);
    }

    pub(crate) fn repair(&self) {
        self.0.borrow_mut().failure = None;
    }

    pub(crate) fn outbox_len(&self) -> usize {
        self.0.borrow().outbox.len()
    }

    /// Replaces the bytes of every outbox row by something unreadable.
    pub(crate) fn damage_outbox(&self) {
        for bytes in self.0.borrow_mut().outbox.values_mut() {
            *bytes = b"{\"from\":\"the future\"}".to_vec();
        }
    }

    /// Replaces the bytes of every bucket by something unreadable.
    pub(crate) fn damage_buckets(&self) {
        for bytes in self.0.borrow_mut().buckets.values_mut() {
            bytes.truncate(bytes.len() / 2);
        }
    }

    pub(crate) fn load_outbox(&self) -> Result<OutboxLoad, StorageFailure> {
        let database = self.0.borrow();
        if let Some(failure) = database.failure {
            return Err(failure);
        }
        let rows: Vec<_> = database
            .outbox
            .iter()
            .map(|(key, bytes)| (*key, bytes.clone()))
            .collect();
        let (entries, unreadable) = load_outbox(&rows);
        Ok(OutboxLoad {
            entries,
            unreadable,
        })
    }

    pub(crate) fn load_thread(
        &self,
        thread_id: &ThreadId,
        before: Option<SequenceNumber>,
    ) -> Result<ThreadLoad, StorageFailure> {
        let database = self.0.borrow();
        if let Some(failure) = database.failure {
            return Err(failure);
        }
        let cursor = database.cursors.get(thread_id).map(Vec::as_slice);
        let participants = database.participants.get(thread_id).map(Vec::as_slice);
        let buckets: Vec<Vec<u8>> = buckets_to_load(cursor, before)
            .into_iter()
            .filter_map(|number| database.buckets.get(&(thread_id.clone(), number)).cloned())
            .collect();
        Ok(load_thread(cursor, participants, &buckets, before))
    }

    pub(crate) fn write(&self, write: &Write) -> StoredResult {
        let mut database = self.0.borrow_mut();
        if let Some(failure) = database.failure {
            return StoredResult::Failed(failure);
        }
        let needs = needs(write);
        let mut found = Found::default();
        if needs.outbox {
            found.outbox = database
                .outbox
                .iter()
                .map(|(key, bytes)| (*key, bytes.clone()))
                .collect();
        }
        if let Some(thread_id) = &needs.thread {
            found.cursor = database.cursors.get(thread_id).cloned();
            found.participants = database.participants.get(thread_id).cloned();
            for number in &needs.buckets {
                if let Some(bytes) = database.buckets.get(&(thread_id.clone(), *number)) {
                    found.buckets.push((*number, bytes.clone()));
                }
            }
        }
        let Ok(changes) = decide(write, &found) else {
            return StoredResult::Refused;
        };
        let mut added = None;
        if let Some(bytes) = changes.outbox_add {
            database.last_order += 1;
            let order = database.last_order;
            database.outbox.insert(order, bytes);
            added = Some(OrderNumber(order));
        }
        database.outbox.extend(changes.outbox_put);
        for order in changes.outbox_delete {
            database.outbox.remove(&order);
        }
        if let Some(thread_id) = changes.thread {
            if changes.clear_thread {
                database.cursors.remove(&thread_id);
                database.participants.remove(&thread_id);
                database.buckets.retain(|(owner, _), _| *owner != thread_id);
            }
            if let Some(bytes) = changes.cursor {
                database.cursors.insert(thread_id.clone(), bytes);
            }
            if let Some(bytes) = changes.participants {
                database.participants.insert(thread_id.clone(), bytes);
            }
            for (number, bytes) in changes.buckets {
                database.buckets.insert((thread_id.clone(), number), bytes);
            }
        }
        StoredResult::Committed {
            answer: changes.answer,
            added,
        }
    }
}
