//! The examples in a real browser, against a real gateway, through a network that breaks.

use crate::{npm, process, rust};

/// Builds what the tests need and runs them.
pub(crate) fn run() -> Result<String, String> {
    rust::build_gateway()?;
    npm::build_example()?;
    run_tests("tests/e2e/chat.test.mjs")
}

/// The same for the Next.js example, which its tests build, for its variables become part of it.
pub(crate) fn run_nextjs() -> Result<String, String> {
    rust::build_gateway()?;
    rust::build_services()?;
    run_tests("tests/e2e/nextjs.test.mjs")
}

fn run_tests(file: &str) -> Result<String, String> {
    let arguments = ["--test", "--test-reporter=tap", file];
    process::run(&mut process::command("node", &arguments))
}
