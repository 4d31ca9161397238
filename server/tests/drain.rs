//! How a gateway ends when it is asked to: nobody is lost, nothing is half done, and it does end.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod client;
mod process;

use std::collections::BTreeSet;
use std::time::Duration;

use client::{Client, Gateway, THREAD, key, send};
use process::Process;
use rejoinder_gateway::bus::Bus;
use rejoinder_gateway::store::postgres::{Connector, Tables, migrate};
use rejoinder_test_services::{Postgres, Redis};
use tokio::net::TcpStream;

fn database(folder: &tempfile::TempDir) -> String {
    format!("sqlite:{}", folder.path().join("messages.db").display())
}

#[tokio::test]
async fn everybody_is_told_when_to_come_back_and_not_all_at_once() {
    let gateway = Process::start(&["--database", "sqlite::memory:"], &[]);
    let mut clients = Vec::new();
    for number in 0..40 {
        clients.push(gateway.join(&format!("user{number}")).await);
    }
    gateway.ask_to_end();
    let mut times = BTreeSet::new();
    for client in &mut clients {
        let goodbye = client.hear_of("goodbye").await;
        assert_eq!(goodbye["code"], 4000);
        let after_ms = goodbye["retry_after_ms"].as_u64().unwrap();
        assert!((100..=5_100).contains(&after_ms), "{after_ms}");
        times.insert(after_ms / 500);
        assert_eq!(client.next().await, Err(4000));
    }
    assert!(times.len() >= 5, "they come back together: {times:?}");
    // Whoever hears it finds nobody here any more.
    assert!(TcpStream::connect(gateway.address()).await.is_err());
    assert!(gateway.ended().await.success());
}

#[tokio::test]
async fn what_it_took_is_answered_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    let gateway = Process::start(&["--database", &database(&folder)], &[]);
    let mut alice = gateway.join("alice").await;
    for number in 1..=60 {
        alice.say(&send(THREAD, number, &number.to_string())).await;
    }
    // Some of them are under way.
    alice.hear_of("ack").await;
    gateway.ask_to_end();
    let mut acked = vec![key(1)];
    while let Ok(text) = alice.next().await {
        let frame: serde_json::Value = serde_json::from_str(&text).unwrap();
        if frame["type"] == "ack" {
            acked.push(frame["client_msg_id"].as_str().unwrap().to_owned());
        }
    }
    assert!(gateway.ended().await.success());

    let gateway = Process::start(&["--database", &database(&folder)], &[]);
    let mut alice = gateway.join("alice").await;
    let history =
        r#"{"type":"history","thread_id":"alice|bob","before_sequence_number":99,"limit":99}"#;
    alice.say(history).await;
    let page = alice.hear_of("history").await;
    let messages = page["messages"].as_array().unwrap().iter();
    let kept: Vec<_> = messages
        .map(|message| message["client_msg_id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(kept, acked);
}

#[tokio::test]
async fn clients_that_do_nothing_do_not_keep_it() {
    let gateway = Process::start(&["--database", "sqlite::memory:"], &[]);
    let _silent = TcpStream::connect(gateway.address()).await.unwrap();
    let mut unfinished = TcpStream::connect(gateway.address()).await.unwrap();
    let half = b"POST /v1/threads HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9\r\n\r\n{";
    tokio::io::AsyncWriteExt::write_all(&mut unfinished, half)
        .await
        .unwrap();
    let _deaf: Client = gateway.join("alice").await;
    gateway.ask_to_end();
    assert!(gateway.ended().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn other_gateways_are_told_the_last_messages_and_whom_to_expect() {
    let postgres = Postgres::start(&[]);
    let url = postgres.database();
    let connector = Connector::new(&url, None).unwrap();
    migrate(&connector, &Tables::default()).await.unwrap();
    let redis = Redis::start();
    let bus = Bus::new(&redis.url(), "rejoinder", "two").unwrap();
    let two = Gateway::on_postgres_with(&url, |settings| settings.bus = Some(bus)).await;
    let one = Process::start(&["--database", &url], &[("REDIS_URL", &redis.url())]);
    let mut bob = two.join("bob").await;
    let mut alice = one.join("alice").await;
    bob.watch().await;
    while bob.hear_of("presence").await["state"] != "online" {}
    for number in 1..=60 {
        alice.say(&send(THREAD, number, &number.to_string())).await;
    }
    alice.hear_of("ack").await;
    one.ask_to_end();
    let mut acked = 1;
    while let Ok(text) = alice.next().await {
        acked += u64::from(text.contains(r#""type":"ack""#));
    }
    assert!(one.ended().await.success());
    // Sooner than it would be polled.
    let told = tokio::time::timeout(Duration::from_secs(8), bob.messages(acked as usize));
    let told = told.await.unwrap();
    assert_eq!(told.last().unwrap().0, acked);
    let lease = redis.run(&["HGETALL", "rejoinder:presence:alice"]);
    let fields: Vec<_> = lease.lines().collect();
    let [_, until, "seen", seen] = fields[..] else {
        panic!("{lease}");
    };
    let [until, seen]: [u64; 2] = [until, seen].map(|text| text.parse().unwrap());
    assert_eq!(until - seen, 10_000);
}
