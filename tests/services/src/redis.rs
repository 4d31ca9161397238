//! Redis.

use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use crate::leash::{Leash, free_port, new_folder, run};

/// A server is asked so often whether it is there, after so long each …
const PAUSE: Duration = Duration::from_millis(20);
/// … before that is a failure.
const TRIES: u32 = 500;

/// A Redis server. It keeps nothing on disk, so it is empty after each start.
#[derive(Debug)]
pub struct Redis {
    leash: Option<Leash>,
    port: u16,
}

impl Redis {
    /// Starts a server.
    ///
    /// # Panics
    ///
    /// If Redis is not installed, or does not start.
    #[must_use]
    pub fn start() -> Self {
        let mut server = Self {
            leash: None,
            port: free_port(),
        };
        server.restart();
        server
    }

    /// Returns its URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Ends it at once, as a crash would.
    pub fn stop(&mut self) {
        self.leash = None;
    }

    /// Starts it again, empty, on the same port.
    ///
    /// # Panics
    ///
    /// If it does not start.
    pub fn restart(&mut self) {
        self.stop();
        let port = self.port.to_string();
        let arguments = ["--port", &port, "--bind", "127.0.0.1", "--save", ""];
        let arguments = arguments.map(str::to_owned);
        let folder = new_folder("redis", None);
        let leash = Leash::start(
            Path::new("redis-server"),
            &arguments,
            folder,
            None,
            "kill -9 $!",
        );
        let mut tries = 0;
        while !self.is_ready() {
            assert!(tries < TRIES, "Redis: {}", leash.log());
            tries += 1;
            thread::sleep(PAUSE);
        }
        self.leash = Some(leash);
    }

    /// Returns the number of its process.
    ///
    /// # Panics
    ///
    /// If it does not run.
    #[must_use]
    pub fn pid(&self) -> u32 {
        let about = self.run(&["INFO", "server"]);
        let mut lines = about.lines();
        let pid = lines.find_map(|line| line.trim().strip_prefix("process_id:")?.parse().ok());
        pid.expect("the number of a process")
    }

    fn is_ready(&self) -> bool {
        TcpStream::connect(("127.0.0.1", self.port)).is_ok()
            && self
                .command(&["PING"])
                .output()
                .is_ok_and(|answer| answer.stdout == b"PONG\n")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("redis-cli");
        command.args(["-p", &self.port.to_string()]).args(arguments);
        command
    }

    /// Runs a command and returns its answer.
    ///
    /// # Panics
    ///
    /// If it fails.
    pub fn run(&self, arguments: &[&str]) -> String {
        run(&mut self.command(arguments))
    }
}
