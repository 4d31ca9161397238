//! The Rejoinder client: direct messages that are never lost, doubled or reordered.
//!
//! [`engine`] decides everything and does nothing: it is told what happened and says what to do.
//! On wasm32 a driver does it, with one adapter for each Web API, and the npm package
//! `@rejoinder/client` wraps the result.

pub mod engine;
pub mod event_stream;
pub mod http_refusal;

#[cfg(target_arch = "wasm32")]
mod browser;

#[cfg(target_arch = "wasm32")]
#[doc(hidden)]
pub use browser::{Core, planted_panic, set_fatal_listener};
