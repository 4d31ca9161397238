//! The example in a real browser, against a real gateway, through a network that breaks.

use crate::{npm, process, rust};

/// Builds what the tests need and runs them.
pub(crate) fn run() -> Result<String, String> {
    rust::build_gateway()?;
    npm::build_example()?;
    let arguments = ["--test", "--test-reporter=tap", "tests/e2e/chat.test.mjs"];
    process::run(&mut process::command("node", &arguments))
}
