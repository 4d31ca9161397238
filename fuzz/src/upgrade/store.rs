//! A store that answers in the same thread, so that an input always does the same.

use std::sync::{Arc, Mutex};

use rejoinder_gateway::store::{
    Applied, Command, Locked, Read, ReadAnswer, Sqlite, Store, StoreError,
};
use rejoinder_protocol::{Epoch, UnixMillis};

/// SQLite in memory, without a thread of its own.
pub(super) struct InPlace {
    epoch: Epoch,
    sqlite: Mutex<Sqlite>,
}

impl InPlace {
    pub(super) fn new() -> Self {
        let epoch: Epoch = "e1".parse().unwrap();
        let sqlite = Mutex::new(Sqlite::memory(&epoch).unwrap());
        Self { epoch, sqlite }
    }

    pub(super) fn epoch(&self) -> Epoch {
        self.epoch.clone()
    }
}

impl Store for InPlace {
    fn epoch(&self) -> &Epoch {
        &self.epoch
    }

    async fn apply(
        &self,
        asked_in: Epoch,
        now: UnixMillis,
        batch: Arc<[Command]>,
        _: Locked,
    ) -> Result<Applied, StoreError> {
        self.sqlite.lock().unwrap().apply(&asked_in, now, &batch)
    }

    async fn read(&self, read: Read) -> Result<ReadAnswer, StoreError> {
        self.sqlite.lock().unwrap().read(&read)
    }
}
