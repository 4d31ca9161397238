//! The gateway as a program: what it prints, what it never prints, and how it ends.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod client;

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use client::{Client, hello, send};
use tokio_tungstenite::connect_async;

const ADMIN_KEY: &str = "the-admin-key-0123456789-0123456789";
const PROGRAM: &str = env!("CARGO_BIN_EXE_rejoinder-gateway");

/// The program, in an environment that says nothing about tokens.
fn program() -> Command {
    let mut command = Command::new(PROGRAM);
    for name in [
        "NEXT_PUBLIC_SUPABASE_URL",
        "REJOINDER_ADMIN_KEY",
        "REJOINDER_JWKS_URL",
        "REJOINDER_JWT_AUDIENCE",
        "REJOINDER_JWT_ISSUER",
        "REJOINDER_JWT_SECRET",
        "SUPABASE_JWT_SECRET",
        "SUPABASE_SERVICE_ROLE_KEY",
        "SUPABASE_URL",
    ] {
        command.env_remove(name);
    }
    command
}

fn run(arguments: &[&str], secret: Option<&str>) -> Output {
    let mut command = program();
    command.args(arguments);
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
    let mut child = program()
        .args(["--dev", "--listen", "127.0.0.1:0", "--database"])
        .arg(format!("sqlite:{}", folder.join("messages.db").display()))
        .env("REJOINDER_JWT_SECRET", secret)
        .env("SUPABASE_SERVICE_ROLE_KEY", "the-service-key")
        .env("REJOINDER_ADMIN_KEY", ADMIN_KEY)
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

/// Asks for a person's threads.
async fn rest(address: &str, token: &str) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let request = format!(
        "GET /v1/threads?user_id=alice HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\
         authorization: Bearer {token}\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
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

    for token in [ADMIN_KEY, token.trim()] {
        let answer = rest(&address, token).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }

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
    let told = log.matches("SUPABASE_SERVICE_ROLE_KEY").count();
    assert_eq!(told, 1, "{log}");
    for secret in [
        token.trim(),
        "a-private-body",
        "a-wrong-token",
        "the-jwt-secret",
        "the-service-key",
        ADMIN_KEY,
    ] {
        assert!(!log.contains(secret), "the log shows {secret}");
    }
}

#[tokio::test]
async fn a_backup_is_made_while_it_runs_and_restored_as_another_history() {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let file = |folder: &tempfile::TempDir| folder.path().join("messages.db");
    let on = |folder: &tempfile::TempDir, action: &[&str]| {
        let mut command = program();
        command.arg("--database");
        command.arg(format!("sqlite:{}", file(folder).display()));
        command.args(action).output().unwrap()
    };
    let join = async |address: &str| {
        let (socket, _) = connect_async(format!("ws://{address}/ws")).await.unwrap();
        let mut alice = Client { socket };
        alice.say(&hello("dev:alice")).await;
        let welcome = alice.hear_of("welcome").await;
        (alice, welcome["epoch"].as_str().unwrap().to_owned())
    };
    let (mut running, address) = start(folder.path(), "secret");
    let (mut alice, epoch) = join(&address).await;
    alice.say(&send("alice|bob", 1, "kept")).await;
    alice.hear_of("ack").await;
    let copy = file(&other).display().to_string();
    assert!(on(&folder, &["backup", &copy]).status.success());
    let again = on(&folder, &["backup", &copy]);
    assert!(!again.status.success(), "nothing is written over");
    alice.say(&send("alice|bob", 2, "later")).await;
    alice.hear_of("ack").await;
    running.kill().unwrap();
    running.wait().unwrap();

    assert!(on(&other, &["rotate-epoch"]).status.success());
    let (mut running, address) = start(other.path(), "secret");
    let (mut alice, another) = join(&address).await;
    assert_ne!(epoch, another);
    let history =
        r#"{"type":"history","thread_id":"alice|bob","before_sequence_number":9,"limit":9}"#;
    alice.say(history).await;
    let page = alice.hear_of("history").await;
    let bodies: Vec<_> = page["messages"].as_array().unwrap().iter().collect();
    assert_eq!((bodies.len(), &bodies[0]["body"]), (1, &"kept".into()));
    // Also under a running gateway, which closes its connections when it next asks.
    assert!(on(&other, &["rotate-epoch"]).status.success());
    alice
        .say(&send("alice|bob", 3, "asked in another history"))
        .await;
    assert_eq!(alice.closed().await, 4000);
    assert_ne!(join(&address).await.1, another);
    running.kill().unwrap();
    running.wait().unwrap();
    let nowhere = tempfile::tempdir().unwrap();
    assert!(!on(&nowhere, &["rotate-epoch"]).status.success());
    assert!(!file(&nowhere).exists());
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
    let short = run(&["--dev", "--admin-key", "a-short-key"], None);
    assert!(!short.status.success());
    let words = text(&short.stderr);
    assert!(
        words.contains("32") && !words.contains("a-short-key"),
        "{words}"
    );
}

#[test]
fn a_flag_in_the_environment_is_on_unless_it_says_no() {
    for (value, listens_publicly) in [("1", false), ("true", false), ("0", true), ("", true)] {
        let mut command = program();
        command
            .args(["--listen", "0.0.0.0:0"])
            .env("REJOINDER_DEV", value);
        let words = text(&command.output().unwrap().stderr);
        // Without --dev it says that nobody could come in; with it, that it listens here only.
        assert_eq!(
            words.contains("127.0.0.1"),
            !listens_publicly,
            "{value}: {words}"
        );
        assert!(!words.contains("invalid value"), "{value}: {words}");
    }
}

#[test]
fn a_supabase_application_is_understood_by_its_own_environment() {
    let alice = "0b7c0000-0000-4000-8000-00000000000a";
    let url = "https://abc.supabase.co/";
    for url_name in ["NEXT_PUBLIC_SUPABASE_URL", "SUPABASE_URL"] {
        let token = |sub: &str| {
            let mut command = program();
            command.args(["token", "--sub", sub]).env(url_name, url);
            command
                .env("SUPABASE_JWT_SECRET", "legacy")
                .output()
                .unwrap()
        };
        let token_of_alice = text(&token(alice).stdout);
        let claims = token_of_alice.split('.').nth(1).unwrap();
        let claims =
            base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, claims);
        let claims: serde_json::Value = serde_json::from_slice(&claims.unwrap()).unwrap();
        assert_eq!(claims["iss"], "https://abc.supabase.co/auth/v1");
        assert_eq!(claims["aud"], "authenticated");
        assert_eq!(claims["role"], "authenticated");
        assert_eq!(claims["sub"], alice);
        let refused = token("alice");
        assert!(!refused.status.success());
        assert!(text(&refused.stderr).contains("UUID"));
    }
    // The command line wins, and what is wrong is told at the start.
    for (arguments, words) in [
        (["--supabase-url", "http://abc.supabase.co"], "https://"),
        (["--jwks-url", "https://id.example/keys"], "--jwt-issuer"),
    ] {
        let mut command = program();
        command.args(arguments);
        if arguments[0] == "--supabase-url" {
            command.env("NEXT_PUBLIC_SUPABASE_URL", url);
        }
        let refused = command.output().unwrap();
        assert!(!refused.status.success());
        let told = text(&refused.stderr);
        assert!(told.contains(words), "{told}");
    }
}
