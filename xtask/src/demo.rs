//! The command `demo`: two people chat in a browser.

use crate::{demo_nextjs, fresh::unless_fresh, install, npm, paths, process, rust, wasm};
use std::{
    fs::{self, File, TryLockError},
    io::Write,
    net::TcpListener,
    path::PathBuf,
    process::{Command, Stdio},
    time::Instant,
};

const USUAL_PORT: u16 = 8787;
/// How many ports after the usual one are tried before any free one is taken.
const NEIGHBOURS: u16 = 20;

const HELP: &str = "cargo xtask demo [--port PORT] [--reset] | --nextjs

  --port PORT   listen there (otherwise 8787, or a free one if that is busy)
  --reset       begin with an empty gateway: deletes what the demo stored in ./data
  --nextjs      the Next.js example instead, on the database of DATABASE_URL or one that is gone
                afterwards";

#[derive(Debug, Default, PartialEq, Eq)]
struct Options {
    port: Option<u16>,
    reset: bool,
    nextjs: bool,
    help: bool,
}

/// Builds what is missing, then becomes the gateway, which serves the example too.
pub(crate) fn run(arguments: &[String]) -> Result<(), String> {
    let options = parse(arguments)?;
    if options.help {
        println!("{HELP}");
        return Ok(());
    }
    if options.nextjs {
        return demo_nextjs::run();
    }
    let mut lock = lock()?;
    let started = Instant::now();
    build()?;
    if options.reset {
        reset()?;
    }
    let port = choose_port(options.port)?;
    let url = format!("http://127.0.0.1:{port}/");
    lock.set_len(0)
        .and_then(|()| lock.write_all(url.as_bytes()))
        .map_err(|error| format!("{}: {error}", lock_path().display()))?;
    println!("\nReady after {:.1} s.", started.elapsed().as_secs_f32());
    println!("Alice and Bob chat at the address below; their messages are kept in ./data.");
    println!("Ctrl-C stops the demo.\n");
    // The gateway says the address itself, once it listens: nobody opens it too early.
    become_gateway(port, lock)
}

fn parse(arguments: &[String]) -> Result<Options, String> {
    let mut options = Options::default();
    let mut rest = arguments.iter().map(String::as_str);
    while let Some(argument) = rest.next() {
        match argument.split_once('=').unwrap_or((argument, "")) {
            ("--port", "") => options.port = Some(parse_port(rest.next().unwrap_or_default())?),
            ("--port", port) => options.port = Some(parse_port(port)?),
            ("--reset", "") => options.reset = true,
            ("--nextjs", "") => options.nextjs = true,
            ("--help" | "-h", "") => options.help = true,
            _ => return Err(format!("demo does not know `{argument}`\n\n{HELP}")),
        }
    }
    if options.nextjs && (options.port.is_some() || options.reset) {
        return Err(format!("--nextjs stands alone\n\n{HELP}"));
    }
    Ok(options)
}

fn parse_port(text: &str) -> Result<u16, String> {
    match text.parse() {
        Ok(port) if port > 0 => Ok(port),
        _ => Err(format!(
            "--port takes a number from 1 to 65535, not `{text}`"
        )),
    }
}

/// Each step says its name before it begins: the first time it may take minutes.
fn build() -> Result<(), String> {
    build_package()?;
    step("example", || {
        unless_fresh("examples/react-chat/dist/index.html", &EXAMPLE, || {
            npm::build_example().map(drop)
        })
    })
}

/// Builds the gateway and the npm package.
pub(crate) fn build_package() -> Result<(), String> {
    step("WebAssembly target", install::wasm_target)?;
    step("Node", install::node)?;
    step("gateway", || rust::build_gateway().map(drop))?;
    step("client core", || {
        unless_fresh("pkg/rejoinder_bg.wasm", &CORE, || {
            println!("    with wasm-pack and wasm-bindgen, which take minutes the first time");
            wasm::tools()?;
            wasm::build().map(drop)
        })
    })?;
    step("npm dependencies", npm::dependencies)?;
    step("npm package", || {
        unless_fresh("js/dist/index.js", &PACKAGE, || npm::build().map(drop))
    })
}

/// Runs a step under its name, and says how long it took if that was noticeable.
pub(crate) fn step(name: &str, step: impl FnOnce() -> Result<(), String>) -> Result<(), String> {
    println!("{name}");
    let started = Instant::now();
    step()?;
    let seconds = started.elapsed().as_secs_f32();
    if seconds > 1.0 {
        println!("    {seconds:.1} s");
    }
    Ok(())
}

const CORE: [&str; 6] = [
    "Cargo.toml",
    "Cargo.lock",
    "src",
    "protocol/Cargo.toml",
    "protocol/src",
    "tools",
];

