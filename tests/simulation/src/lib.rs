//! Many clients, a gateway and bad days, on one thread under one virtual clock.
//!
//! A run is decided by a [`schedule::Schedule`]: who is there, what they do, what goes wrong when,
//! and a seed for how long everything takes. [`swarm::schedule`] makes one from a seed. The
//! [`world::World`] runs the real engines, the gateway's real cores on SQLite in memory, and the
//! real rules of the browser's storage; [`truth`] and [`ledger`] are the simple model it is
//! compared with, by the invariants of [`invariant::Invariant`].
//!
//! `docs/simulation.md` tells what is simulated and what is not.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "a program that tests; what cannot be must stop it"
)]

pub mod action;
pub mod checks;
pub mod coverage;
pub mod days;
pub mod invariant;
pub mod ledger;
pub mod random;
pub mod regression;
pub mod run;
pub mod scenario;
pub mod schedule;
pub mod shrink;
pub mod swarm;
pub mod trace;
pub mod truth;
pub mod world;
