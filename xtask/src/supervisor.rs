//! Lets a page in a browser test start, kill and stop real gateways.
//!
//! A small HTTP server on loopback: `POST /start?name=N` answers `{"url": "ws://.."}`, the same
//! for a name each time; `POST /proxy?name=N` the same of a proxy in front of it that lets no WebSocket
//! through; `POST /kill?name=N` is a crash, `POST /stop?name=N` an orderly end. No
//! gateway outlives this process, however it ends.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
    time::Duration,
};

/// Tried first: the address is compiled into the tests, and a new one compiles them again.
const PORT: u16 = 38_915;
const START_TIMEOUT: Duration = Duration::from_secs(20);
/// What pages sign their tokens with, see `tests/browser/tokens.rs`; `dev:alice` counts as well.
const SECRET: &str = "the secret of the browser tests";
const LISTENING: &str = "listening on http://";
/// Runs the gateway until a line names a signal for it. The line never comes if we are gone.
const GUARD: &str =
    r#""$@" & child=$!; read -r signal || signal=KILL; kill -s "$signal" "$child"; wait "$child""#;

/// Serves until it is dropped, which ends its gateways and deletes their databases.
pub(crate) struct Supervisor {
    url: String,
    gateways: Arc<Gateways>,
}

impl Supervisor {
    /// Starts serving; `binary` is the gateway.
    pub(crate) fn start(binary: PathBuf) -> Result<Self, String> {
        let listener = TcpListener::bind(("127.0.0.1", PORT))
            .or_else(|_| TcpListener::bind(("127.0.0.1", 0)))
            .map_err(|error| format!("no port for the supervisor: {error}"))?;
        let address = listener.local_addr().map_err(|error| error.to_string())?;
        let folder = std::env::temp_dir().join(format!("rejoinder-{}", std::process::id()));
        fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let gateways = Arc::new(Gateways {
            binary,
            folder,
            by_name: Mutex::default(),
        });
        let served = Arc::clone(&gateways);
        // It ends with the process: nothing waits for a browser to ask once more.
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // One at a time: a page asks one thing after the other.
                let _ = serve(&served, &stream);
            }
        });
        Ok(Self {
            url: format!("http://{address}"),
            gateways,
        })
    }

    /// Where a page finds it.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        self.gateways.lock().clear();
        let _ = fs::remove_dir_all(&self.gateways.folder);
    }
}

struct Gateways {
    binary: PathBuf,
    folder: PathBuf,
    by_name: Mutex<BTreeMap<String, Gateway>>,
}

/// A gateway, running or not: the address stays its own.
#[derive(Default)]
struct Gateway {
    address: Option<String>,
    running: Option<Running>,
}

struct Running {
    guard: Child,
    orders: ChildStdin,
}

impl Gateways {
    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Gateway>> {
        self.by_name.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts the gateway `name`, unless it runs. Returns its address.
    fn start(&self, name: &str) -> Result<String, String> {
        let mut gateways = self.lock();
        let gateway = gateways.entry(name.to_owned()).or_default();
        if let (Some(address), Some(_)) = (&gateway.address, &gateway.running) {
            return Ok(address.clone());
        }
        let listen = gateway.address.as_deref().unwrap_or("127.0.0.1:0");
        let (running, address) = Running::start(&self.binary, listen, &self.folder.join(name))?;
        gateway.running = Some(running);
        gateway.address = Some(address.clone());
        Ok(address)
    }

    fn signal(&self, name: &str, signal: &str) -> Result<(), String> {
        let running = self
            .lock()
            .get_mut(name)
            .and_then(|gateway| gateway.running.take());
        running.map_or_else(
            || Err(format!("no gateway `{name}` runs")),
            |running| running.end(signal),
        )
    }
}

impl Running {
    fn start(binary: &Path, listen: &str, place: &Path) -> Result<(Self, String), String> {
        let log = place.with_extension("log");
        let errors = fs::File::create(&log).map_err(|error| error.to_string())?;
        let database = format!("sqlite:{}", place.with_extension("db").display());
        let mut guard = Command::new("sh")
            .args(["-c", GUARD, "sh"])
            .arg(binary)
            .args(["--dev", "--listen", listen, "--database", &database])
            .env("REJOINDER_JWT_SECRET", SECRET)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(errors)
            .spawn()
            .map_err(|error| format!("the gateway does not start: {error}"))?;
        let (Some(orders), Some(output)) = (guard.stdin.take(), guard.stdout.take()) else {
            return Err("the gateway has no pipes".into());
        };
        let running = Self { guard, orders };
        let (sender, lines) = mpsc::channel();
        // Reads to the end, since a full pipe would stop the gateway.
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        while let Ok(line) = lines.recv_timeout(START_TIMEOUT) {
            if let Some((_, address)) = line.split_once(LISTENING) {
                return Ok((running, address.trim().to_owned()));
            }
        }
        let said = fs::read_to_string(&log).unwrap_or_default();
        Err(format!("the gateway never said `{LISTENING}`: {said}"))
    }

