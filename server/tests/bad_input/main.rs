//! What a gateway answers to what it should never be sent, on a real socket. `docs/bad-input.md` is the
//! list; numbers here are its rows.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::indexing_slicing)]

#[path = "../client/mod.rs"]
mod client;
mod frames;
mod handshake;
mod hello;
mod panics;
mod raw;
mod reads;
mod sends;
mod texts;
