//! A browser's database in memory. What a transaction does is decided by the client's own
//! `stored.rs`; this only keeps bytes, and forgets them as a device does that loses power.

use std::collections::BTreeMap;

use fastrand::Rng;
use rejoinder::engine::stored::{
    Changes, CursorRecord, EntryRecord, Found, OrderNumber, ThreadLoad, Write, buckets_to_load,
    decide, load_outbox, load_thread, needs,
};
use rejoinder::engine::{OutboxLoad, StorageFailure, StoredResult};
use rejoinder_protocol::{Message, SequenceNumber, ThreadId};

/// One table: keys to bytes.
type Table<K> = BTreeMap<K, Vec<u8>>;

/// Where a row stands.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Place {
    /// In the outbox, by its order number.
    Outbox(u64),
    /// A thread's cursor.
    Cursor(ThreadId),
    /// A thread's participants.
    Participants(ThreadId),
    /// Some of a thread's messages.
    Bucket(ThreadId, u64),
}

/// What a table held before a transaction.
#[derive(Clone, Debug)]
enum Before {
    Outbox(u64, Option<Vec<u8>>),
    Cursor(ThreadId, Option<Vec<u8>>),
    Participants(ThreadId, Option<Vec<u8>>),
    Bucket((ThreadId, u64), Option<Vec<u8>>),
}

/// The database of one device.
#[derive(Debug, Default)]
pub struct Disk {
    outbox: Table<u64>,
    last_order: u64,
    cursors: Table<ThreadId>,
    participants: Table<ThreadId>,
    buckets: Table<(ThreadId, u64)>,
    /// How to undo each transaction that the next loss of power may take.
    volatile: Vec<Vec<Before>>,
    /// So many writes find no room.
    pub quota: u32,
    /// So many writes are aborted.
    pub aborts: u32,
}

/// What a write did to the database.
#[derive(Debug)]
pub struct Written {
    /// What the client is told.
    pub result: StoredResult,
    /// Rows of the outbox that are gone.
    pub deleted: Vec<EntryRecord>,
}

/// A thread as it is stored.
pub struct StoredThread {
    /// How far it is stored.
    pub cursor: CursorRecord,
    /// Its messages, by rising place.
    pub messages: Vec<Message>,
}

impl Disk {
    /// A database in which somebody has written these bytes.
    pub fn holding(rows: impl IntoIterator<Item = (Place, Vec<u8>)>) -> Self {
        let mut disk = Self::default();
        for (place, row) in rows {
            match place {
                Place::Outbox(order) => {
                    disk.last_order = disk.last_order.max(order);
                    disk.outbox.insert(order, row);
                }
                Place::Cursor(thread_id) => {
                    disk.cursors.insert(thread_id, row);
                }
                Place::Participants(thread_id) => {
                    disk.participants.insert(thread_id, row);
                }
                Place::Bucket(thread_id, number) => {
                    disk.buckets.insert((thread_id, number), row);
                }
            }
        }
        disk
    }

    /// Returns the rows of the outbox, by their order numbers.
    pub fn outbox_rows(&self) -> Vec<(u64, Vec<u8>)> {
        let rows = self.outbox.iter();
        rows.map(|(key, row)| (*key, row.clone())).collect()
    }

    /// Answers `LoadOutbox`.
    pub fn load_outbox(&self) -> OutboxLoad {
        let (entries, unreadable) = load_outbox(&self.outbox_rows());
        OutboxLoad {
            entries,
            unreadable,
        }
    }

    /// Answers `LoadThread`.
    pub fn load_thread(&self, thread_id: &ThreadId, before: Option<SequenceNumber>) -> ThreadLoad {
        let cursor = self.cursors.get(thread_id).map(Vec::as_slice);
        let participants = self.participants.get(thread_id).map(Vec::as_slice);
        let numbers = buckets_to_load(cursor, before).into_iter();
        let buckets: Vec<Vec<u8>> = numbers
            .filter_map(|number| self.buckets.get(&(thread_id.clone(), number)).cloned())
            .collect();
        load_thread(cursor, participants, &buckets, before)
    }

    /// Returns every thread that is stored.
    pub fn threads(&self) -> Vec<(ThreadId, StoredThread)> {
        let threads = self.cursors.iter().filter_map(|(thread_id, bytes)| {
            let cursor: CursorRecord = serde_json::from_slice(bytes).ok()?;
            let buckets = self
                .buckets
                .iter()
                .filter(|((owner, _), _)| owner == thread_id);
            let messages: Vec<Vec<Message>> = buckets
                .map(|(_, rows)| serde_json::from_slice(rows))
                .collect::<Result<_, _>>()
                .ok()?;
            let messages = messages.into_iter().flatten().collect();
            Some((thread_id.clone(), StoredThread { cursor, messages }))
        });
        threads.collect()
    }

    /// Returns whether nothing at all is stored.
    pub fn is_empty(&self) -> bool {
        self.outbox.is_empty()
            && self.cursors.is_empty()
            && self.participants.is_empty()
            && self.buckets.is_empty()
    }

