//! The command `chaos`: real servers and clients while whatever can break does. What it can be asked
//! is in `--help`.

use std::process::Command;

use crate::{
    demo::step,
    install, paths,
    process::{self, command},
    rust,
};

/// Rounds of a run of everything: 15 to 25 minutes on two cores.
const ROUNDS: &str = "200";

/// Installs and builds what is missing, then runs the program with these options, and lets it talk
/// for itself.
pub(crate) fn run(options: &[String]) -> Result<(), String> {
    step("PostgreSQL", install::postgres)?;
    step("Redis", install::redis)?;
    step("nginx", install::nginx)?;
    step("gateway", || rust::build_gateway().map(drop))?;
    step("clients", || build().map(drop))?;
    let status = program()?.args(options).status();
    let status = status.map_err(|error| format!("rejoinder-chaos: {error}"))?;
    // It has said what is wrong.
    if status.success() {
        Ok(())
    } else {
        Err(String::new())
    }
}

/// Many rounds. What they came to is printed.
pub(crate) fn many_rounds() -> Result<(), String> {
    rust::build_gateway()?;
    build()?;
    let said = process::run(program()?.args(["--rounds", ROUNDS]))?;
    let figures = said.split_once("\n\n").map_or("", |(_, figures)| figures);
    for line in figures.lines() {
        println!("    {line}");
    }
    Ok(())
}

fn build() -> Result<String, String> {
    let package = ["build", "--package", "rejoinder-chaos"];
    process::run(&mut command("cargo", &package))
}

fn program() -> Result<Command, String> {
    Ok(command(paths::binaries()?.join("rejoinder-chaos"), &[]))
}
