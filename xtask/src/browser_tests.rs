//! The client's tests inside a headless browser.

use crate::{process::run, wasm::wasm_pack};

/// Runs them all; `supervisor.rs` will start gateways for them.
pub(crate) fn run_all() -> Result<String, String> {
    let flags = [
        "test",
        "--headless",
        "--chrome",
        "--mode",
        "no-install",
        ".",
    ];
    run(&mut wasm_pack(
        &[
            flags.as_slice(),
            &["--package", "rejoinder", "--all-targets"],
        ]
        .concat(),
    )?)
}
