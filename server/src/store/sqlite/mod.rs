//! The store that needs no installation: SQLite in WAL mode, every commit synced to disk.
//!
//! [`Sqlite`] is the plain, synchronous face, for simulations and tests; `SqliteStore` runs it on
//! threads of its own.

mod question;
mod rows;
mod schema;
#[cfg(feature = "shell")]
mod service;
#[cfg(test)]
mod tests;

use std::path::Path;

use rejoinder_protocol::{Epoch, ErrorCode, UnixMillis};
use rusqlite::{Connection, TransactionBehavior};

#[cfg(feature = "shell")]
pub use service::SqliteStore;

use crate::store::plan::{plan, wanted};
use crate::store::{Applied, Command, Outcome, Read, ReadAnswer, StoreError};

/// Why a database could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// SQLite says no.
    #[error("the database cannot be opened: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// A later version of the gateway wrote it.
    #[error("the database has version {found}, this gateway knows versions up to {known}")]
    TooNew {
        /// The version it has.
        found: usize,
        /// The newest version known here.
        known: usize,
    },
    /// This SQLite can corrupt a database in WAL mode.
    #[error("SQLite {0} can corrupt a WAL database; 3.51.3 or later is needed")]
    TooOld(&'static str),
}

/// One connection to a database.
#[derive(Debug)]
pub struct Sqlite {
    connection: Connection,
    epoch: Epoch,
}

impl Sqlite {
    /// Opens a database file and brings it to the newest version.
    ///
    /// `fresh_epoch` becomes the epoch of a database that has none yet.
    ///
    /// # Errors
    ///
    /// [`OpenError`]; the file is as it was.
    pub fn open(path: &Path, fresh_epoch: &Epoch) -> Result<Self, OpenError> {
        Self::prepare(Connection::open(path)?, fresh_epoch)
    }

    /// Opens a database that lives in memory and dies with this value.
    ///
    /// # Errors
    ///
    /// [`OpenError`].
    pub fn memory(fresh_epoch: &Epoch) -> Result<Self, OpenError> {
        Self::prepare(Connection::open_in_memory()?, fresh_epoch)
    }

    /// Opens one more connection for reading to a file that [`Sqlite::open`] has opened.
    #[cfg(feature = "shell")]
    fn reader(path: &Path, epoch: &Epoch) -> Result<Self, OpenError> {
        let flags =
            rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY | rusqlite::OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        schema::configure(&connection)?;
        Ok(Self {
            connection,
            epoch: epoch.clone(),
        })
    }

    fn prepare(mut connection: Connection, fresh_epoch: &Epoch) -> Result<Self, OpenError> {
        // Versions 3.7.0 to 3.51.2 can corrupt a WAL database with two connections.
        if rusqlite::version_number() < 3_051_003 {
            return Err(OpenError::TooOld(rusqlite::version()));
        }
        schema::configure(&connection)?;
        schema::durable(&connection)?;
        let epoch = schema::migrate(&mut connection, fresh_epoch)?;
        Ok(Self { connection, epoch })
    }

    /// Returns the id of this database's history.
    #[must_use]
    pub fn epoch(&self) -> &Epoch {
        &self.epoch
    }

    /// Runs a batch; see [`Store::apply`](crate::store::Store::apply).
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub fn apply(
        &mut self,
        asked_in: &Epoch,
        now: UnixMillis,
        commands: &[Command],
    ) -> Result<Applied, StoreError> {
        let first = match self.transaction(asked_in, now, commands) {
            Ok(applied) => return Ok(applied),
            Err(Fault::Whole(error)) => return Err(error),
            Err(Fault::Statement(error)) => error,
        };
        if let [_] = commands {
            // The row itself is poison, or the disk is in trouble: nothing was written either way.
            tracing::error!(error = %first, "a command failed in the database");
            return Ok(self.applied([Outcome::refused(ErrorCode::Internal)]));
        }
        // One of them failed and took the transaction with it. Each alone, none harms another.
        let mut outcomes = Vec::with_capacity(commands.len());
        for command in commands {
            let alone = self.apply(asked_in, now, std::slice::from_ref(command));
            // After a part was committed, "nothing was written" would no longer be true.
            let applied = alone.map_err(|error| StoreError::UnknownFate(error.to_string()))?;
            outcomes.extend(applied.outcomes.into_iter().flatten());
        }
        Ok(self.applied(outcomes))
    }

    /// Only one process writes, so no thread is ever skipped.
    fn applied(&self, outcomes: impl IntoIterator<Item = Outcome>) -> Applied {
        Applied {
            epoch: self.epoch.clone(),
            outcomes: outcomes.into_iter().map(Some).collect(),
        }
    }

    fn transaction(
        &mut self,
        asked_in: &Epoch,
        now: UnixMillis,
        commands: &[Command],
    ) -> Result<Applied, Fault> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(|error| Fault::Whole(StoreError::Unavailable(error.to_string())))?;
        self.epoch = schema::read_epoch(&transaction).map_err(Fault::Statement)?;
        if self.epoch != *asked_in {
            // Somebody restored or exchanged the database. Nothing that was asked under the old
            // history may be executed in the new one; the caller sees the epoch and starts over.
            drop(transaction);
            let refused = || Outcome::refused(ErrorCode::Internal);
            return Ok(self.applied(commands.iter().map(|_| refused())));
        }
        let known = rows::look_up(&transaction, &wanted(commands)).map_err(Fault::Statement)?;
        let plan = plan(now, known, commands);
        for write in &plan.writes {
            rows::write(&transaction, now, write).map_err(Fault::Statement)?;
        }
        #[cfg(feature = "mutants")]
        if commands.len() > 1 && rejoinder_mutants::planted!(AckBeforeCommit) {
            drop(transaction);
            return Ok(self.applied(plan.outcomes));
        }
        transaction
            .commit()
            .map_err(|error| Fault::Whole(StoreError::UnknownFate(error.to_string())))?;
        Ok(self.applied(plan.outcomes))
    }

    /// Answers a question; see [`Store::read`](crate::store::Store::read).
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`].
    pub fn read(&self, read: &Read) -> Result<ReadAnswer, StoreError> {
        question::answer(&self.connection, read)
            .map_err(|error| StoreError::Unavailable(error.to_string()))
    }

    /// Copies everything that is committed into a new file, while others read and write.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`], for example if the file is there already.
    pub fn backup(&self, to: &Path) -> Result<(), StoreError> {
        // A copy of the file alone would lack what is still in the write-ahead log.
        let copied = self
            .connection
            .execute("VACUUM INTO ?1", [to.to_string_lossy()]);
        copied
            .map(drop)
            .map_err(|error| StoreError::Unavailable(error.to_string()))
    }

    /// Gives the database a new epoch, as after a restore; every cursor becomes void.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`]; the epoch is as it was.
    pub fn rotate_epoch(&mut self, epoch: Epoch) -> Result<(), StoreError> {
        schema::write_epoch(&self.connection, &epoch)
            .map_err(|error| StoreError::Unavailable(error.to_string()))?;
        self.epoch = epoch;
        Ok(())
    }
}

#[cfg(test)]
impl Sqlite {
    pub(crate) fn execute_for_test(&self, sql: &str) {
        self.connection.execute_batch(sql).unwrap();
    }
}

enum Fault {
    /// A statement failed; the transaction was rolled back.
    Statement(rusqlite::Error),
    /// The transaction as a whole failed.
    Whole(StoreError),
}
