//! What is PostgreSQL's own; what every store must do is in `store/contract.rs`.

mod adopting;
mod checking;
mod columns;
mod database;
mod foreign;
mod locks;
mod rights;
mod rules;
mod servers;
mod trouble;

use std::sync::Arc;

use rejoinder_protocol::{Epoch, UnixMillis};

use super::PostgresStore;
use crate::store::{Applied, Command, Locked, Store, StoreError};

pub(crate) use database::Database;

async fn apply(store: &PostgresStore, commands: &[Command]) -> Result<Applied, StoreError> {
    asked_in(store, store.epoch(), commands).await
}

async fn asked_in(
    store: &PostgresStore,
    epoch: &Epoch,
    commands: &[Command],
) -> Result<Applied, StoreError> {
    let (epoch, now) = (epoch.clone(), UnixMillis::default());
    store
        .apply(epoch, now, Arc::from(commands), Locked::Skip)
        .await
}
