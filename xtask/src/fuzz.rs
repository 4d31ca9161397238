//! The command `fuzz`: a fuzzer chooses what arrives, for each target of `fuzz/` in turn.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use crate::{
    paths::{self, on_path},
    process::{command, run as execute},
};

const HELP: &str = "cargo xtask fuzz [TARGET] [--seconds N] [--replay FILE] [--keep]

  TARGET         one of fuzz/targets; else all, one after the other
  --seconds N    so long for each target, 60 by default
  --replay FILE  try one input instead, for example one that failed
  --keep         afterwards, make fuzz/corpus the smallest set that reaches all that was reached";

/// What installs it, where it is not on the PATH.
const CARGO_FUZZ: &str = "0.13.2";
const SECONDS: u32 = 60;
/// In a run of everything.
const BRIEF_SECONDS: u32 = 10;
/// No sanitizer: the product has no unsafe code, what is looked for are panics and broken promises,
/// and stable Rust has none.
const BUILD: [&str; 4] = ["--sanitizer", "none", "--features", "libfuzzer"];
/// Longer inputs find nothing that shorter ones do not, and take their time.
const INPUT_BYTES_MAX: &str = "-max_len=4096";
/// Much happens in a long one: they are tried sooner than libFuzzer would by itself.
const INPUT_GROWTH: &str = "-len_control=10";
/// An input that takes longer, in seconds, is a find: something turns in circles.
const INPUT_TIMEOUT: &str = "-timeout=25";

#[derive(Debug, Default, PartialEq, Eq)]
struct Options {
    target: Option<String>,
    seconds: Option<u32>,
    replay: Option<PathBuf>,
    keep: bool,
}

/// The command `fuzz`.
pub(crate) fn run(options: &[String]) -> Result<(), String> {
    let options = parse(options).ok_or(HELP)?;
    let targets = targets(options.target.as_deref())?;
    let program = program()?;
    let file = options.replay.as_deref();
    if let (Some(file), [target]) = (file, targets.as_slice()) {
        let file = std::path::absolute(file).map_err(|error| error.to_string())?;
        return replay(&program, target, &file);
    }
    build(&program)?;
    let seconds = options.seconds.unwrap_or(SECONDS);
    let failed: Vec<String> = targets
        .iter()
        .filter_map(|target| fuzz(&program, target, seconds).err())
        .collect();
    if options.keep && failed.is_empty() {
        for target in &targets {
            keep(&program, target)?;
        }
    }
    if failed.is_empty() {
        Ok(())
    } else {
        Err(failed.join("\n"))
    }
}

/// Every target for some seconds.
pub(crate) fn briefly() -> Result<(), String> {
    run(&["--seconds".to_owned(), BRIEF_SECONDS.to_string()])
}

fn parse(options: &[String]) -> Option<Options> {
    let mut parsed = Options::default();
    let mut options = options.iter();
    while let Some(option) = options.next() {
        match option.as_str() {
            "--seconds" => parsed.seconds = Some(options.next()?.parse().ok()?),
            "--replay" => parsed.replay = Some(options.next()?.into()),
            "--keep" => parsed.keep = true,
            name if !name.starts_with('-') && parsed.target.is_none() => {
                parsed.target = Some(name.to_owned());
            }
            _ => return None,
        }
    }
    // Which target would it be for?
    (parsed.replay.is_none() || parsed.target.is_some()).then_some(parsed)
}

/// The target of this name, or all of them.
fn targets(name: Option<&str>) -> Result<Vec<String>, String> {
    let folder = paths::root().join("fuzz/targets");
    let entries = fs::read_dir(&folder).map_err(|error| format!("fuzz/targets: {error}"))?;
    let stem = |path: PathBuf| Some(path.file_stem()?.to_string_lossy().into_owned());
    let mut targets: Vec<_> = entries
        .flatten()
        .filter_map(|entry| stem(entry.path()))
        .collect();
    targets.sort();
    match name {
        None => Ok(targets),
        Some(name) if targets.iter().any(|target| target == name) => Ok(vec![name.to_owned()]),
        Some(name) => Err(format!(
            "there is no target `{name}`; the targets are {}",
            targets.join(", ")
        )),
    }
}

/// cargo-fuzz, installed beside what cargo builds where it is not on the PATH.
fn program() -> Result<PathBuf, String> {
    if let Some(program) = on_path("cargo-fuzz") {
        return Ok(program);
    }
    let folder = paths::binaries()?.with_file_name("cargo-fuzz");
    let program = folder.join("bin/cargo-fuzz");
    if !program.is_file() {
        println!("    installing cargo-fuzz {CARGO_FUZZ} for this folder alone");
        let install = ["install", "cargo-fuzz", "--version", CARGO_FUZZ, "--locked"];
        execute(command("cargo", &install).arg("--root").arg(folder))?;
    }
    Ok(program)
}

fn build(program: &Path) -> Result<(), String> {
    println!("building the targets");
    execute(command(program, &["build"]).args(BUILD)).map(drop)
}