    /// Replaces the bytes of every row of the outbox by something that cannot be read.
    pub fn damage_outbox(&mut self) {
        for row in self.outbox.values_mut() {
            *row = b"{\"from\":\"the future\"}".to_vec();
        }
    }

    /// Cuts every bucket of messages in half.
    pub fn damage_buckets(&mut self) {
        for rows in self.buckets.values_mut() {
            rows.truncate(rows.len() / 2);
        }
    }

    /// Deletes the database.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// Runs a transaction.
    pub fn write(&mut self, write: &Write) -> Written {
        let failed = |failure| Written {
            result: StoredResult::Failed(failure),
            deleted: Vec::new(),
        };
        if self.aborts > 0 {
            self.aborts -= 1;
            return failed(StorageFailure::Aborted);
        }
        if self.quota > 0 {
            self.quota -= 1;
            return failed(StorageFailure::Quota);
        }
        let needs = needs(write);
        let mut found = Found::default();
        if needs.outbox {
            found.outbox = self.outbox_rows();
        }
        if let Some(thread_id) = &needs.thread {
            found.cursor = self.cursors.get(thread_id).cloned();
            found.participants = self.participants.get(thread_id).cloned();
            for number in &needs.buckets {
                if let Some(rows) = self.buckets.get(&(thread_id.clone(), *number)) {
                    found.buckets.push((*number, rows.clone()));
                }
            }
        }
        let Ok(changes) = decide(write, &found) else {
            return Written {
                result: StoredResult::Refused,
                deleted: Vec::new(),
            };
        };
        let (added, before) = self.apply(&changes);
        let gone = before.iter().filter_map(|one| match one {
            Before::Outbox(order, Some(row)) if !self.outbox.contains_key(order) => Some(row),
            _ => None,
        });
        let deleted = gone
            .filter_map(|row| serde_json::from_slice(row).ok())
            .collect();
        if needs.strict {
            // What the device has flushed for this it has flushed for everything before.
            self.volatile.clear();
        } else {
            self.volatile.push(before);
        }
        let result = StoredResult::Committed {
            answer: changes.answer,
            added,
        };
        Written { result, deleted }
    }

    fn apply(&mut self, changes: &Changes) -> (Option<OrderNumber>, Vec<Before>) {
        let mut before = Vec::new();
        let mut added = None;
        if let Some(row) = &changes.outbox_add {
            self.last_order += 1;
            before.push(Before::Outbox(self.last_order, None));
            self.outbox.insert(self.last_order, row.clone());
            added = Some(OrderNumber(self.last_order));
        }
        for (order, row) in &changes.outbox_put {
            before.push(Before::Outbox(
                *order,
                self.outbox.insert(*order, row.clone()),
            ));
        }
        for order in &changes.outbox_delete {
            before.push(Before::Outbox(*order, self.outbox.remove(order)));
        }
        let Some(thread_id) = &changes.thread else {
            return (added, before);
        };
        if changes.clear_thread {
            before.push(Before::Cursor(
                thread_id.clone(),
                self.cursors.remove(thread_id),
            ));
            let participants = self.participants.remove(thread_id);
            before.push(Before::Participants(thread_id.clone(), participants));
            let buckets = self.buckets.keys().filter(|(owner, _)| owner == thread_id);
            for key in buckets.cloned().collect::<Vec<_>>() {
                let rows = self.buckets.remove(&key);
                before.push(Before::Bucket(key, rows));
            }
        }
        if let Some(cursor) = &changes.cursor {
            let old = self.cursors.insert(thread_id.clone(), cursor.clone());
            before.push(Before::Cursor(thread_id.clone(), old));
        }
        if let Some(all) = &changes.participants {
            let old = self.participants.insert(thread_id.clone(), all.clone());
            before.push(Before::Participants(thread_id.clone(), old));
        }
        for (number, rows) in &changes.buckets {
            let key = (thread_id.clone(), *number);
            before.push(Before::Bucket(
                key.clone(),
                self.buckets.insert(key, rows.clone()),
            ));
        }
        (added, before)
    }

    /// Loses some of the newest transactions that did not ask to survive this.
    pub fn lose_power(&mut self, rng: &mut Rng) -> usize {
        let lost = rng.usize(0..=self.volatile.len());
        for _ in 0..lost {
            let transaction = self.volatile.pop().unwrap_or_default();
            for before in transaction.into_iter().rev() {
                self.restore(before);
            }
        }
        lost
    }

    fn restore(&mut self, before: Before) {
        fn put<K: Ord>(table: &mut Table<K>, key: K, old: Option<Vec<u8>>) {
            match old {
                Some(bytes) => table.insert(key, bytes),
                None => table.remove(&key),
            };
        }
        match before {
            Before::Outbox(key, old) => put(&mut self.outbox, key, old),
            Before::Cursor(key, old) => put(&mut self.cursors, key, old),
            Before::Participants(key, old) => put(&mut self.participants, key, old),
            Before::Bucket(key, old) => put(&mut self.buckets, key, old),
        }
    }
}
