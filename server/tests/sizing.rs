//! What a connection costs in memory, for docs/deployment.md. It prints; it judges nothing.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]
#![allow(clippy::panic, clippy::indexing_slicing)]

mod client;
mod proxy;

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use client::{Client, subscribe};
use proxy::{NAME, ORIGIN, Proxy};
use rejoinder_gateway::tokens::Tokens;
use serde_json::json;

const PAIRS: usize = 1_000;
const SECRET: &str = "a-secret";
const ADMIN_KEY: &str = "the-admin-key-0123456789-0123456789";

/// Memory that a process has to itself, with its part of what it shares, in KiB.
fn memory_kib(pid: &str) -> u64 {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap();
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"));
    let number = line.unwrap().trim().split(' ').next();
    number.unwrap().parse().unwrap()
}

/// The workers, which hold the connections.
fn children(pid: &str) -> Vec<String> {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
    children.split_whitespace().map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "prints figures; docs/deployment.md says how"]
async fn what_a_connection_costs() {
    let program = std::env::var("GATEWAY_PROGRAM");
    let program = program.expect("GATEWAY_PROGRAM names an optimised gateway, in dist/");
    let mut gateway = Command::new(program)
        .args(["--listen", "127.0.0.1:0", "--database", "sqlite::memory:"])
        .args(["--allow-origin", ORIGIN, "--allow-host", NAME])
        .env("REJOINDER_JWT_SECRET", SECRET)
        .env("REJOINDER_ADMIN_KEY", ADMIN_KEY)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut stdout = BufReader::new(gateway.stdout.take().unwrap());
    stdout.read_line(&mut line).unwrap();
    let address = line.strip_prefix("listening on http://").unwrap();
    let address = address.trim().parse().unwrap();
    let proxy = Proxy::start(&[address, address]);
    let workers = children(&proxy.pid());
    let pid = gateway.id().to_string();
    let nginx = || workers.iter().map(|worker| memory_kib(worker)).sum::<u64>();

    let first = pair(&proxy, PAIRS).await;
    let (empty, nginx_empty) = (memory_kib(&pid), nginx());
    let mut clients = Vec::new();
    for number in 0..PAIRS {
        clients.extend(pair(&proxy, number).await);
    }
    let (full, nginx_full) = (memory_kib(&pid), nginx());
    let count = clients.len() as u64;
    println!("the gateway before them: {empty} KiB");
    println!("{count} connections, each welcomed and live in a thread of two:");
    println!("  the gateway: {:.1} KiB each", per(full - empty, count));
    println!(
        "  nginx, with TLS: {:.1} KiB each",
        per(nginx_full - nginx_empty, count)
    );
    drop((first, clients));
    gateway.kill().unwrap();
    gateway.wait().unwrap();
}

#[allow(clippy::cast_precision_loss, reason = "figures for people")]
fn per(sum: u64, count: u64) -> f64 {
    sum as f64 / count as f64
}

/// Two people, live in a thread of theirs.
async fn pair(proxy: &Proxy, number: usize) -> Vec<Client> {
    let users = [format!("a{number}"), format!("b{number}")];
    let thread = format!("t{number}");
    let made = json!({"thread_id": thread, "participants": users}).to_string();
    let made = proxy.ask("POST /v1/threads", ADMIN_KEY, made).await;
    assert_eq!(made.status, 200, "{}", made.text);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let tokens = Tokens::new().with_secret(SECRET);
    let mut clients = Vec::new();
    for user in users {
        let token = tokens.mint(&user.parse().unwrap(), now.as_secs() + 3_600);
        let mut client = proxy.join(token.unwrap().secret()).await;
        client.say(&subscribe(&thread)).await;
        client.hear_of("live").await;
        clients.push(client);
    }
    clients
}
