//! What is PostgreSQL's own; what every store must do is in `store/contract.rs`.

mod adopting;
mod checking;
mod database;
mod foreign;
mod locks;
mod rights;
mod servers;
mod trouble;

pub(crate) use database::Database;
