//! One gateway: a process that is killed and started again.

use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use crate::signals;

/// Runs `$@` and says its number. When nobody holds the other end of the standard input any more,
/// kills it: it never outlives this program.
const SCRIPT: &str = r#"
"$@" </dev/null &
echo $!
exec >/dev/null
read -r _
kill -9 $! 2>/dev/null
wait $!
"#;
/// A gateway that does not listen by then does not start.
const START_TIMEOUT: Duration = Duration::from_secs(10);
/// One whose database is away ends; it is started again after so long, as systemd would.
const START_PAUSE: Duration = Duration::from_millis(250);
/// So often.
const STARTS_MAX: u32 = 40;
/// A gateway that was asked to end is gone by then: it says seven seconds itself.
const STOP_TIMEOUT: Duration = Duration::from_secs(20);

/// How gateways are started.
#[derive(Debug)]
pub(crate) struct Setup {
    /// The program.
    pub(crate) program: PathBuf,
    /// What it is told.
    pub(crate) environment: Vec<(&'static str, String)>,
    /// Where its log goes.
    pub(crate) folder: PathBuf,
}

/// A place for a gateway, and the process that is there now.
#[derive(Debug)]
pub(crate) struct Gateway {
    name: String,
    port: u16,
    log: PathBuf,
    process: Option<Process>,
}

#[derive(Debug)]
struct Process {
    shell: Child,
    pid: u32,
    is_over: watch::Receiver<bool>,
}

impl Gateway {
    /// Chooses a port of loopback for it. It does not run yet.
    ///
    /// # Errors
    ///
    /// What the system says, if there is none.
    pub(crate) fn place(number: usize, setup: &Setup) -> Result<Self, String> {
        let listener = TcpListener::bind("127.0.0.1:0").and_then(|one| one.local_addr());
        let address = listener.map_err(|error| format!("no port on loopback: {error}"))?;
        let name = format!("gateway-{}", number + 1);
        Ok(Self {
            log: setup.folder.join(format!("{name}.log")),
            name,
            port: address.port(),
            process: None,
        })
    }

    /// Returns the port of loopback on which it listens.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Returns its number in the system, while it runs.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(|process| process.pid)
    }

    /// Starts it, and again while its database is away; returns when it listens.
    ///
    /// # Errors
    ///
    /// If it does not come to listen in many tries.
    pub(crate) async fn start(&mut self, setup: &Setup) -> Result<(), String> {
        for _ in 0..STARTS_MAX {
            match self.try_start(setup).await {
                Ok(Some(process)) => {
                    self.process = Some(process);
                    return Ok(());
                }
                Ok(None) => sleep(START_PAUSE).await,
                Err(why) => return Err(format!("{}: {why}", self.name)),
            }
        }
        Err(format!(
            "{} does not start: {}",
            self.name,
            self.last_words()
        ))
    }

    async fn try_start(&self, setup: &Setup) -> Result<Option<Process>, String> {
        let log = File::options().append(true).create(true).open(&self.log);
        let log = log.map_err(|error| format!("{}: {error}", self.log.display()))?;
        let mut shell = Command::new("sh");
        shell.args(["-c", SCRIPT, "sh"]).arg(&setup.program);
        shell.args(["--listen", &format!("127.0.0.1:{}", self.port)]);
        shell.args(["--operations-listen", "none", "--node-id", &self.name]);
        shell.envs(setup.environment.iter().map(|(name, value)| (name, value)));
        shell
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log);
        // Ctrl-C in a terminal is for this program, which ends the others in order.
        let mut shell = shell
            .process_group(0)
            .spawn()
            .map_err(|error| error.to_string())?;
        let stdout = shell.stdout.take().ok_or("a shell without an output")?;
        let mut lines = BufReader::new(stdout).lines();
        let pid = next(&mut lines).await.ok_or("a shell without a word")?;
        let pid = pid.parse().map_err(|_| format!("not a number: {pid}"))?;
        let said = timeout(START_TIMEOUT, next(&mut lines)).await;
        let Ok(Some(_address)) = said else {
            return Ok(None);
        };
        let (over, is_over) = watch::channel(false);
        tokio::spawn(async move {
            while next(&mut lines).await.is_some() {}
            over.send_replace(true);
        });
        Ok(Some(Process {
            shell,
            pid,
            is_over,
        }))
    }

    /// Ends it at once, as `kill -9` does.
    pub(crate) async fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            signals::send("KILL", &[process.pid]);
            drop(process.shell.stdin.take());
            let _ = process.shell.wait().await;
        }
    }

    /// Asks it to end, and waits for that.
    ///
    /// # Errors
    ///
    /// If it does not.
    pub(crate) async fn stop(&mut self) -> Result<(), String> {
        let Some(process) = &mut self.process else {
            return Ok(());
        };
        signals::send("TERM", &[process.pid]);
        let is_over = process.is_over.wait_for(|is_over| *is_over);
        let ended = timeout(STOP_TIMEOUT, is_over).await.is_ok();
        self.kill().await;
        match ended {
            true => Ok(()),
            false => Err(format!("{} does not stop when it is asked to", self.name)),
        }
    }

    /// Returns what is wrong with it, if it should be running and well.
    pub(crate) fn trouble(&self) -> Option<String> {
        let is_gone = match &self.process {
            Some(process) => *process.is_over.borrow(),
            None => true,
        };
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let panicked = log.lines().find(|line| line.contains("panicked at"));
        match (panicked, is_gone) {
            (Some(line), _) => Some(format!("{} panicked: {line}", self.name)),
            (None, true) => Some(format!(
                "{} ended by itself: {}",
                self.name,
                self.last_words()
            )),
            (None, false) => None,
        }
    }

    fn last_words(&self) -> String {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<_> = log.lines().rev().take(3).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }
}

async fn next(lines: &mut Lines<BufReader<ChildStdout>>) -> Option<String> {
    lines.next_line().await.ok().flatten()
}

/// Runs the program to its end with these arguments; returns what it printed.
///
/// # Errors
///
/// What it said, if it failed.
pub(crate) async fn run(setup: &Setup, arguments: &[&str]) -> Result<String, String> {
    let program: &Path = &setup.program;
    let mut command = Command::new(program);
    command.args(arguments).kill_on_drop(true);
    command.envs(setup.environment.iter().map(|(name, value)| (name, value)));
    let output = command.output().await;
    let output = output.map_err(|error| format!("{}: {error}", program.display()))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
