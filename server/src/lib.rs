//! The Rejoinder gateway: takes messages, orders them, and delivers them.
//!
//! - [`core`] decides who is told what, and when: pure, with the time as an argument.
//! - [`store`] keeps threads for good and is the one place where order is decided.

pub mod core;
pub mod store;
