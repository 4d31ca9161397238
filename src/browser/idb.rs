//! IndexedDB as units of work: all or nothing, durable when it says so, and the cause kept.
//!
//! Requests go out when they are built, in order. Inside a unit await only its own requests: a
//! timer, a fetch or a socket lets the browser commit it early.

use super::listener::On;
use futures::channel::oneshot;
use indexed_db_futures::{
    KeyRange,
    database::Database,
    error::{Error, OpenDbError},
    internals::SystemRepr,
    object_store::ObjectStore,
    prelude::*,
    transaction::{Transaction, TransactionDurability, TransactionMode, TransactionOptions},
};
use js_sys::Uint8Array;
use std::{cell::Cell, rc::Rc};
use wasm_bindgen::prelude::*;

#[cfg(test)]
mod tests;

/// Why storage did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum StorageError {
    /// The disk, or this origin's share of it, is full.
    #[error("storage_full: the browser gives this site no more space")]
    Full,
    /// The handle was closed: another tab upgrades, or the browser took it away. Reopen once.
    #[error("storage_closed: the database was closed")]
    Closed,
    /// The unit was rolled back without a cause of its own.
    #[error("storage_aborted: the transaction was rolled back")]
    Aborted,
    /// The stored version is newer than this code: an old tab after an update of the app.
    #[error("storage_newer: the database belongs to a newer version of this app")]
    Newer,
    /// A row with this key exists already.
    #[error("storage_duplicate: the key exists already")]
    Duplicate,
    /// The browser offers no IndexedDB here.
    #[error("storage_missing: this browser offers no IndexedDB here")]
    Missing,
    /// Anything else, in the browser's words.
    #[error("storage_failed: {0}")]
    Other(String),
}

impl From<web_sys::DomException> for StorageError {
    fn from(exception: web_sys::DomException) -> Self {
        match exception.name().as_str() {
            "QuotaExceededError" => Self::Full,
            // The second is what WebKit says when it has killed its storage process.
            "InvalidStateError" | "UnknownError" => Self::Closed,
            "AbortError" => Self::Aborted,
            "VersionError" => Self::Newer,
            "ConstraintError" => Self::Duplicate,
            // Firefox with history switched off, and sandboxed frames.
            "SecurityError" => Self::Missing,
            name => Self::Other([name, ": ", &exception.message()].concat()),
        }
    }
}

impl From<Error> for StorageError {
    fn from(error: Error) -> Self {
        match error {
            Error::DomException(exception) => web_sys::DomException::from(exception).into(),
            Error::Serialisation(_) | Error::MissingData(_) | Error::Unknown(_) => {
                Self::Other(error.to_string())
            }
        }
    }
}

impl From<OpenDbError> for StorageError {
    fn from(error: OpenDbError) -> Self {
        match error {
            OpenDbError::Base(error) => error.into(),
            // The last is the crate's word for whatever `open` throws; our versions are never 0.
            OpenDbError::NullFactory
            | OpenDbError::UnsupportedEnvironment
            | OpenDbError::VersionZero => Self::Missing,
        }
    }
}

/// An open database, which gives way when another tab wants to upgrade or delete it; afterwards
/// every unit is refused as [`StorageError::Closed`].
pub(crate) struct Db {
    database: Database,
    _on_change: On,
}

impl Db {
    /// Opens `name`; `upgrade` gets the old version (0 for a new database) and lays out the stores.
    pub(crate) async fn open(
        name: &str,
        version: u32,
        upgrade: impl FnOnce(u32, &Database) -> Result<(), Error> + 'static,
    ) -> Result<Self, StorageError> {
        let database = Database::open(name)
            .with_version(version)
            .with_on_upgrade_needed(move |event, database| {
                // Versions are small whole numbers that we chose ourselves.
                upgrade(event.old_version() as u32, &database)
            })
            .await?;
        let raw: web_sys::IdbDatabase = database.as_sys().clone().unchecked_into();
        let handle = raw.clone();
        // Without this every other tab's upgrade would hang until this tab is closed.
        let on_change = On::new(&raw, "versionchange", move |_| handle.close());
        Ok(Self {
            database,
            _on_change: on_change,
        })
    }

    /// Begins a unit that writes to `stores`. When [`Unit::finish`] is `Ok`, it is committed; a
    /// strict one is then on disk, another may still be lost with the power.
    pub(crate) fn write(&self, stores: &[&str], is_strict: bool) -> Result<Unit<'_>, StorageError> {
        let durability = if is_strict {
            TransactionDurability::Strict
        } else {
            TransactionDurability::Relaxed
        };
        self.begin(stores, TransactionMode::Readwrite, durability)
    }

    /// Begins a unit that only reads; it needs no [`Unit::finish`].
    pub(crate) fn read(&self, stores: &[&str]) -> Result<Unit<'_>, StorageError> {
        let durability = TransactionDurability::Default;
        self.begin(stores, TransactionMode::Readonly, durability)
    }

    fn begin(
        &self,
        stores: &[&str],
        mode: TransactionMode,
        durability: TransactionDurability,
    ) -> Result<Unit<'_>, StorageError> {
        let options = TransactionOptions::new().with_durability(durability);
        let names: Vec<String> = stores.iter().map(|name| (*name).to_owned()).collect();
        let transaction = self
            .database
            .transaction(names)
            .with_mode(mode)
            .with_options(options)
            .build()?;
        Ok(Unit::watch(transaction))
    }
}

