//! What an operator sees: health, readiness and metrics, on a listener of their own.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod client;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use client::{Gateway, THREAD, hello, key, send};
use rejoinder_gateway::bus::Bus;
use rejoinder_gateway::shell::Settings;
use rejoinder_gateway::store::postgres::{Connector, Tables, migrate};
use rejoinder_test_services::{Postgres, Redis};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A gateway with the listener for operators.
async fn gateway(bus: Option<Bus>) -> (Gateway, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let gateway = Gateway::set(|settings| {
        settings.operations = Some(listener);
        settings.bus = bus;
    });
    (gateway.await, address)
}

/// Asks and returns the status and the text.
async fn get(address: SocketAddr, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, text) = answer.split_once("\r\n\r\n").unwrap();
    (head[9..12].parse().unwrap(), text.to_owned())
}

/// Returns each series and its value.
async fn metrics(address: SocketAddr) -> BTreeMap<String, f64> {
    let (status, text) = get(address, "/metrics").await;
    assert_eq!(status, 200);
    let lines = text
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    let series = lines.map(|line| {
        let (name, value) = line.rsplit_once(' ').unwrap();
        (name.to_owned(), value.parse().unwrap())
    });
    series.collect()
}

/// Waits until a series has a value: what was written is counted a moment later.
async fn becomes(address: SocketAddr, series: &str, value: f64) -> BTreeMap<String, f64> {
    let waiting = async {
        loop {
            let found = metrics(address).await;
            if found[series] == value {
                return found;
            }
            tokio::task::yield_now().await;
        }
    };
    let found = tokio::time::timeout(std::time::Duration::from_secs(20), waiting).await;
    found.unwrap_or_else(|_| panic!("{series} never becomes {value}"))
}

