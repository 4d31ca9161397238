//! The client's tests inside a headless browser, with gateways that they may start and kill.

use crate::{
    paths,
    process::{command, run},
    scratch::Scratch,
    supervisor::Supervisor,
    wasm::wasm_pack,
};

/// In seconds; gateways are killed and waited for.
const TIMEOUT: &str = "180";

/// Builds the gateway and runs all tests.
pub(crate) fn run_all() -> Result<String, String> {
    let gateway = ["build", "--package", "rejoinder-gateway"];
    run(&mut command("cargo", &gateway))?;
    let supervisor = Supervisor::start(paths::binaries()?.join("rejoinder-gateway"))?;
    let flags = [
        "test",
        "--headless",
        "--chrome",
        "--mode",
        "no-install",
        ".",
    ];
    let mut tests = wasm_pack(
        &[
            flags.as_slice(),
            &["--package", "rejoinder", "--all-targets"],
        ]
        .concat(),
    )?;
    tests.env("REJOINDER_SUPERVISOR", supervisor.url());
    tests.env("WASM_BINDGEN_TEST_TIMEOUT", TIMEOUT);
    // The test runner kills its browsers, which leave their profiles behind, megabytes each.
    let profiles = Scratch::new("browser")?;
    tests.env("TMPDIR", profiles.path());
    run(&mut tests)
}
