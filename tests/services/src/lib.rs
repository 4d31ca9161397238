//! Real servers that tests start themselves: on loopback, on a free port, in a folder of their own.
//!
//! A server ends with the value that started it, and also when the test program is killed: a small
//! shell between the two ends it when its standard input is closed.
#![allow(
    clippy::panic,
    clippy::expect_used,
    reason = "for tests: what cannot be started is a failed test"
)]

mod leash;
mod nginx;
mod postgres;
mod redis;

pub use nginx::{Nginx, confined};
pub use postgres::Postgres;
pub use redis::Redis;
