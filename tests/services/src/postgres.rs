//! PostgreSQL.

use std::net::TcpStream;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use crate::leash::{Leash, Owner, command, free_port, new_folder, run};

/// A server is asked so often whether it is there, after so long each …
const PAUSE: Duration = Duration::from_millis(20);
/// … before that is a failure.
const TRIES: u32 = 1_500;

/// Where distributions put the server's programs.
const PLACES: &str = "/usr/lib/postgresql";

/// A PostgreSQL server.
///
/// It syncs nothing to disk: what these tests are about is not a loss of power. Everybody on this
/// machine may connect as `postgres`, without a password.
#[derive(Debug)]
pub struct Postgres {
    leash: Option<Leash>,
    programs: PathBuf,
    data: PathBuf,
    owner: Owner,
    port: u16,
    databases: AtomicU32,
}

impl Postgres {
    /// Starts a server, with further settings such as `max_connections=20`.
    ///
    /// # Panics
    ///
    /// If PostgreSQL is not installed, or does not start.
    #[must_use]
    pub fn start(settings: &[&str]) -> Self {
        let programs = programs();
        let owner = owner();
        let folder = new_folder("postgres", owner);
        let data = folder.join("data");
        let mut initdb = command(&programs.join("initdb"), owner);
        initdb.args(["--username=postgres", "--auth=trust", "--encoding=UTF8"]);
        initdb
            .args(["--no-locale", "--no-sync", "--pgdata"])
            .arg(&data);
        run(initdb.current_dir(&folder));
        let mut server = Self {
            leash: None,
            programs,
            data,
            owner,
            port: free_port(),
            databases: AtomicU32::new(0),
        };
        let mut settings: Vec<_> = settings.iter().map(|one| (*one).to_owned()).collect();
        settings.extend(["fsync=off", "listen_addresses=127.0.0.1"].map(str::to_owned));
        server.run(folder, &settings);
        server
    }

    fn run(&mut self, folder: PathBuf, settings: &[String]) {
        let mut arguments = vec!["-D".to_owned(), self.data.display().to_string()];
        arguments.extend(["-p".to_owned(), self.port.to_string()]);
        arguments.extend(["-k".to_owned(), folder.display().to_string()]);
        for setting in settings {
            arguments.extend(["-c".to_owned(), setting.clone()]);
        }
        let program = self.programs.join("postgres");
        let control = self.programs.join("pg_ctl");
        let (control, data) = (control.display(), self.data.display());
        let stop = format!("{control} stop -m immediate -D '{data}'");
        let leash = Leash::start(&program, &arguments, folder, self.owner, &stop);
        let mut tries = 0;
        while !self.is_ready() {
            assert!(tries < TRIES, "PostgreSQL: {}", leash.log());
            tries += 1;
            thread::sleep(PAUSE);
        }
        self.leash = Some(leash);
    }

    fn is_ready(&self) -> bool {
        let mut asked = command(&self.programs.join("pg_isready"), None);
        asked.args(["-q", "-h", "127.0.0.1", "-p", &self.port.to_string()]);
        TcpStream::connect(("127.0.0.1", self.port)).is_ok()
            && asked.status().is_ok_and(|status| status.success())
    }

    /// Makes an empty database and returns its URL.
    ///
    /// # Panics
    ///
    /// If it cannot be made.
    #[must_use]
    pub fn database(&self) -> String {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.sql("postgres", &format!("CREATE DATABASE {name}"));
        self.url(&name)
    }

    /// Returns the URL of a database.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    /// Runs SQL and returns its rows, columns parted by `|`.
    ///
    /// # Panics
    ///
    /// If a statement fails.
    pub fn sql(&self, database: &str, sql: &str) -> String {
        let mut psql = command(&self.programs.join("psql"), None);
        psql.args(["-qAtX", "-v", "ON_ERROR_STOP=1", "-c", sql]);
        run(psql.arg(self.url(database)))
    }

