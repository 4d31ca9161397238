//! The gateway as a program: what it prints, what it never prints, and how it ends.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod client;

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use client::{Client, hello, send};
use tokio_tungstenite::connect_async;

const PROGRAM: &str = env!("CARGO_BIN_EXE_rejoinder-gateway");

fn run(arguments: &[&str], secret: Option<&str>) -> Output {
    let mut command = Command::new(PROGRAM);
    command.args(arguments).env_remove("REJOINDER_JWT_SECRET");
    if let Some(secret) = secret {
        command.env("REJOINDER_JWT_SECRET", secret);
    }
    command.output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Starts the program and returns the address from its first line.
fn start(folder: &std::path::Path, secret: &str) -> (Child, String) {
    let mut child = Command::new(PROGRAM)
        .args(["--dev", "--listen", "127.0.0.1:0", "--database"])
        .arg(format!("sqlite:{}", folder.join("messages.db").display()))
        .env("REJOINDER_JWT_SECRET", secret)
        .env("REJOINDER_LOG", "trace")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    stdout.read_line(&mut line).unwrap();
    let address = line.strip_prefix("listening on http://").unwrap();
    (child, address.trim_end().to_owned())
}

#[tokio::test]
async fn it_says_where_it_listens_keeps_secrets_and_ends_in_seconds_when_asked() {
    let folder = tempfile::tempdir().unwrap();
    let (mut child, address) = start(folder.path(), "the-jwt-secret");
    let token = text(&run(&["token", "--sub", "alice"], Some("the-jwt-secret")).stdout);
    let (socket, _) = connect_async(format!("ws://{address}/ws")).await.unwrap();
    let mut alice = Client { socket };
    alice.say(&hello(token.trim())).await;
    assert_eq!(alice.hear_of("welcome").await["user_id"], "alice");
    alice.say(&send("alice|bob", 1, "a-private-body")).await;
    alice.hear_of("ack").await;
    let (socket, _) = connect_async(format!("ws://{address}/ws")).await.unwrap();
    let mut stranger = Client { socket };
    stranger.say(&hello("a-wrong-token")).await;
    assert_eq!(stranger.closed().await, 4100);

    let asked = Instant::now();
    let pid = child.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-TERM", &pid])
            .status()
            .unwrap()
            .success()
    );
    assert_eq!(alice.closed().await, 4000);
    let ended = tokio::task::spawn_blocking(move || {
        let status = child.wait().unwrap();
        let mut log = String::new();
        child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut log)
            .unwrap();
        (status, log)
    });
    let (status, log) = ended.await.unwrap();
    assert!(status.success());
    assert!(
        asked.elapsed() < Duration::from_secs(5),
        "{:?}",
        asked.elapsed()
    );
    assert!(log.contains("--dev") && log.contains("draining"), "{log}");
    for secret in [
        token.trim(),
        "a-private-body",
        "a-wrong-token",
        "the-jwt-secret",
    ] {
        assert!(!log.contains(secret), "the log shows {secret}");
    }
}

#[test]
fn it_explains_what_is_missing() {
    let nobody = run(&[], None);
    assert!(!nobody.status.success());
    let words = text(&nobody.stderr);
    assert!(
        words.contains("REJOINDER_JWT_SECRET") && words.contains("--dev"),
        "{words}"
    );
    let public = run(&["--dev", "--listen", "0.0.0.0:0"], None);
    assert!(!public.status.success());
    assert!(text(&public.stderr).contains("127.0.0.1"));
    let help = text(&run(&["--help"], Some("the-jwt-secret")).stdout);
    assert!(help.contains("rejoinder-gateway --dev"), "{help}");
    assert!(!help.contains("the-jwt-secret"), "{help}");
    assert!(!run(&["token", "--sub", "a b"], Some("x")).status.success());
}
