//! Every command of the project. Run `cargo xtask` for the list.
#![allow(
    clippy::print_stdout,
    reason = "talking to whoever typed the command is its job"
)]

mod autobahn;
mod browser_tests;
mod chaos;
mod demo;
mod demo_nextjs;
mod dist;
mod e2e;
mod fresh;
mod fuzz;
mod install;
mod npm;
mod paths;
mod process;
mod proxy;
mod rust;
mod scratch;
mod sim;
mod size;
mod steps;
mod supervisor;
mod test;
mod tidy;
mod wasm;

use std::process::ExitCode;

/// What one command does. Its error is what to say; nothing, if it has been said.
enum Command {
    Plain(fn() -> Result<(), String>),
    WithOptions(fn(&[String]) -> Result<(), String>),
}

use Command::{Plain, WithOptions};

const COMMANDS: &[(&str, &str, Command)] = &[
    (
        "demo",
        "let two people chat in a browser; --help lists its options",
        WithOptions(demo::run),
    ),
    (
        "test",
        "run everything: lints, native tests, browser tests, the npm package; --full for more",
        WithOptions(test::run),
    ),
    (
        "browser",
        "run only the tests inside a browser; what they need, `test` has installed",
        Plain(|| browser_tests::run_all().map(|said| println!("{said}"))),
    ),
    (
        "build",
        "build the WebAssembly core (pkg/) and the npm package (js/dist/)",
        Plain(npm::build_all),
    ),
    (
        "dist",
        "make dist/ for those without Rust: gateway, npm packages, checksums; --help lists its options",
        WithOptions(dist::run_command),
    ),
    (
        "sim",
        "live through bad days under a virtual clock; --help lists its options",
        WithOptions(sim::run),
    ),
    (
        "fuzz",
        "let a fuzzer choose what arrives; --help lists its options",
        WithOptions(fuzz::run),
    ),
    (
        "autobahn",
        "hold the gateway's WebSockets to the standard; needs Python 2.7",
        Plain(autobahn::run_all),
    ),
    (
        "chaos",
        "let real servers and clients meet whatever can break; --help lists its options",
        WithOptions(chaos::run),
    ),
    (
        "size",
        "build, then print what a browser downloads: raw, gzip, brotli",
        Plain(size::run),
    ),
    (
        "tidy",
        "check file lengths and who imports whom",
        Plain(tidy::run),
    ),
];

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let Some(name) = arguments.next() else {
        return explain("name a command");
    };
    let options: Vec<String> = arguments.collect();
    let Some((_, _, command)) = COMMANDS.iter().find(|(known, _, _)| *known == name) else {
        return explain(&format!("there is no command `{name}`"));
    };
    let outcome = match (command, options.first()) {
        (Plain(run), None) => run(),
        (Plain(_), Some(option)) => return explain(&format!("{name} takes no `{option}`")),
        (WithOptions(run), _) => run(&options),
    };
    match outcome {
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
