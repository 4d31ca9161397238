//! The command `autobahn`: the Autobahn test suite speaks to the gateway's WebSockets.
//!
//! The suite is of Python 2.7, which nothing installs by itself any more; so this is a command of its
//! own and no part of `test`.

use crate::paths::{self, on_path};
use crate::process::{command, run};
use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

const PYTHON: &str = "python2.7";
/// The last one that runs; what it needs of later versions of `txaio` is not there.
const PACKAGES: [&str; 2] = ["autobahntestsuite==0.8.2", "txaio==2.1.0"];
/// Cases with messages of up to 16 MiB, far above what clients may send.
const LONG: &str = "\"9.*\"";
const LONG_BYTES_MAX: &str = "16777216";

/// The command `autobahn`.
pub(crate) fn run_all() -> Result<(), String> {
    let suite = install()?;
    println!("building the gateway's WebSockets, without a gateway behind them");
    let build = [
        "build",
        "--package",
        "rejoinder-gateway",
        "--example",
        "echo",
    ];
    run(&mut command("cargo", &build))?;
    println!("what clients meet: every case but 9.*");
    let mut counts = judge(&suite, "limits", &[], "\"*\"", LONG)?;
    println!("messages up to 16 MiB: the cases 9.*");
    for (verdict, count) in judge(&suite, "long", &[LONG_BYTES_MAX], LONG, "")? {
        *counts.entry(verdict).or_default() += count;
    }
    for (verdict, count) in &counts {
        println!("    {verdict}: {count}");
    }
    let is_good =
        |verdict: &str| ["OK", "NON-STRICT", "INFORMATIONAL", "UNIMPLEMENTED"].contains(&verdict);
    match counts.keys().find(|verdict| !is_good(verdict)) {
        None => Ok(()),
        Some(bad) => Err(format!("{bad}; the reports are in {}", suite.display())),
    }
}

/// Installs the suite beside what cargo builds; returns where.
fn install() -> Result<PathBuf, String> {
    let python = on_path(PYTHON)
        .ok_or_else(|| format!("{PYTHON} is not on the PATH; the suite runs on nothing newer"))?;
    run(Command::new(&python).arg("--version")).map_err(|error| {
        format!("{error}{PYTHON} does not run; with pyenv: PYENV_VERSION=2.7.18")
    })?;
    let folder = paths::binaries()?.with_file_name("autobahn");
    let is_there = folder.join("packages/zope/__init__.py");
    if !is_there.is_file() {
        println!(
            "installing {} for this folder alone",
            PACKAGES.join(" and ")
        );
        let mut pip = Command::new(&python);
        pip.args(["-m", "pip", "install", "--target"])
            .arg(folder.join("packages"));
        run(pip.args(PACKAGES))?;
        // Python 2 takes a folder for a package only with this file.
        fs::write(&is_there, "").map_err(|error| format!("{}: {error}", is_there.display()))?;
    }
    Ok(folder)
}

/// Runs cases, and counts what is said of each.
fn judge(
    suite: &Path,
    name: &str,
    arguments: &[&str],
    cases: &str,
    not: &str,
) -> Result<BTreeMap<String, usize>, String> {
    let failed = |error: std::io::Error| format!("{}: {error}", suite.display());
    let echo = Echo::start(arguments)?;
    let reports = suite.join(name);
    let spec = format!(
        r#"{{"outdir": "{}", "servers": [{{"agent": "gateway", "url": "{}"}}],
            "cases": [{cases}], "exclude-cases": [{not}], "exclude-agent-cases": {{}}}}"#,
        reports.display(),
        echo.url
    );
    let spec_file = suite.join(format!("{name}.json"));
    fs::write(&spec_file, spec).map_err(failed)?;
    let mut wstest = Command::new(PYTHON);
    wstest.args([
        "-m",
        "autobahntestsuite.wstest",
        "--mode",
        "fuzzingclient",
        "--spec",
    ]);
    wstest
        .arg(&spec_file)
        .env("PYTHONPATH", suite.join("packages"));
    run(wstest.current_dir(suite))?;
    let index = fs::read_to_string(reports.join("index.json")).map_err(failed)?;
    let counts = verdicts(&index);
    if counts.is_empty() {
        return Err(format!("no case ran; see {}", reports.display()));
    }
    Ok(counts)
}

/// Counts what the suite's index says, which is indented JSON. How a connection ended counts only if
/// it ended badly.
fn verdicts(index: &str) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for line in index.lines() {
        let Some((key, value)) = line.trim().trim_end_matches(',').split_once(": ") else {
            continue;
        };
        let verdict = value.trim_matches('"');
        let ended_well = ["OK", "INFORMATIONAL", "UNIMPLEMENTED"].contains(&verdict);
        let verdict = match key {
            "\"behavior\"" => verdict.to_owned(),
            "\"behaviorClose\"" if !ended_well => format!("{verdict} (how it closed)"),
            _ => continue,
        };
        *counts.entry(verdict).or_default() += 1;
    }
    counts
}

/// The running example, ended with this.
struct Echo {
    child: Child,
    url: String,
}

impl Echo {
    fn start(arguments: &[&str]) -> Result<Self, String> {
        let program = paths::binaries()?.join("examples/echo");
        let mut child = command(&program, arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{}: {error}", program.display()))?;
        let mut line = String::new();
        if let Some(stdout) = child.stdout.take() {
            let _ = BufReader::new(stdout).read_line(&mut line);
        }
        let url = line
            .trim()
            .strip_prefix("listening on ")
            .unwrap_or_default()
            .to_owned();
        let echo = Self { child, url };
        if echo.url.is_empty() {
            return Err(format!("{} does not listen", program.display()));
        }
        Ok(echo)
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_suites_index_is_counted() {
        let index = r#"{
   "gateway": {
      "1.1.1": {
         "behavior": "OK",
         "behaviorClose": "OK",
         "duration": 2
      },
      "1.1.2": {
         "behavior": "FAILED",
         "behaviorClose": "UNCLEAN",
         "duration": 2
      }
   }
}"#;
        let expected = [("FAILED", 1), ("OK", 1), ("UNCLEAN (how it closed)", 1)];
        let expected = expected.map(|(verdict, count)| (verdict.to_owned(), count));
        assert_eq!(verdicts(index), expected.into());
        assert!(verdicts("{}").is_empty());
    }
}
