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

use rejoinder_protocol::{Epoch, InboxPage, UnixMillis};

use super::PostgresStore;
use crate::store::{Applied, Command, Content, Locked, Read, Store, StoreError};

pub(crate) use database::Database;

async fn apply(store: &PostgresStore, commands: &[Command]) -> Result<Applied, StoreError> {
    asked_in(store, store.epoch(), commands).await
}

async fn asked_in(
    store: &PostgresStore,
    epoch: &Epoch,
    commands: &[Command],
) -> Result<Applied, StoreError> {
    tried(store, epoch, commands, Locked::Skip).await
}

async fn tried(
    store: &PostgresStore,
    epoch: &Epoch,
    commands: &[Command],
    locked: Locked,
) -> Result<Applied, StoreError> {
    let (epoch, now) = (epoch.clone(), UnixMillis::default());
    store.apply(epoch, now, Arc::from(commands), locked).await
}

/// The list of one person's threads.
async fn inbox(store: &PostgresStore, user_id: &str) -> InboxPage {
    let read = Read::Inbox {
        user_id: user_id.parse().unwrap(),
        limit: 10,
        before: None,
    };
    let Content::Inbox(page) = store.read(read).await.unwrap().content else {
        panic!("not an inbox");
    };
    page
}

/// A trigger of the application's.
async fn rule(database: &Database, when: &str, what: &str) {
    let sql = format!(
        "CREATE FUNCTION rule() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {what} END $$; \
         CREATE TRIGGER rule {when} ON messages FOR EACH ROW EXECUTE FUNCTION rule()"
    );
    database.session().await.batch_execute(&sql).await.unwrap();
}
