//! Whatever arrives, from the network, the disk or an application.
//!
//! Each public module is one target: `run` takes any bytes, does with them what they mean, and
//! panics if what must never happen does. The programs in `targets/` let a fuzzer choose the bytes
//! (`cargo xtask fuzz`); `tests/` tries those that it found worth keeping, and random ones.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a program that tests; what cannot be must stop it"
)]

mod choices;
pub mod client_frame;
pub mod cursor;
pub mod engine;
pub mod event_stream;
pub mod gateway;
pub mod key_set;
mod sealed;
pub mod server_frame;
pub mod stored_rows;
pub mod token;
pub mod upgrade;

// The engine's tests have a tab and a gateway's words already.
#[allow(dead_code, reason = "a part of what the tests need")]
#[path = "../../tests/engine/script.rs"]
mod script;
#[allow(dead_code, reason = "a part of what the tests need")]
#[path = "../../tests/story"]
mod story {
    pub(crate) mod browser;
    pub(crate) mod screen;
    pub(crate) mod storage;

    pub(crate) fn thread() -> rejoinder_protocol::ThreadId {
        "alice|bob".parse().unwrap()
    }
}

/// A target's name, and what it does with bytes.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: &[Target] = &[
    ("client_frame", client_frame::run),
    ("cursor", cursor::run),
    ("engine", engine::run),
    ("event_stream", event_stream::run),
    ("gateway", gateway::run),
    ("key_set", key_set::run),
    ("server_frame", server_frame::run),
    ("stored_rows", stored_rows::run),
    ("token", token::run),
    ("upgrade", upgrade::run),
];