/// Runs a target; `arguments` are folders, or files to try.
fn ask(
    program: &Path,
    target: &str,
    arguments: &[&OsStr],
    options: &[&str],
) -> Result<String, String> {
    let mut asked = command(program, &["run"]);
    asked.args(BUILD).arg(target).args(arguments);
    execute(asked.arg("--").args(options))
}

/// Where a fuzzer keeps what it finds, from run to run.
fn found(target: &str) -> Result<PathBuf, String> {
    let folder = paths::binaries()?.with_file_name("fuzz").join(target);
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    Ok(folder)
}

fn kept(target: &str) -> PathBuf {
    paths::root().join("fuzz/corpus").join(target)
}

fn fuzz(program: &Path, target: &str, seconds: u32) -> Result<(), String> {
    println!("{target}, {seconds} s");
    let (found, kept) = (found(target)?, kept(target));
    let time = format!("-max_total_time={seconds}");
    let options = [
        &time,
        INPUT_BYTES_MAX,
        INPUT_GROWTH,
        INPUT_TIMEOUT,
        "-print_final_stats=1",
    ];
    match ask(program, target, &[found.as_ref(), kept.as_ref()], &options) {
        Ok(output) => {
            println!("    {}", summary(&output));
            Ok(())
        }
        Err(output) => {
            let from = output.find("panicked at").map_or(0, |at| at - at.min(200));
            let story = output.get(from..).unwrap_or(&output);
            println!("{story}\n    FAILED: {target}");
            let input = artifact(&output).unwrap_or("FILE");
            Err(format!(
                "{target} failed; again: cargo xtask fuzz {target} --replay {input}"
            ))
        }
    }
}

fn replay(program: &Path, target: &str, file: &Path) -> Result<(), String> {
    println!("{}", ask(program, target, &[file.as_ref()], &[])?);
    Ok(())
}

/// Makes the committed inputs the smallest set that reaches what these and all found ones reach.
fn keep(program: &Path, target: &str) -> Result<(), String> {
    let (found, kept) = (found(target)?, kept(target));
    let smallest = found.with_extension("smallest");
    let failed = |error: std::io::Error| format!("{target}: {error}");
    if smallest.exists() {
        fs::remove_dir_all(&smallest).map_err(failed)?;
    }
    fs::create_dir_all(&smallest).map_err(failed)?;
    let folders = [smallest.as_ref(), kept.as_ref(), found.as_ref()];
    // How often a place is reached is not worth a file.
    ask(program, target, &folders, &["-merge=1", "-use_counters=0"])?;
    fs::remove_dir_all(&kept).map_err(failed)?;
    fs::create_dir_all(&kept).map_err(failed)?;
    let (mut count, mut bytes) = (0, 0);
    for entry in fs::read_dir(&smallest).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        bytes += fs::copy(entry.path(), kept.join(entry.file_name())).map_err(failed)?;
        count += 1;
    }
    println!("{target}: {count} inputs, {} KiB", bytes.div_ceil(1024));
    Ok(())
}

/// How many inputs were tried and what they reached, as libFuzzer says it.
fn summary(output: &str) -> String {
    let tried = output
        .lines()
        .find_map(|line| line.strip_prefix("stat::number_of_executed_units:"));
    let reached = output
        .lines()
        .rev()
        .find_map(|line| line.split_once("cov: "));
    let reached = reached.and_then(|(_, rest)| rest.split(' ').next());
    format!(
        "{} inputs, {} places of the code reached",
        tried.unwrap_or("?").trim(),
        reached.unwrap_or("?")
    )
}

/// Where the input is that failed.
fn artifact(output: &str) -> Option<&str> {
    let mut lines = output.lines();
    lines.find_map(|line| Some(line.split_once("Test unit written to ")?.1.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(words: &str) -> Option<Options> {
        parse(
            &words
                .split_whitespace()
                .map(str::to_owned)
                .collect::<Vec<_>>(),
        )
    }

    #[test]
    fn options_are_read() {
        assert_eq!(options(""), Some(Options::default()));
        let all = options("engine --seconds 7 --keep").unwrap();
        assert_eq!(all.target.as_deref(), Some("engine"));
        assert_eq!((all.seconds, all.keep), (Some(7), true));
        assert!(options("engine --replay crash-1").unwrap().replay.is_some());
        for wrong in [
            "a b",
            "--seconds",
            "--seconds x",
            "--replay crash-1",
            "--help",
        ] {
            assert_eq!(options(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn every_target_is_listed_and_no_other() {
        let all = targets(None).unwrap();
        assert!(all.iter().any(|target| target == "gateway"));
        assert_eq!(targets(Some("gateway")), Ok(vec!["gateway".to_owned()]));
        assert!(targets(Some("gatewa")).is_err());
    }

    #[test]
    fn what_libfuzzer_says_is_read() {
        let output = "#9 REDUCE cov: 31 ft: 9\n#10 DONE   cov: 32 ft: 10 corp: 5\n\
                      stat::number_of_executed_units: 10\n";
        assert_eq!(summary(output), "10 inputs, 32 places of the code reached");
        let output = "artifact_prefix='./'; Test unit written to ./crash-1\n";
        assert_eq!(artifact(output), Some("./crash-1"));
        assert_eq!(artifact(""), None);
    }
}
