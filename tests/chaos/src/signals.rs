//! Signals to processes: to end one at once, to end it politely, to let it stand still.

use std::fs;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

/// Lets processes stand still, and go on even if this program is gone by then.
const FREEZE: &str = r#"time=$1; shift; kill -STOP "$@"; sleep "$time"; kill -CONT "$@""#;

/// Sends a signal such as `KILL`. Whoever is gone already is no failure.
pub(crate) fn send(signal: &str, pids: &[u32]) {
    shell(r#"signal=$1; shift; kill -"$signal" "$@""#, signal, pids);
}

/// Lets processes stand still for so long, in milliseconds, and returns when they go on.
pub(crate) fn freeze(pids: &[u32], ms: u64) {
    shell(FREEZE, &format!("{}.{:03}", ms / 1_000, ms % 1_000), pids);
}

/// In a group of its own, so that Ctrl-C in a terminal does not end it half-way.
fn shell(script: &str, argument: &str, pids: &[u32]) {
    let mut command = Command::new("sh");
    command.args(["-c", script, "sh", argument]);
    command
        .args(pids.iter().map(u32::to_string))
        .process_group(0);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let _ = command.status();
}

/// Returns the processes that a process has started, as `/proc` shows them.
pub(crate) fn children(parent: u32) -> Vec<u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid| parent_of(*pid) == Some(parent)).collect()
}

fn parent_of(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in brackets may hold anything.
    let (_, after_name) = stat.rsplit_once(')')?;
    after_name.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_is_found_and_ended() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let own = std::process::id();
        assert!(children(own).contains(&child.id()));
        send("KILL", &[child.id()]);
        assert!(!child.wait().unwrap().success());
        assert!(!children(own).contains(&child.id()));
    }
}
