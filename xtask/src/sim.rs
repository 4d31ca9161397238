//! The command `sim`: bad days under a virtual clock. What it can be asked is in `--help`.

use std::path::PathBuf;
use std::process::Command;

use crate::{
    paths,
    process::{self, command},
};

/// Its own profile: hundreds of thousands of days are lived through, with every check on.
const PROFILE: &[&str] = &[
    "--profile",
    "simulation",
    "--package",
    "rejoinder-simulation",
];

/// Seeds of every run of everything.
const SCHEDULES: &str = "5000";
/// Most mutants are found within some hundred, so this takes seconds.
const MUTANT_SCHEDULES: &str = "5000";

/// Runs the program with these options, and lets it talk for itself.
pub(crate) fn run(options: &[String]) -> Result<(), String> {
    build()?;
    let program = program()?;
    let status = Command::new(&program)
        .args(options)
        .status()
        .map_err(|error| format!("{}: {error}", program.display()))?;
    // It has said what is wrong.
    if status.success() {
        Ok(())
    } else {
        Err(String::new())
    }
}

/// Compiles the program.
fn build() -> Result<String, String> {
    process::run(&mut command("cargo", &[&["build"], PROFILE].concat()))
}

/// Scenarios, regressions and the simulator's own tests.
pub(crate) fn test() -> Result<String, String> {
    process::run(&mut command("cargo", &[&["test"], PROFILE].concat()))
}

/// The first thousands of seeds.
pub(crate) fn seeds() -> Result<String, String> {
    ask(&["--seeds", SCHEDULES])
}

/// As many as take minutes, none of them among the first thousands.
pub(crate) fn many_seeds() -> Result<String, String> {
    ask(&["--start", SCHEDULES, "--seeds", "100000"])
}

/// Every mutant must be found.
pub(crate) fn mutants() -> Result<String, String> {
    ask(&["--mutants", "--seeds", MUTANT_SCHEDULES])
}

fn ask(options: &[&str]) -> Result<String, String> {
    process::run(&mut command(program()?, options))
}

fn program() -> Result<PathBuf, String> {
    Ok(paths::binaries()?.with_file_name("simulation").join("sim"))
}
