//! The browser's database, as the simulation plays it, shared by the tabs of a user.

use std::cell::RefCell;
use std::rc::Rc;

use rejoinder::engine::stored::{ThreadLoad, Write};
use rejoinder::engine::{OutboxLoad, StorageFailure, StoredResult};
use rejoinder_protocol::{SequenceNumber, ThreadId};
use rejoinder_simulation::world::disk::Disk;

/// One database; every tab of a user holds the same one.
#[derive(Clone, Default)]
pub(crate) struct Storage(Rc<RefCell<Database>>);

#[derive(Default)]
struct Database {
    disk: Disk,
    failure: Option<StorageFailure>,
}

impl Storage {
    /// A database that is not empty.
    pub(crate) fn of(disk: Disk) -> Self {
        let failure = None;
        Self(Rc::new(RefCell::new(Database { disk, failure })))
    }

    /// From now on nothing works, for this reason.
    pub(crate) fn break_down(&self, failure: StorageFailure) {
        self.0.borrow_mut().failure = Some(failure);
    }

    pub(crate) fn repair(&self) {
        self.0.borrow_mut().failure = None;
    }

    pub(crate) fn outbox_len(&self) -> usize {
        let load = self.0.borrow().disk.load_outbox();
        load.entries.len() + load.unreadable
    }

    pub(crate) fn outbox_rows(&self) -> Vec<(u64, Vec<u8>)> {
        self.0.borrow().disk.outbox_rows()
    }

    /// Replaces the bytes of every outbox row by something unreadable.
    pub(crate) fn damage_outbox(&self) {
        self.0.borrow_mut().disk.damage_outbox();
    }

    /// Replaces the bytes of every bucket by something unreadable.
    pub(crate) fn damage_buckets(&self) {
        self.0.borrow_mut().disk.damage_buckets();
    }

    pub(crate) fn load_outbox(&self) -> Result<OutboxLoad, StorageFailure> {
        let database = self.0.borrow();
        database.failure.map_or(Ok(()), Err)?;
        Ok(database.disk.load_outbox())
    }

    pub(crate) fn load_thread(
        &self,
        thread_id: &ThreadId,
        before: Option<SequenceNumber>,
    ) -> Result<ThreadLoad, StorageFailure> {
        let database = self.0.borrow();
        database.failure.map_or(Ok(()), Err)?;
        Ok(database.disk.load_thread(thread_id, before))
    }

    pub(crate) fn write(&self, write: &Write) -> StoredResult {
        let mut database = self.0.borrow_mut();
        match database.failure {
            Some(failure) => StoredResult::Failed(failure),
            None => database.disk.write(write).result,
        }
    }
}
