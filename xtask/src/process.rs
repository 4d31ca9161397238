//! Runs a program: silent while all is well, with a sign of life when it takes long.

use crate::paths;
use std::{
    ffi::OsStr,
    io::{BufRead, BufReader, Read},
    process::{Command, Stdio},
    sync::mpsc::{self, RecvTimeoutError, Sender},
    thread,
    time::{Duration, Instant},
};

/// A person who waits longer than this without a line believes that it hangs.
const SIGN_OF_LIFE: Duration = Duration::from_secs(10);

/// A command that runs at the top of the repository.
pub(crate) fn command(program: impl AsRef<OsStr>, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    // Colours would end up in what is parsed.
    command
        .args(arguments)
        .current_dir(paths::root())
        .env("NO_COLOR", "1");
    command
}

/// Runs `command` to its end. What it printed is the result, or the error if it failed.
pub(crate) fn run(command: &mut Command) -> Result<String, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("{name} does not start: {error}"))?;
    let (sender, lines) = mpsc::channel();
    forward(child.stdout.take(), sender.clone());
    forward(child.stderr.take(), sender);

    let started = Instant::now();
    let mut next_sign = SIGN_OF_LIFE;
    let mut output = String::new();
    loop {
        match lines.recv_timeout(next_sign.saturating_sub(started.elapsed())) {
            Ok(line) => output.extend([line.as_str(), "\n"]),
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                let mut said = output.lines().rev().map(str::trim);
                let doing = said
                    .find(|line| !line.is_empty())
                    .unwrap_or("no output yet");
                println!("    {} s: {doing:.80}", started.elapsed().as_secs());
                // From now: on a machine that was asleep, or busy, one sign is enough.
                next_sign = started.elapsed() + SIGN_OF_LIFE;
            }
        }
    }
    let status = child.wait().map_err(|error| format!("{name}: {error}"))?;
    if status.success() {
        Ok(output)
    } else {
        Err(format!("{output}{name}: {status}"))
    }
}

fn forward(stream: Option<impl Read + Send + 'static>, sender: Sender<String>) {
    let Some(stream) = stream else { return };
    thread::spawn(move || {
        for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).trim_end().to_owned();
            if sender.send(line).is_err() {
                return;
            }
        }
    });
}
