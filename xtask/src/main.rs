//! Every command of the project. Run `cargo xtask` for the list.
#![allow(
    clippy::print_stdout,
    reason = "talking to whoever typed the command is its job"
)]

mod browser_tests;
mod install;
mod npm;
mod paths;
mod process;
mod rust;
mod size;
mod steps;
mod supervisor;
mod test;
mod tidy;
mod wasm;

use std::process::ExitCode;

/// What one command does. Its error is what to say; nothing, if it has been said.
type Command = fn() -> Result<(), String>;

const COMMANDS: &[(&str, &str, Command)] = &[
    (
        "test",
        "run everything: lints, native tests, browser tests, the npm package",
        test::run,
    ),
    (
        "build",
        "build the WebAssembly core (pkg/) and the npm package (js/dist/)",
        npm::build_all,
    ),
    (
        "size",
        "build, then print what a browser downloads: raw, gzip, brotli",
        size::run,
    ),
    ("tidy", "check file lengths and who imports whom", tidy::run),
];

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next();
    if let Some(unknown) = arguments.next() {
        return explain(&format!("no command takes `{unknown}`"));
    }
    let Some(name) = name else {
        return explain("name a command");
    };
    let Some((_, _, command)) = COMMANDS.iter().find(|(known, _, _)| *known == name) else {
        return explain(&format!("there is no command `{name}`"));
    };
    match command() {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            if !why.is_empty() {
                eprintln!("{why}");
            }
            ExitCode::FAILURE
        }
    }
}

fn explain(problem: &str) -> ExitCode {
    eprintln!("{problem}; the commands are:\n");
    for (name, help, _) in COMMANDS {
        eprintln!("  cargo xtask {name:<8} {help}");
    }
    ExitCode::from(2)
}
