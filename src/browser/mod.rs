//! Everything that touches a Web API: adapters without decisions, and the surface for JavaScript.

mod bindings;
mod idb;
mod listener;
mod panic;

#[cfg(test)]
wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_browser);
