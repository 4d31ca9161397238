//! The simulation as a program.
#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program that tests, and talks to whoever typed the command"
)]

mod hunt;
mod many;
mod options;
mod report;

use std::process::ExitCode;

use clap::Parser;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // A panic of the code under test is a violation like any other, and told as one.
    std::panic::set_hook(Box::new(|_| {}));
    let options = options::Options::parse();
    let is_well = match options.task() {
        options::Task::Trace(schedule) => report::trace(&schedule, options.is_shrunk),
        options::Task::Mutants => hunt::mutants(options.seeds.unwrap_or(5_000)),
        options::Task::Coverage => hunt::coverage(options.seeds.unwrap_or(5_000)),
        options::Task::Seeds => hunt::seeds(&options),
        options::Task::Unreadable(why) => {
            eprintln!("{why}");
            false
        }
    };
    if is_well {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
