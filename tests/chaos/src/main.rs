//! Chaos: real gateways behind a real nginx, on a real PostgreSQL and Redis, and clients with the
//! real engine, while whatever can break does. `docs/chaos.md` tells more.
#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program that tests, and talks to whoever typed the command"
)]

mod checker;
mod client;
mod clock;
mod fault;
mod figures;
mod gateway;
mod http;
mod ledger;
mod network;
mod nginx;
mod options;
mod people;
mod records;
mod run;
mod servers;
mod signals;
mod view;
mod work;
mod world;

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

/// What is left to do at the end is to end processes.
const END_TIMEOUT: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    let options = options::Options::parse();
    match run(&options) {
        Ok(Some(figures)) => {
            println!("\n{figures}\nnothing lost, doubled or reordered");
            ExitCode::SUCCESS
        }
        Ok(None) => {
            eprintln!("\nstopped");
            ExitCode::FAILURE
        }
        Err(why) => {
            eprintln!("\n{why}");
            ExitCode::FAILURE
        }
    }
}

/// Returns the figures, or nothing if it was asked to stop.
fn run(options: &options::Options) -> Result<Option<String>, String> {
    let folder = tempfile::Builder::new()
        .prefix("rejoinder-chaos-")
        .tempdir();
    let folder = folder.map_err(|error| format!("no folder for logs: {error}"))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    let work = run::run(options, folder.path());
    let result = runtime.block_on(run::unless_stopped(work));
    runtime.shutdown_timeout(END_TIMEOUT);
    result.transpose().map_err(|why| {
        let kept = folder.keep();
        format!("{why}\nthe gateways' logs: {}", kept.display())
    })
}
