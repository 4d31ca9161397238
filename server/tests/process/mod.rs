//! The gateway as a process of its own.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    dead_code,
    unreachable_pub,
    missing_docs
)]

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio_tungstenite::connect_async;

use crate::client::{Client, hello};

/// Whatever takes longer is a failure: a stop takes seven seconds at most.
const PATIENCE: Duration = Duration::from_secs(30);

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_rejoinder-gateway");

/// A running gateway for development; killed if it is still there in the end.
pub struct Process {
    child: Child,
    address: String,
    operations: String,
}

impl Process {
    pub fn start(arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let listen = ["--dev", "--listen", "127.0.0.1:0"];
        let mut child = Command::new(PROGRAM)
            .args(listen)
            .args(["--operations-listen", "127.0.0.1:0"])
            .args(arguments)
            .env("REJOINDER_LOG", "trace")
            .envs(environment.iter().copied())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut address = || {
            let line = lines.next().unwrap().unwrap();
            line.rsplit_once('/').unwrap().1.to_owned()
        };
        let (address, operations) = (address(), address());
        Self {
            child,
            address,
            operations,
        }
    }

    pub fn address(&self) -> &str {
        &self.address
    }

    pub fn operations(&self) -> &str {
        &self.operations
    }

    /// Opens a socket and is welcomed.
    pub async fn join(&self, user: &str) -> Client {
        let (socket, _) = connect_async(format!("ws://{}/ws", self.address))
            .await
            .unwrap();
        let mut client = Client { socket };
        client.say(&hello(&format!("dev:{user}"))).await;
        client.hear_of("welcome").await;
        client
    }

    pub fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args([name, &pid]).status();
        assert!(sent.unwrap().success());
    }

    pub fn ask_to_end(&self) {
        self.signal("-TERM");
    }

    /// Waits until it has ended by itself.
    pub async fn ended(self) -> ExitStatus {
        self.log().await.0
    }

    /// Waits until it has ended by itself, and returns what it logged, too.
    pub async fn log(mut self) -> (ExitStatus, String) {
        let mut stderr = self.child.stderr.take().unwrap();
        let reading = spawn_blocking(move || {
            let mut log = String::new();
            stderr.read_to_string(&mut log).unwrap();
            log
        });
        let log = tokio::time::timeout(PATIENCE, reading).await;
        let log = log.unwrap_or_else(|_| panic!("it does not end")).unwrap();
        (self.child.wait().unwrap(), log)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
