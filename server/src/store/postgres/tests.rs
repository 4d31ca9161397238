//! What is PostgreSQL's own; what every store must do is in `store/contract.rs`.

mod database;

pub(crate) use database::Database;
