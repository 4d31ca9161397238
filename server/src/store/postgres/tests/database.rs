//! A database of its own for each test, on one server for all of them.

use std::sync::LazyLock;

use rejoinder_test_services::Postgres;

use crate::store::postgres::{Connector, Migrated, OpenError, PostgresStore, Tables, migrate};

/// Ends with the test program.
static SERVER: LazyLock<Postgres> = LazyLock::new(|| Postgres::start(&["max_connections=300"]));

/// A database.
pub(crate) struct Database {
    pub(crate) url: String,
    pub(crate) tables: Tables,
}

impl Database {
    /// An empty one.
    pub(crate) fn empty() -> Self {
        Self::on(SERVER.database())
    }

    /// One that is somewhere else.
    pub(crate) fn on(url: String) -> Self {
        Self {
            url,
            tables: Tables::default(),
        }
    }

    /// One whose tables are made.
    pub(crate) async fn migrated() -> Self {
        let database = Self::empty();
        database.migrate().await.unwrap();
        database
    }

    /// Makes its tables.
    pub(crate) async fn migrate(&self) -> Result<Migrated, OpenError> {
        migrate(&self.connector(), &self.tables).await
    }

    pub(crate) fn connector(&self) -> Connector {
        Connector::new(&self.url, None).unwrap()
    }

    pub(crate) async fn store(&self) -> PostgresStore {
        PostgresStore::open(self.connector(), &self.tables, 2)
            .await
            .unwrap()
    }

    /// A session of somebody else's.
    pub(crate) async fn session(&self) -> tokio_postgres::Client {
        self.connector().plain().await.unwrap()
    }
}
