//! nginx.

use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use crate::leash::{Leash, free_port, new_folder};

/// A server is asked so often whether it is there, after so long each …
const PAUSE: Duration = Duration::from_millis(20);
/// … before that is a failure.
const TRIES: u32 = 500;

/// An nginx server.
#[derive(Debug)]
pub struct Nginx {
    _leash: Leash,
    port: u16,
}

impl Nginx {
    /// Starts a server by a configuration, which is made of a folder that the server may write in,
    /// and of the port of loopback on which it is to listen.
    ///
    /// # Panics
    ///
    /// If nginx is not installed, or does not start.
    #[must_use]
    pub fn start(configuration: impl FnOnce(&Path, u16) -> String) -> Self {
        let (folder, port) = (new_folder("nginx", None), free_port());
        let file = folder.join("nginx.conf");
        std::fs::write(&file, configuration(&folder, port)).expect("a file in a new folder");
        let path = file.display().to_string();
        let arguments = ["-c", &path, "-g", "daemon off;"].map(str::to_owned);
        // Its first process ends its workers, so it must not be killed.
        let leash = Leash::start(&program(), &arguments, folder, None, "kill -TERM $!");
        let mut tries = 0;
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(tries < TRIES, "nginx: {}", leash.log());
            tries += 1;
            thread::sleep(PAUSE);
        }
        Self {
            _leash: leash,
            port,
        }
    }

    /// Returns the port of loopback on which it listens.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }
}

/// Returns a configuration with changes, each of something that stands there once, so that it writes
/// into a folder and nowhere else.
///
/// # Panics
///
/// If what is to change does not stand there, or more than once.
#[must_use]
pub fn confined(configuration: &str, folder: &Path, changes: &[(&str, String)]) -> String {
    let folder = folder.display();
    let kinds = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let written = kinds.map(|kind| format!("{kind}_temp_path {folder}/{kind};\n"));
    let places = [
        ("/run/nginx.pid", format!("{folder}/pid")),
        ("/var/log/nginx/error.log", format!("{folder}/error.log")),
        ("/var/log/nginx/access.log", format!("{folder}/access.log")),
        ("http {\n", format!("http {{\n{}", written.concat())),
    ];
    let mut text = configuration.to_owned();
    for (from, to) in places.iter().chain(changes) {
        assert_eq!(text.matches(from).count(), 1, "{from}");
        text = text.replace(from, to);
    }
    text
}

/// Distributions put it where only root looks.
fn program() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places: Vec<_> = std::env::split_paths(&path).collect();
    places.push("/usr/sbin".into());
    let found = places.iter().map(|place| place.join("nginx"));
    found
        .into_iter()
        .find(|program| program.is_file())
        .expect("nginx is missing: install it (Debian: apt-get install nginx)")
}
