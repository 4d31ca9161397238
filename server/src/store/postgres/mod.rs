//! The production store: PostgreSQL, also where an application's own tables live and others write.
//!
//! Messages are in the application's table. What that has no column for is in the schema `rejoinder`:
//! each thread's newest numbers, who takes part, which keys were used, what is left of deleted
//! messages. Triggers number what others write; what this store writes is numbered by
//! [`plan`](crate::store::plan), as everywhere.

mod batch;
mod check;
mod connect;
mod fault;
mod listener;
mod migrations;
mod question;
mod rows;
mod statements;
mod tables;
#[cfg(test)]
pub(super) mod tests;
mod transaction;
mod writer;

use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{Hook, HookError, Manager, ManagerConfig, Pool, RecyclingMethod, Runtime};
use rejoinder_protocol::{Epoch, UnixMillis};
use tokio::sync::{Mutex, mpsc};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Error, Row};

pub use check::check;
pub use connect::Connector;
pub use migrations::{Migrated, migrate, print};
pub use tables::{Name, NameError, ParticipantsTable, Renamed, TableName, Tables};

use crate::store::{Applied, Command, Heard, Locked, Read, ReadAnswer, Store, StoreError};
use question::Reader;
use statements::Statements;
use writer::Writer;

/// A read waits so long for a connection of the pool.
const POOL_TIMEOUT: Duration = Duration::from_secs(5);

/// Changes that were heard and wait for the gateway; more wait in the connection.
const HEARD_MAX: usize = 1024;

/// Why a database could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// No certificate authority could be read.
    #[error("TLS to the database: {0}")]
    Certificates(String),
    /// Ids of this type cannot be made by a gateway.
    #[error(
        "the column {column} has the type {found}; ids must be uuid, text, or character varying, \
         of 36 or more where the gateway makes them"
    )]
    IdType {
        /// Our name of the column.
        column: &'static str,
        /// The type.
        found: String,
    },
    /// The tables are not what they should be.
    #[error("the database is not prepared: run `rejoinder-gateway migrate` first")]
    NotMigrated,
    /// Rows wait for their number.
    #[error("rows have no number yet: run `rejoinder-gateway migrate` to its end")]
    Unnumbered,
    /// PostgreSQL says no.
    #[error("PostgreSQL: {}", fault::words(.0))]
    Postgres(#[from] Error),
    /// The pool of connections could not be made.
    #[error("PostgreSQL: {0}")]
    Pool(String),
}

/// A PostgreSQL database: two connections that write, and a pool of those that read.
#[derive(Debug)]
pub struct PostgresStore {
    connector: Connector,
    epoch: Epoch,
    reader: Reader,
    /// Runs batches that leave locked threads alone, and those that wait for one.
    skipping: Mutex<Writer>,
    waiting: Mutex<Writer>,
}

impl PostgresStore {
    /// Opens a database that [`migrate`] has prepared; up to `readers` connections read from it.
    ///
    /// # Errors
    ///
    /// [`OpenError`].
    pub async fn open(
        connector: Connector,
        tables: &Tables,
        readers: usize,
    ) -> Result<Self, OpenError> {
        let client = connector.greeted().await?;
        let prepared = format!("SELECT {}", migrations::IS_PREPARED);
        if !client.query_one(&prepared, &[]).await?.try_get(0)? {
            return Err(OpenError::NotMigrated);
        }
        let statements = Statements::new(&client, tables).await?;
        let waits = "SELECT EXISTS (SELECT FROM rejoinder.unadopted_threads())";
        if client.query_one(waits, &[]).await?.try_get(0)? {
            return Err(OpenError::Unnumbered);
        }
        let epoch = read_epoch(&client.query_one(statements::EPOCH, &[]).await?)?;
        let writer = |locked| {
            let (connector, statements) = (connector.clone(), statements.clone());
            Mutex::new(Writer::new(connector, statements, locked))
        };
        Ok(Self {
            skipping: writer(Locked::Skip),
            waiting: writer(Locked::Wait),
            reader: Reader {
                pool: pool(&connector, readers)?,
                statements: statements.clone(),
            },
            epoch,
            connector,
        })
    }
}

/// Begins another history of a database: every client loads anew. Gateways that run are told.
///
/// # Errors
///
/// [`OpenError`]; nothing has changed then.
pub async fn rotate_epoch(connector: &Connector) -> Result<Epoch, OpenError> {
    let client = connector.greeted().await?;
    let rotate = "WITH told AS (SELECT pg_notify('rejoinder', '')) UPDATE rejoinder.history \
         SET epoch = replace(gen_random_uuid()::text, '-', '') FROM told";
    match client.execute(rotate, &[]).await {
        Ok(_) => {}
        Err(error) if error.code() == Some(&SqlState::UNDEFINED_TABLE) => {
            return Err(OpenError::NotMigrated);
        }
        Err(error) => return Err(error.into()),
    }
    Ok(read_epoch(
        &client.query_one(statements::EPOCH, &[]).await?,
    )?)
}

fn pool(connector: &Connector, size: usize) -> Result<Pool, OpenError> {
    let config = ManagerConfig {
        // A connection whose server was lost may not know it yet.
        recycling_method: RecyclingMethod::Verified,
    };
    let manager = Manager::from_config(connector.config.clone(), connector.tls.clone(), config);
    Pool::builder(manager)
        .max_size(size)
        .runtime(Runtime::Tokio1)
        .wait_timeout(Some(POOL_TIMEOUT))
        .create_timeout(Some(POOL_TIMEOUT))
        .recycle_timeout(Some(POOL_TIMEOUT))
        .post_create(Hook::async_fn(|client, _| {
            Box::pin(async move {
                let greeted = client.batch_execute(connect::GREETING).await;
                greeted.map_err(HookError::Backend)
            })
        }))
        .build()
        .map_err(|error| OpenError::Pool(error.to_string()))
}

fn read_epoch(row: &Row) -> Result<Epoch, Error> {
    Ok(rows::id(row.try_get(0)?))
}

impl Store for PostgresStore {
    fn epoch(&self) -> &Epoch {
        &self.epoch
    }

    async fn apply(
        &self,
        asked_in: Epoch,
        now: UnixMillis,
        batch: Arc<[Command]>,
        locked: Locked,
    ) -> Result<Applied, StoreError> {
        let writer = match locked {
            Locked::Skip => &self.skipping,
            Locked::Wait => &self.waiting,
        };
        writer.lock().await.apply(&asked_in, now, &batch).await
    }

    async fn read(&self, read: Read) -> Result<ReadAnswer, StoreError> {
        self.reader.read(&read).await
    }

    fn hear(&self) -> Option<mpsc::Receiver<Heard>> {
        let (tell, heard) = mpsc::channel(HEARD_MAX);
        tokio::spawn(listener::listen(self.connector.clone(), tell));
        Some(heard)
    }
}
