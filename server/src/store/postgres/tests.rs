//! What is PostgreSQL's own; what every store must do is in `store/contract.rs`.

mod adopting;
mod checking;
mod database;
mod foreign;
mod locks;
mod rights;
mod servers;
mod trouble;

use std::sync::Arc;

use rejoinder_protocol::UnixMillis;

use super::PostgresStore;
use crate::store::{Applied, Command, Locked, Store, StoreError};

pub(crate) use database::Database;

async fn apply(store: &PostgresStore, commands: &[Command]) -> Result<Applied, StoreError> {
    store
        .apply(UnixMillis::default(), Arc::from(commands), Locked::Skip)
        .await
}