#[tokio::test]
async fn what_happens_is_counted_and_nobody_is_named() {
    let (gateway, address) = gateway(None).await;
    let mut alice = gateway.join("alice").await;
    let mut bob = gateway.join("bob").await;
    alice.watch().await;
    bob.watch().await;
    for number in [1, 2, 2] {
        alice.say(&send(THREAD, number, "a-private-body")).await;
        alice.hear_of("ack").await;
    }
    for place in [1, 2] {
        assert_eq!(
            bob.hear_of("change").await["object"]["sequence_number"],
            place
        );
    }
    alice.say("{").await;
    alice.hear_of("error").await;
    let mut again = gateway.open().await;
    let resume = r#","resume":[{"thread_id":"alice|bob","epoch":"e1","revision":3},
        {"thread_id":"alice|carol","epoch":"e0","revision":1}]}"#;
    again.say(&hello("dev:alice").replace('}', resume)).await;
    for _ in 0..2 {
        again.hear_of("live").await;
    }
    drop(bob);
    becomes(address, "rejoinder_connections", 2.0).await;
    becomes(address, "rejoinder_ack_seconds_count", 3.0).await;
    let found = becomes(address, "rejoinder_fanout_seconds_count", 4.0).await;
    for (series, value) in [
        ("rejoinder_users", 1.0),
        ("rejoinder_threads", 2.0),
        ("rejoinder_connections_opened_total", 3.0),
        (r#"rejoinder_connections_closed_total{code="client"}"#, 1.0),
        ("rejoinder_duplicates_total", 1.0),
        (r#"rejoinder_errors_total{code="bad_json"}"#, 1.0),
        ("rejoinder_resumes_total", 1.0),
        ("rejoinder_resumed_threads_total", 2.0),
        ("rejoinder_pages_total", 1.0),
        ("rejoinder_page_changes_total", 1.0),
        (r#"rejoinder_resets_total{cursor="none"}"#, 2.0),
        (r#"rejoinder_resets_total{cursor="void"}"#, 1.0),
        ("rejoinder_store_up", 1.0),
        ("rejoinder_draining", 0.0),
    ] {
        assert_eq!(found.get(series), Some(&value), "{series}: {found:#?}");
    }
    for series in [
        "rejoinder_store_commit_seconds_count",
        "rejoinder_store_batch_commands_sum",
    ] {
        assert!(found[series] >= 3.0, "{series}: {found:#?}");
    }
    let (_, text) = get(address, "/metrics").await;
    for private in ["alice", "bob", "a-private-body", &key(1), "127.0.0.1"] {
        assert!(!text.contains(private), "{private}: {text}");
    }
}

#[tokio::test]
async fn it_is_ready_until_it_drains_and_says_so_while_it_does() {
    let (gateway, address) = gateway(None).await;
    let ready = r#"{"bus":"none","draining":false,"ready":true,"store":"up"}"#;
    assert_eq!(get(address, "/readyz").await, (200, ready.to_owned()));
    assert_eq!(get(address, "/healthz").await, (200, "ok\n".to_owned()));
    assert_eq!(get(address, "/ws").await.0, 404);
    // Clients do not reach what is for operators.
    let at_clients = gateway.ask("GET /metrics", None, "", "").await;
    assert_eq!(at_clients.status, 404);
    let mut alice = gateway.join("alice").await;
    gateway.stop().await;
    assert_eq!(alice.closed().await, 4000);
    let draining = r#"{"bus":"none","draining":true,"ready":false,"store":"up"}"#;
    assert_eq!(get(address, "/readyz").await, (503, draining.to_owned()));
    assert_eq!(metrics(address).await["rejoinder_draining"], 1.0);
}

#[tokio::test]
async fn without_redis_it_is_ready_all_the_same_and_says_what_is_down() {
    let mut redis = Redis::start();
    let bus = Bus::new(&redis.url(), "test", "one").unwrap();
    let (_gateway, address) = gateway(Some(bus)).await;
    becomes(address, "rejoinder_bus_up", 1.0).await;
    redis.stop();
    becomes(address, "rejoinder_bus_up", 0.0).await;
    let ready = r#"{"bus":"down","draining":false,"ready":true,"store":"up"}"#;
    assert_eq!(get(address, "/readyz").await, (200, ready.to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_not_ready_without_its_database() {
    let postgres = Postgres::start(&[]);
    let url = postgres.database();
    let connector = Connector::new(&url, None).unwrap();
    migrate(&connector, &Tables::default()).await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let choose = |settings: &mut Settings| settings.operations = Some(listener);
    let gateway = Gateway::on_postgres_with(&url, choose).await;
    assert_eq!(get(address, "/readyz").await.0, 200);
    let mut alice = gateway.join("alice").await;
    drop(postgres);
    let down = r#"{"bus":"none","draining":false,"ready":false,"store":"down"}"#;
    assert_eq!(get(address, "/readyz").await, (503, down.to_owned()));
    alice.say(&send(THREAD, 1, "hello")).await;
    assert_eq!(alice.hear_of("error").await["code"], "busy");
    let found = metrics(address).await;
    assert_eq!(found["rejoinder_store_up"], 0.0);
    let failed = ["unavailable", "unknown_fate"].map(|kind| {
        found[&format!(r#"rejoinder_store_errors_total{{on="commit",kind="{kind}"}}"#)]
    });
    assert!(failed.iter().sum::<f64>() >= 1.0, "{found:#?}");
}

/// Names of metrics in a text, without what histograms add to theirs.
fn names(text: &str) -> BTreeSet<String> {
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    let names = words.filter(|word| word.starts_with("rejoinder_"));
    let suffixes = ["_bucket", "_sum", "_count"];
    let base = |name: &str| {
        let found = suffixes.iter().find_map(|suffix| name.strip_suffix(suffix));
        found.unwrap_or(name).to_owned()
    };
    names.map(base).collect()
}

#[tokio::test]
async fn the_dashboard_and_the_docs_show_what_there_is_and_nothing_else() {
    let bus = Bus::new("redis://127.0.0.1:1", "test", "one").unwrap();
    let (_gateway, address) = gateway(Some(bus)).await;
    let there: BTreeSet<_> = metrics(address).await.into_keys().collect();
    let there = names(&there.into_iter().collect::<Vec<_>>().join("\n"));
    assert!(there.len() > 30, "{there:?}");
    let dashboard: serde_json::Value =
        serde_json::from_str(include_str!("../dashboard/rejoinder.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let targets = panels.flat_map(|panel| panel["targets"].as_array().into_iter().flatten());
    let queries: Vec<_> = targets
        .map(|target| target["expr"].as_str().unwrap())
        .collect();
    assert_eq!(names(&queries.join("\n")), there);
    let docs = include_str!("../../docs/operations.md").lines();
    let rows: Vec<_> = docs
        .filter(|line| line.starts_with("| `rejoinder_"))
        .collect();
    assert_eq!(names(&rows.join("\n")), there);
}
