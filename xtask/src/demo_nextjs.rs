//! The command `demo --nextjs`: the example of a team that comes from Supabase.

use crate::{
    demo::{build_package, step},
    install, npm, paths, process, rust,
};
use std::process::ExitStatus;

/// Of the developer's own; without it the demo starts a server that is gone afterwards.
const DATABASE: &str = "DATABASE_URL";

/// Builds what is missing, then runs the example's own `npm run demo` until it is stopped.
pub(crate) fn run() -> Result<(), String> {
    build_package()?;
    step("npm dependencies of the example", npm::nextjs_dependencies)?;
    if std::env::var_os(DATABASE).is_none() {
        step("PostgreSQL", || {
            install::postgres()?;
            rust::build_services().map(drop)
        })?;
    }
    let mut demo = process::command("node", &["demo/start.mjs"]);
    let ended = demo.current_dir(paths::nextjs_example()).status();
    match ended.as_ref().map(ExitStatus::success) {
        Ok(true) => Ok(()),
        // It has said why.
        Ok(false) => Err(String::new()),
        Err(error) => Err(format!("the demo does not start: {error}")),
    }
}
