//! What cargo checks.

use crate::process::{command, run};

/// `tools` only wraps other people's programs, and takes minutes to compile. The simulation switches
/// the mutants' feature on, which everything else is checked without.
const OURS: [&str; 5] = [
    "--workspace",
    "--exclude",
    "tools",
    "--exclude",
    "rejoinder-simulation",
];

pub(crate) fn format() -> Result<String, String> {
    run(&mut command("cargo", &["fmt", "--all", "--check"]))
}

pub(crate) fn lint_native() -> Result<String, String> {
    lint(&OURS)
}

pub(crate) fn lint_simulation() -> Result<String, String> {
    lint(&["--package", "rejoinder-simulation"])
}

pub(crate) fn lint_wasm() -> Result<String, String> {
    lint(&[
        "--package",
        "rejoinder",
        "--target",
        "wasm32-unknown-unknown",
    ])
}

fn lint(what: &[&str]) -> Result<String, String> {
    let deny = ["--all-targets", "--", "-D", "warnings"];
    run(&mut command("cargo", &[&["clippy"], what, &deny].concat()))
}

pub(crate) fn document() -> Result<String, String> {
    let arguments = [&["doc", "--no-deps"], OURS.as_slice()].concat();
    run(command("cargo", &arguments).env("RUSTDOCFLAGS", "-D warnings"))
}

pub(crate) fn test() -> Result<String, String> {
    run(&mut command(
        "cargo",
        &[&["test", "--no-fail-fast"], OURS.as_slice()].concat(),
    ))
}

/// Compiles the gateway, unoptimised: it starts sooner, and a few people do not notice.
pub(crate) fn build_gateway() -> Result<String, String> {
    run(&mut command(
        "cargo",
        &["build", "--package", "rejoinder-gateway"],
    ))
}

/// Compiles the servers that tests start which are not written in Rust.
pub(crate) fn build_services() -> Result<String, String> {
    run(&mut command(
        "cargo",
        &["build", "--package", "rejoinder-test-services"],
    ))
}
