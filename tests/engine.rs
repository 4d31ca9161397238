//! The engine alone, against a gateway that is a script: what it says, when, and what it does with
//! answers that are late, missing, doubled or hostile.
#![cfg(not(target_arch = "wasm32"))]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test"
)]

#[path = "engine/connecting.rs"]
mod connecting;
#[path = "engine/following.rs"]
mod following;
#[path = "engine/inbox.rs"]
mod inbox;
#[path = "engine/reading.rs"]
mod reading;
#[path = "engine/refreshing.rs"]
mod refreshing;
#[path = "engine/requests.rs"]
mod requests;
#[path = "engine/script.rs"]
mod script;
#[path = "engine/sending.rs"]
mod sending;
#[path = "engine/storing.rs"]
mod storing;
mod story;
#[path = "engine/streams.rs"]
mod streams;
#[path = "engine/transactions.rs"]
mod transactions;
#[path = "engine/ways.rs"]
mod ways;