    /// Starts a server that follows this one.
    ///
    /// # Panics
    ///
    /// If it does not start.
    #[must_use]
    pub fn standby(&self) -> Self {
        let folder = new_folder("standby", self.owner);
        let data = folder.join("data");
        let mut copy = command(&self.programs.join("pg_basebackup"), self.owner);
        copy.args([
            "--write-recovery-conf",
            "--wal-method=stream",
            "--checkpoint=fast",
        ]);
        copy.args(["--no-sync", "--dbname", &self.url("postgres"), "--pgdata"])
            .arg(&data);
        run(copy.current_dir(&folder));
        let mut server = Self {
            leash: None,
            programs: self.programs.clone(),
            data,
            owner: self.owner,
            port: free_port(),
            databases: AtomicU32::new(0),
        };
        let settings = ["fsync=off", "listen_addresses=127.0.0.1"].map(str::to_owned);
        server.run(folder, &settings);
        server
    }

    /// Lets a server that follows take over.
    ///
    /// # Panics
    ///
    /// If it does not.
    pub fn promote(&self) {
        self.control(&["promote"]);
    }

    /// Lets the server speak TLS from its next start on.
    ///
    /// # Panics
    ///
    /// If it does not start again.
    pub fn certify(&self, certificate: &str, key: &str) {
        for (name, text) in [("server.crt", certificate), ("server.key", key)] {
            let path = self.data.join(name);
            std::fs::write(&path, text).expect("a file in the server's folder");
            let mode = std::fs::Permissions::from_mode(0o600);
            std::fs::set_permissions(&path, mode).expect("our own file");
            if let Some((user, group)) = self.owner {
                chown(&path, Some(user), Some(group)).expect("root gives files away");
            }
        }
        self.sql("postgres", "ALTER SYSTEM SET ssl = on");
        self.crash();
    }

    /// Ends the server at once, as a crash would, and starts it again.
    ///
    /// # Panics
    ///
    /// If it does not start.
    pub fn crash(&self) {
        self.start_again("immediate");
    }

    /// Ends the server's sessions, ends it in order, and starts it again.
    ///
    /// # Panics
    ///
    /// If it does not start.
    pub fn restart(&self) {
        self.start_again("fast");
    }

    fn start_again(&self, mode: &str) {
        // Its own log: what the server inherits must not keep this command's output open.
        let log = self.data.join("restarts").display().to_string();
        self.control(&["restart", "-m", mode, "-l", &log]);
    }

    /// Returns the number of its first process, whose children serve the sessions.
    ///
    /// # Panics
    ///
    /// If it does not run.
    #[must_use]
    pub fn pid(&self) -> u32 {
        let file = std::fs::read_to_string(self.data.join("postmaster.pid"));
        let file = file.expect("a running server's file");
        let first = file
            .lines()
            .next()
            .and_then(|line| line.trim().parse().ok());
        first.expect("the number of a process")
    }

    fn control(&self, arguments: &[&str]) {
        let mut control = command(&self.programs.join("pg_ctl"), self.owner);
        control.args(arguments).args(["-w", "-D"]).arg(&self.data);
        run(control.current_dir(&self.data));
    }
}

fn programs() -> PathBuf {
    let mut found: Vec<_> = std::fs::read_dir(PLACES)
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .filter(|path| path.join("initdb").exists())
        .collect();
    found.sort();
    let newest = found.pop().or_else(|| {
        let paths = std::env::var_os("PATH")?;
        std::env::split_paths(&paths).find(|path| path.join("initdb").exists())
    });
    newest.unwrap_or_else(|| {
        panic!(
            "PostgreSQL is missing: install it (Debian: apt-get install postgresql), with its \
             programs in {PLACES}/*/bin or on the PATH"
        )
    })
}

/// PostgreSQL refuses to be root, whose tests run it as the user that its package brings.
fn owner() -> Owner {
    let id = |arguments: &[&str]| run(command(Path::new("id"), None).args(arguments));
    if id(&["-u"]) != "0" {
        return None;
    }
    let number = |flag| id(&[flag, "postgres"]).parse().expect("a number");
    Some((number("-u"), number("-g")))
}