    /// Sends the signal and waits for the end.
    fn end(mut self, signal: &str) -> Result<(), String> {
        writeln!(self.orders, "{signal}").map_err(|error| error.to_string())?;
        self.guard
            .wait()
            .map(drop)
            .map_err(|error| error.to_string())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = writeln!(self.orders, "KILL");
        let _ = self.guard.wait();
    }
}

fn serve(gateways: &Gateways, mut stream: &TcpStream) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut lines = BufReader::new(stream).lines();
    let request = lines.next().transpose()?.unwrap_or_default();
    // The browser would take an answer before the end of its request for an error.
    while lines
        .next()
        .transpose()?
        .is_some_and(|line| !line.is_empty())
    {}
    let (status, body) = match answer(gateways, &request) {
        Ok(body) => ("200 OK", body),
        Err(why) => ("500 Internal Server Error", why),
    };
    write!(
        stream,
        "HTTP/1.1 {status}\r\naccess-control-allow-origin: *\r\ncontent-length: {}\r\n\
         connection: close\r\n\r\n{body}",
        body.len()
    )
}

fn answer(gateways: &Gateways, request: &str) -> Result<String, String> {
    let unknown = || format!("not understood: {request}");
    let path = request
        .strip_prefix("POST /")
        .and_then(|rest| rest.strip_suffix(" HTTP/1.1"))
        .ok_or_else(unknown)?;
    let (verb, name) = path.split_once("?name=").ok_or_else(unknown)?;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    // It becomes the name of a file.
    if name.is_empty() || !name.bytes().all(is_plain) {
        return Err(unknown());
    }
    match verb {
        "start" => gateways
            .start(name)
            .map(|address| format!(r#"{{"url":"ws://{address}/ws"}}"#)),
        // One for each question: they end with us.
        "proxy" => gateways
            .start(name)
            .and_then(|address| crate::proxy::start(address).map_err(|error| error.to_string()))
            .map(|address| format!(r#"{{"url":"ws://{address}/ws"}}"#)),
        "kill" => gateways.signal(name, "KILL").map(|()| "{}".into()),
        "stop" => gateways.signal(name, "TERM").map(|()| "{}".into()),
        _ => Err(unknown()),
    }
}

#[cfg(all(test, unix))]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;
    use std::{io::Read, os::unix::fs::PermissionsExt};

    /// A program that says what it was called with, then waits.
    const FAKE: &str = "#!/bin/sh\necho \"listening on http://${3%:0}:4$(echo \"$3\" | tail -c 2)\"\n\
                        echo $$ > \"${5#sqlite:}.pid\"\nexec sleep 60\n";

    fn ask(supervisor: &Supervisor, request: &str) -> String {
        let address = supervisor.url().trim_start_matches("http://");
        let mut stream = TcpStream::connect(address).unwrap();
        write!(stream, "{request} HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.split_once("\r\n\r\n").unwrap().1.to_owned()
    }

    fn is_alive(pid: &str) -> bool {
        let mut kill = Command::new("kill");
        kill.args(["-0", pid]).stderr(Stdio::null());
        kill.status().unwrap().success()
    }

    #[test]
    fn a_gateway_keeps_its_address_and_never_outlives_the_supervisor() {
        let fake = std::env::temp_dir().join(format!("fake-gateway-{}", std::process::id()));
        fs::write(&fake, FAKE).unwrap();
        fs::set_permissions(&fake, fs::Permissions::from_mode(0o700)).unwrap();
        let supervisor = Supervisor::start(fake.clone()).unwrap();
        let pid_file = supervisor.gateways.folder.join("a.db.pid");
        let pid = || fs::read_to_string(&pid_file).unwrap().trim().to_owned();

        let url = r#"{"url":"ws://127.0.0.1:40/ws"}"#;
        assert_eq!(ask(&supervisor, "POST /start?name=a"), url);
        assert_eq!(ask(&supervisor, "POST /start?name=a"), url);
        thread::sleep(Duration::from_millis(200));
        let first = pid();
        assert!(is_alive(&first));

        assert_eq!(ask(&supervisor, "POST /kill?name=a"), "{}");
        assert!(!is_alive(&first));
        assert!(ask(&supervisor, "POST /kill?name=a").contains("no gateway"));
        assert!(ask(&supervisor, "POST /start?name=../x").contains("not understood"));

        assert!(ask(&supervisor, "POST /start?name=a").contains("127.0.0.1:40"));
        thread::sleep(Duration::from_millis(200));
        let second = pid();
        assert_ne!(first, second);
        assert!(is_alive(&second));
        drop(supervisor);
        assert!(!is_alive(&second));
        fs::remove_file(fake).unwrap();
    }
}