const PACKAGE: [&str; 5] = [
    "pkg/rejoinder_bg.wasm",
    "js/package-lock.json",
    "js/scripts",
    "js/src",
    "js/tsconfig.build.json",
];

const EXAMPLE: [&str; 6] = [
    "js/dist",
    "examples/react-chat/index.html",
    "examples/react-chat/package-lock.json",
    "examples/react-chat/public",
    "examples/react-chat/src",
    "examples/react-chat/vite.config.ts",
];

fn data() -> PathBuf {
    paths::root().join("data")
}

fn database() -> PathBuf {
    data().join("demo.sqlite")
}

fn lock_path() -> PathBuf {
    data().join("demo.lock")
}

/// Two gateways on one database would not tell each other of new messages.
fn lock() -> Result<File, String> {
    let say = |error: std::io::Error| format!("{}: {error}", lock_path().display());
    fs::create_dir_all(data()).map_err(say)?;
    let open = File::options()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(lock_path());
    let file = open.map_err(say)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            let url = fs::read_to_string(lock_path()).unwrap_or_default();
            let place = if url.is_empty() {
                "still starting"
            } else {
                &url
            };
            Err(format!("The demo of this folder already runs: {place}"))
        }
        Err(TryLockError::Error(error)) => Err(say(error)),
    }
}

/// The database and what SQLite keeps beside it.
fn reset() -> Result<(), String> {
    for end in ["", "-wal", "-shm"] {
        let mut path = database().into_os_string();
        path.push(end);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(format!("{}: {error}", path.display()));
            }
            _ => {}
        }
    }
    println!("The gateway begins empty.");
    Ok(())
}

fn choose_port(wanted: Option<u16>) -> Result<u16, String> {
    let is_free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
    let port = wanted.unwrap_or(USUAL_PORT);
    if is_free(port) {
        return Ok(port);
    }
    if wanted.is_some() {
        return Err(format!(
            "Port {port} is busy: choose another, or leave out --port."
        ));
    }
    let other = match (port + 1..=port + NEIGHBOURS).find(|port| is_free(*port)) {
        Some(port) => port,
        None => any_free_port()?,
    };
    println!("Port {port} is busy, so this is {other}.");
    Ok(other)
}

fn any_free_port() -> Result<u16, String> {
    TcpListener::bind(("127.0.0.1", 0))
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(|error| format!("no free port: {error}"))
}

/// Returns only if the gateway does not start, or where a process cannot become another one.
fn become_gateway(port: u16, lock: File) -> Result<(), String> {
    let mut gateway = process::command(paths::binaries()?.join("rejoinder-gateway"), &["--dev"]);
    gateway
        .args(["--listen", &format!("127.0.0.1:{port}")])
        .args(["--database", &format!("sqlite:{}", database().display())])
        .arg("--serve-dir")
        .arg(paths::example().join("dist"))
        // The lock lasts as long as somebody has the file open: as its input, the gateway does.
        .stdin(Stdio::from(lock));
    hand_over(&mut gateway)
}

/// One process only: whatever stops this command, a signal to its id too, stops the gateway.
#[cfg(unix)]
fn hand_over(gateway: &mut Command) -> Result<(), String> {
    use std::os::unix::process::CommandExt;
    let error = gateway.exec();
    Err(format!("the gateway does not start: {error}"))
}

/// Ctrl-C reaches both processes.
#[cfg(not(unix))]
fn hand_over(gateway: &mut Command) -> Result<(), String> {
    match gateway.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("the gateway ended: {status}")),
        Err(error) => Err(format!("the gateway does not start: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(arguments: &[&str]) -> Result<Options, String> {
        parse(
            &arguments
                .iter()
                .map(|it| (*it).to_owned())
                .collect::<Vec<_>>(),
        )
    }

    #[test]
    fn options_are_read() {
        assert_eq!(parsed(&[]), Ok(Options::default()));
        let both = Options {
            port: Some(9000),
            reset: true,
            ..Options::default()
        };
        assert_eq!(parsed(&["--port", "9000", "--reset"]).as_ref(), Ok(&both));
        assert_eq!(parsed(&["--reset", "--port=9000"]), Ok(both));
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        for (arguments, named) in [
            (&["--prot", "9000"][..], "--prot"),
            (&["--port"], "--port"),
            (&["--port", "0"], "`0`"),
            (&["--port", "high"], "`high`"),
            (&["--reset=yes"], "--reset=yes"),
            (&["--nextjs", "--reset"], "stands alone"),
        ] {
            let error = parsed(arguments).unwrap_err();
            assert!(error.contains(named), "{error}");
        }
    }

    #[test]
    fn a_busy_port_is_replaced_unless_it_was_asked_for() {
        let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        assert!(choose_port(Some(port)).unwrap_err().contains("busy"));
        assert_ne!(choose_port(None), Ok(port));
    }
}
