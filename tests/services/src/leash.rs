//! A server that never outlives the program that started it, nor leaves its folder behind.

use std::net::TcpListener;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// Runs `$@`. When nobody holds the other end of the standard input any more, runs `$2`, which ends
/// the server, and deletes the folder `$1`.
const SCRIPT: &str = r#"
folder=$1; stop=$2; shift 2
"$@" </dev/null >"$folder/log" 2>&1 &
read -r _
eval "$stop" >/dev/null 2>&1
wait $!
rm -rf "$folder"
"#;

/// The user and group that a server runs as, where it refuses to be root.
pub(crate) type Owner = Option<(u32, u32)>;

/// A running server, and its folder.
#[derive(Debug)]
pub(crate) struct Leash {
    shell: Child,
    folder: PathBuf,
}

impl Leash {
    /// Starts a server in a folder from [`new_folder`]; `stop` is the shell's command that ends it.
    pub(crate) fn start(
        program: &Path,
        arguments: &[String],
        folder: PathBuf,
        owner: Owner,
        stop: &str,
    ) -> Self {
        let mut shell = command(Path::new("sh"), owner);
        // Ctrl-C in a terminal ends the program that started this, which ends this in order.
        shell.process_group(0);
        shell.args(["-c", SCRIPT, "sh"]).arg(&folder).arg(stop);
        shell.arg(program).args(arguments).current_dir(&folder);
        shell.stdin(Stdio::piped());
        shell.stdout(Stdio::null()).stderr(Stdio::null());
        let shell = shell.spawn().expect("a shell");
        Self { shell, folder }
    }

    /// Returns what the server has said so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }
}

impl Drop for Leash {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        let _ = self.shell.wait();
    }
}

/// Makes a folder for a server.
pub(crate) fn new_folder(name: &str, owner: Owner) -> PathBuf {
    static LAST: AtomicU32 = AtomicU32::new(0);
    let (process, number) = (std::process::id(), LAST.fetch_add(1, Ordering::Relaxed));
    let folder = std::env::temp_dir().join(format!("rejoinder-{name}-{process}-{number}"));
    std::fs::create_dir(&folder).expect("a new folder");
    if let Some((user, group)) = owner {
        chown(&folder, Some(user), Some(group)).expect("root gives folders away");
    }
    folder
}

/// Returns a command that runs as this user.
pub(crate) fn command(program: &Path, owner: Owner) -> Command {
    let mut command = Command::new(program);
    if let Some((user, group)) = owner {
        command.uid(user).gid(group);
    }
    command
}

/// Runs a program to its end and returns what it printed.
pub(crate) fn run(command: &mut Command) -> String {
    let output = command.output();
    let output = output.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {words}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Returns a port that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port on loopback");
    listener.local_addr().expect("an address").port()
}
