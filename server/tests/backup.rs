//! A backup of a database that is written, and what its restoration means for clients.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod client;
mod process;

use std::path::Path;
use std::process::Command;

use client::{Client, THREAD, key, send};
use process::{PROGRAM, Process};
use serde_json::Value;
use tokio::task::{JoinHandle, spawn_blocking};

fn run(database: &Path, action: &[&str]) {
    let mut command = Command::new(PROGRAM);
    command
        .arg("--database")
        .arg(format!("sqlite:{}", database.display()));
    let output = command.args(action).output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

fn start(database: &Path) -> Process {
    let database = format!("sqlite:{}", database.display());
    let plenty = [("REJOINDER_MESSAGES_BURST", "10000")];
    Process::start(&["--database", &database], &plenty)
}

/// Goes live from a cursor; returns what it was brought.
async fn catch_up(client: &mut Client, epoch: &str, revision: u64) -> Value {
    let frame = serde_json::json!({"type": "subscribe", "thread_id": THREAD,
        "epoch": epoch, "revision": revision});
    client.say(&frame.to_string()).await;
    let mut brought = Value::Null;
    loop {
        let frame = client.hear().await;
        match frame["type"].as_str().unwrap() {
            "page" | "reset" => brought = frame,
            "live" => return brought,
            _ => {}
        }
    }
}

fn keys(objects: &Value) -> Vec<String> {
    let objects = objects.as_array().unwrap().iter();
    let messages = objects.filter(|one| one["kind"].is_null() || one["kind"] == "message");
    messages
        .map(|one| one["client_msg_id"].as_str().unwrap().to_owned())
        .collect()
}

async fn history(client: &mut Client) -> Vec<String> {
    let mut all = Vec::new();
    let mut before = 1_000_000;
    while before > 1 {
        client
            .say(&format!(
                r#"{{"type":"history","thread_id":"{THREAD}","before_sequence_number":{before},"limit":200}}"#
            ))
            .await;
        let page = client.hear_of("history").await;
        let messages = &page["messages"];
        before = messages[0]["sequence_number"].as_u64().unwrap();
        all.splice(0..0, keys(messages));
    }
    all
}

#[tokio::test]
async fn a_backup_taken_while_writing_is_whole_and_clients_follow_its_restoration() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("messages.db");
    let copy = folder.path().join("copy.db");
    let gateway = start(&database);
    let mut alice = gateway.join("alice").await;
    alice.watch().await;
    // It is made while messages are written, and some more are after it.
    let (mut said, mut acked, mut head) = (0, 0, 0);
    let mut backing_up = None;
    while acked < 2_000
        || backing_up
            .as_ref()
            .is_none_or(|one: &JoinHandle<()>| !one.is_finished())
    {
        while said < acked + 50 {
            said += 1;
            alice.say(&send(THREAD, said, &said.to_string())).await;
        }
        let ack = alice.hear_of("ack").await;
        acked += 1;
        head = head.max(ack["revision"].as_u64().unwrap());
        if acked == 500 {
            let (database, copy) = (database.clone(), copy.display().to_string());
            backing_up = Some(spawn_blocking(move || run(&database, &["backup", &copy])));
        }
    }
    backing_up.unwrap().await.unwrap();
    let epoch = epoch(&gateway).await;
    drop(alice);
    gateway.ask_to_end();
    assert!(gateway.ended().await.success());

    // Restored, and said to be another history.
    std::fs::remove_file(&database).unwrap();
    for suffix in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{suffix}", database.display()));
    }
    std::fs::copy(&copy, &database).unwrap();
    run(&database, &["rotate-epoch"]);
    let gateway = start(&database);
    let mut alice = gateway.join("alice").await;
    let kept = history(&mut alice).await;
    // Whole: what was kept is a beginning of what was said, without a hole.
    let expected: Vec<_> = (1..).take(kept.len()).map(key).collect();
    assert_eq!(kept, expected);
    assert!(
        (500..=said).contains(&(kept.len() as u32)),
        "{}",
        kept.len()
    );

    // A client with a cursor of the old history loads anew, though that was further.
    let reset = catch_up(&mut alice, &epoch, head).await;
    assert_eq!(reset["type"], "reset");
    assert_eq!(reset["answers"]["revision"], head);
    assert_eq!(keys(&reset["window"]).last(), kept.last());
    // What its outbox holds, it sends again: what was stored is known, what was lost is stored now.
    let from = kept.len() as u32 - 2;
    for number in from..from + 10 {
        alice.say(&send(THREAD, number, &number.to_string())).await;
        let ack = alice.hear_of("ack").await;
        let is_known = number <= kept.len() as u32;
        assert_eq!(ack["duplicate"], is_known, "{number} of {}", kept.len());
        assert_eq!(ack["sequence_number"], number);
    }
    assert_eq!(history(&mut alice).await.len() as u32, from + 9);
}

async fn epoch(gateway: &Process) -> String {
    let url = format!("ws://{}/ws", gateway.address());
    let (socket, _) = tokio_tungstenite::connect_async(url).await.unwrap();
    let mut client = Client { socket };
    client.say(&client::hello("dev:alice")).await;
    let welcome = client.hear_of("welcome").await;
    welcome["epoch"].as_str().unwrap().to_owned()
}
