//! The Rejoinder gateway: takes messages, orders them, and delivers them.
//!
//! - [`core`] decides who is told what, and when: pure, with the time as an argument.
//! - [`store`] keeps threads for good and is the one place where order is decided.
//! - [`shell`] moves bytes between sockets, cores and store, on tokio.
//! - [`tokens`] says whom a token names.
//! - [`probe`] asks a running gateway whether it answers; a [`finding`] is what a check has found.
//!
//! `core` uses the words of `store` (commands, questions and their answers), never a store itself;
//! `store` knows neither of the others. The feature `shell`, on by default, adds the last two; without
//! it nothing here knows tokio.

#[cfg(feature = "shell")]
pub mod bus;
pub mod core;
#[cfg(feature = "shell")]
pub mod finding;
#[cfg(feature = "shell")]
mod https;
#[cfg(feature = "shell")]
pub mod probe;
#[cfg(feature = "shell")]
pub mod shell;
pub mod store;
#[cfg(feature = "shell")]
pub mod tokens;
