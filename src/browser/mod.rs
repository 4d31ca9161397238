//! Everything that touches a Web API: the surface for JavaScript, the driver, and one adapter for
//! each Web API. Adapters decide nothing: they do what an effect says and report what happened.

mod bindings;
mod clock;
mod door;
mod driver;
mod idb;
mod lifecycle;
mod link;
mod listener;
mod notifier;
mod panic;
mod refusal;
mod socket;
mod storage;
mod stream;
mod timer;

pub use self::bindings::{Core, planted_panic, set_fatal_listener};

#[cfg(test)]
wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_browser);
