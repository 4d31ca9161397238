//! The program on PostgreSQL: it prepares a database, checks everything, serves, and keeps secrets.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod client;

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Output, Stdio};

use client::{Client, hello, send};
use rejoinder_test_services::Postgres;
use tokio_tungstenite::connect_async;

const PROGRAM: &str = env!("CARGO_BIN_EXE_rejoinder-gateway");
const SECRET: &str = "the-jwt-secret-of-this-test";

/// The program, with a database and a secret and nothing else of the environment.
fn program(url: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    command.env_clear().args(arguments);
    command
        .env("REJOINDER_DATABASE", url)
        .env("REJOINDER_JWT_SECRET", SECRET);
    command
}

fn run(url: &str, arguments: &[&str]) -> (bool, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = program(url, arguments).output().unwrap();
    let words = [stdout, stderr].concat();
    (
        status.success(),
        String::from_utf8_lossy(&words).into_owned(),
    )
}

struct Serving(Child, String);

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn serve(url: &str) -> Serving {
    let arguments = [
        "--listen",
        "127.0.0.1:0",
        "--allow-origin",
        "https://chat.example",
    ];
    let mut child = program(url, &arguments);
    let mut child = child
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let address = line
        .strip_prefix("listening on http://")
        .unwrap()
        .trim_end();
    Serving(child, format!("ws://{address}/ws"))
}

/// The lines of what `check` says, by what was looked at.
fn line<'a>(words: &'a str, name: &str) -> &'a str {
    let mut lines = words.lines();
    lines
        .find(|line| line.get(6..).is_some_and(|rest| rest.starts_with(name)))
        .unwrap()
}

#[tokio::test]
async fn a_database_is_prepared_checked_and_served() {
    let server = Postgres::start(&[]);
    let url = server.database();
    // Nothing is prepared yet: the program says so and what to do.
    let (good, words) = run(&url, &[]);
    assert!(
        !good && words.contains("rejoinder-gateway migrate"),
        "{words}"
    );
    let (good, words) = run(&url, &["check"]);
    assert!(
        !good && line(&words, "migration 118").starts_with("WRONG"),
        "{words}"
    );
    let (good, words) = run(&url, &["migrate"]);
    assert!(good, "{words}");

    let serving = serve(&url);
    let token = run(&url, &["token", "--sub", "alice"]).1;
    let (socket, _) = connect_async(&serving.1).await.unwrap();
    let mut alice = Client { socket };
    alice.say(&hello(token.trim())).await;
    alice.hear_of("welcome").await;
    alice
        .say(&send("alice|bob", 1, "nobody made this thread"))
        .await;
    assert_eq!(alice.hear_of("error").await["code"], "not_found");
    server.sql(
        "test_0",
        "SELECT rejoinder.join_thread('alice|bob', 'alice'), rejoinder.join_thread('alice|bob', 'bob')",
    );
    alice.say(&send("alice|bob", 2, "hello")).await;
    assert_eq!(alice.hear_of("ack").await["sequence_number"], 1);

    let all = [
        "--allow-origin",
        "https://chat.example",
        "check",
        "--url",
        &serving.1,
    ];
    let (good, words) = run(&url, &[&all[..], &["--token", token.trim()]].concat());
    assert!(good, "{words}");
    for name in [
        "database",
        "writes",
        "migration 118",
        "columns",
        "statements",
        "rights",
        "triggers",
        "sequence_number trigger",
        "unique client_msg_id",
        "dense sequence_number",
        "participants",
        "epoch",
        "news of what others write",
        "keys of tokens",
        "token ",
        "gateway",
    ] {
        assert!(line(&words, name).starts_with("ok "), "{name}: {words}");
    }
    assert!(
        !words.contains(token.trim()) && !words.contains(SECRET),
        "{words}"
    );

    let elsewhere = [
        "--allow-origin",
        "https://evil.example",
        "check",
        "--url",
        &serving.1,
    ];
    let (good, words) = run(&url, &[&elsewhere[..], &["--token", "nonsense"]].concat());
    assert!(!good, "{words}");
    assert!(
        line(&words, "gateway").contains("403") && words.contains("--allow-origin"),
        "{words}"
    );
    assert!(line(&words, "token ").starts_with("WRONG"), "{words}");
}

#[test]
fn the_sql_is_printed_for_whatever_runs_sql() {
    let (good, printed) = run(
        "postgres://nobody@127.0.0.1:1/none",
        &[
            "migrate",
            "--print",
            "--table",
            "app.dms",
            "--message-column",
            "sender_id=author",
            "--participants-table",
            "app.members",
        ],
    );
    assert!(good, "{printed}");
    for part in [
        "\"app\".\"dms\"",
        "NEW.\"author\"",
        "ON \"app\".\"members\"",
        "adopt_thread",
    ] {
        assert!(printed.contains(part), "{part}");
    }
    let (good, words) = run("sqlite:x.db", &["migrate"]);
    assert!(!good && words.contains("postgres://"), "{words}");
    let (good, words) = run("mysql://x", &["check"]);
    assert!(!good && words.contains("postgres://"), "{words}");
    let (good, words) = run(
        "postgres://x",
        &["migrate", "--message-column", "sender=author"],
    );
    assert!(!good && words.contains("sender_id"), "{words}");
}

#[test]
fn a_password_is_shown_nowhere() {
    let url = "postgres://user:the-password@127.0.0.1:1/none";
    for arguments in [&["check"][..], &["migrate"], &[], &["--help"]] {
        let mut command = program(url, arguments);
        let output = command.env("REJOINDER_LOG", "trace").output().unwrap();
        let words = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(
            !words.contains("the-password") && !words.contains(SECRET),
            "{words}"
        );
    }
}
