//! The WebAssembly core, built by wasm-pack.

use crate::{
    paths,
    process::{command, run},
};
use std::process::Command;

/// Compiles wasm-pack and wasm-bindgen at the pinned versions; minutes at first, then nothing.
pub(crate) fn tools() -> Result<String, String> {
    run(&mut command("cargo", &["build", "--package", "tools"]))
}

/// wasm-pack, which finds the pinned wasm-bindgen and downloads nothing.
pub(crate) fn wasm_pack(arguments: &[&str]) -> Result<Command, String> {
    let binaries = paths::binaries()?;
    let mut wasm_pack = command(binaries.join("wasm-pack"), arguments);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::iter::once(binaries).chain(std::env::split_paths(&path));
    let path = std::env::join_paths(path).map_err(|error| error.to_string())?;
    wasm_pack.env("PATH", path);
    Ok(wasm_pack)
}

/// Builds `pkg/`.
pub(crate) fn build() -> Result<String, String> {
    let flags = [
        "--profile",
        "wasm",
        "--target",
        "web",
        "--mode",
        "no-install",
        "--no-pack",
    ];
    let place = ["--out-dir", "pkg", ".", "--package", "rejoinder"];
    run(&mut wasm_pack(
        &[&["build"], flags.as_slice(), &place].concat(),
    )?)
}