impl Drop for Db {
    fn drop(&mut self) {
        self.database.as_sys().close();
    }
}

/// One atomic unit of work. Dropped before [`Unit::finish`], it is rolled back.
///
/// There is no explicit commit on purpose: Firefox commits a transaction whose request failed if
/// `commit()` was called in a request's callback, which is where awaiting code runs.
pub(crate) struct Unit<'db> {
    transaction: Transaction<'db>,
    outcome: oneshot::Receiver<Result<(), StorageError>>,
    _listeners: [On; 2],
}

impl<'db> Unit<'db> {
    fn watch(transaction: Transaction<'db>) -> Self {
        let raw: web_sys::IdbTransaction = transaction.as_sys().clone().unchecked_into();
        let (sender, outcome) = oneshot::channel();
        let sender = Rc::new(Cell::new(Some(sender)));
        let on_complete = On::new(&raw, "complete", {
            let sender = Rc::clone(&sender);
            move |_| {
                if let Some(sender) = sender.take() {
                    let _ = sender.send(Ok(()));
                }
            }
        });
        let aborted = raw.clone();
        let on_abort = On::new(&raw, "abort", move |_| {
            if let Some(sender) = sender.take() {
                // A full disk shows only here: the requests had all succeeded.
                let cause = aborted
                    .error()
                    .map_or(StorageError::Aborted, StorageError::from);
                let _ = sender.send(Err(cause));
            }
        });
        Self {
            transaction,
            outcome,
            _listeners: [on_complete, on_abort],
        }
    }

    /// A store of this unit, for requests that the methods below do not cover.
    pub(crate) fn store(&self, name: &str) -> Result<ObjectStore<'_>, StorageError> {
        Ok(self.transaction.object_store(name)?)
    }

    /// Writes a row of bytes, replacing the one that has this key.
    pub(crate) fn put(&self, store: &str, key: &JsValue, row: &[u8]) -> Result<(), StorageError> {
        let row = JsValue::from(Uint8Array::from(row));
        // Not awaited: the transaction orders its requests, and a failing one fails the unit.
        drop(
            self.store(store)?
                .put(row)
                .with_key(key.clone())
                .primitive()?,
        );
        Ok(())
    }

    /// Adds a row of bytes under the next key, which it returns.
    pub(crate) async fn add(&self, store: &str, row: &[u8]) -> Result<u64, StorageError> {
        let row = JsValue::from(Uint8Array::from(row));
        let key: JsValue = self
            .store(store)?
            .add(row)
            .with_key_type::<JsValue>()
            .primitive()?
            .await?;
        Ok(number(&key))
    }

    /// Deletes the row that has this key, if any.
    pub(crate) fn delete(&self, store: &str, key: &JsValue) -> Result<(), StorageError> {
        let range = KeyRange::Only(key.clone());
        drop(self.store(store)?.delete::<JsValue, _>(range).primitive()?);
        Ok(())
    }

    /// Deletes the rows from `first` to `last`, both included.
    pub(crate) fn delete_between(
        &self,
        store: &str,
        first: &JsValue,
        last: &JsValue,
    ) -> Result<(), StorageError> {
        let range = KeyRange::Bound(first.clone(), false, last.clone(), false);
        drop(self.store(store)?.delete::<JsValue, _>(range).primitive()?);
        Ok(())
    }

    /// Reads a row of bytes.
    pub(crate) async fn get(
        &self,
        store: &str,
        key: &JsValue,
    ) -> Result<Option<Vec<u8>>, StorageError> {
        let store = self.store(store)?;
        let row: Option<JsValue> = store
            .get::<JsValue, JsValue, _>(KeyRange::Only(key.clone()))
            .primitive()?
            .await?;
        Ok(row.map(|row| bytes(&row)))
    }

    /// Reads all rows of a store whose keys are numbers, by rising key.
    pub(crate) async fn rows(&self, store: &str) -> Result<Vec<(u64, Vec<u8>)>, StorageError> {
        let store = self.store(store)?;
        let keys = store.get_all_keys::<JsValue>().primitive()?;
        let rows = store.get_all::<JsValue>().primitive()?;
        keys.await?
            .zip(rows.await?)
            .map(|(key, row)| Ok((number(&key?), bytes(&row?))))
            .collect()
    }

    /// Waits until the browser has committed: `Ok` means durable, not just accepted.
    pub(crate) async fn finish(self) -> Result<(), StorageError> {
        let Self {
            transaction,
            outcome,
            _listeners,
        } = self;
        let outcome = outcome.await.unwrap_or(Err(StorageError::Aborted));
        drop(transaction);
        outcome
    }
}

fn bytes(row: &JsValue) -> Vec<u8> {
    Uint8Array::new(row).to_vec()
}

/// A key that the browser counts up from 1.
fn number(key: &JsValue) -> u64 {
    key.as_f64().unwrap_or_default() as u64
}
