//! The client in a real page, through the boundary that JavaScript uses: alone, and with a real
//! gateway that the tests start and kill. Run by `cargo xtask test`.
#![cfg(target_arch = "wasm32")]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test"
)]

mod arguments;
mod gateway;
mod notices;
mod page;
mod storage;
mod streams;
mod supervisor;
mod tokens;

wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_browser);
