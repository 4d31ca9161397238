//! Several gateways as `deploy/` puts them up: behind nginx, on PostgreSQL and Redis.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used)]
#![allow(clippy::panic, clippy::indexing_slicing)]

mod client;
mod compose;
mod proxy;

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::slice;

use client::{Client, send, subscribe};
use http_body_util::BodyExt;
use proxy::{NAME, ORIGIN, PATIENCE, Proxy};
use rejoinder_protocol::FRAME_BYTES_MAX;
use rejoinder_test_services::{Postgres, Redis};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::time::timeout;

const PROGRAM: &str = env!("CARGO_BIN_EXE_rejoinder-gateway");
const ADMIN_KEY: &str = "the-admin-key-0123456789-0123456789";

/// A gateway in a process of its own, told what `deploy/compose.yaml` tells it.
struct Gateway {
    process: Child,
    address: SocketAddr,
}

impl Gateway {
    fn start(name: &str, postgres: &str, redis: &str) -> Self {
        let mut process = Command::new(PROGRAM)
            .args(["--listen", "127.0.0.1:0"])
            .envs(environment(name, postgres, redis))
            .env("HOSTNAME", name)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut stdout = BufReader::new(process.stdout.take().unwrap());
        stdout.read_line(&mut line).unwrap();
        let address = line.strip_prefix("listening on http://").unwrap();
        let address = address.trim().parse().unwrap();
        Self { process, address }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What the file says, with the addresses of a test's servers.
fn environment(service: &str, postgres: &str, redis: &str) -> Vec<(String, String)> {
    let mut environment = compose::environment(service, |variable| match variable {
        "POSTGRES_PASSWORD" => "0123".to_owned(),
        "REJOINDER_ALLOW_ORIGIN" => ORIGIN.to_owned(),
        "REJOINDER_ALLOW_HOST" => NAME.to_owned(),
        "REJOINDER_JWT_SECRET" => "a-secret".to_owned(),
        "REJOINDER_ADMIN_KEY" => ADMIN_KEY.to_owned(),
        other => panic!("what is {other}?"),
    });
    let (_, database) = postgres.split_once('@').unwrap();
    for (name, from, to) in [
        (
            "REJOINDER_DATABASE",
            "@postgres/rejoinder",
            format!("@{database}"),
        ),
        ("REDIS_URL", "redis://redis:6379", redis.to_owned()),
    ] {
        let (_, value) = environment.iter_mut().find(|(one, _)| one == name).unwrap();
        assert!(value.contains(from), "{value}");
        *value = value.replace(from, &to);
    }
    environment
}

fn token(user: &str) -> String {
    let mut token = Command::new(PROGRAM);
    token.args(["token", "--sub", user]);
    let output = token.env("REJOINDER_JWT_SECRET", "a-secret").output();
    let output = output.unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Two gateways, and all that they need.
struct World {
    _postgres: Postgres,
    redis: Redis,
    gateways: Vec<Gateway>,
    proxy: Proxy,
}

impl World {
    fn start() -> Self {
        let (postgres, redis) = (Postgres::start(&[]), Redis::start());
        let (database, news) = (postgres.database(), redis.url());
        let mut migrate = Command::new(PROGRAM);
        migrate.args(compose::command("migrate"));
        migrate.envs(environment("migrate", &database, &news));
        assert!(migrate.output().unwrap().status.success());
        let gateways = ["gateway-1", "gateway-2"];
        let gateways = gateways.map(|name| Gateway::start(name, &database, &news));
        let proxy = Proxy::start(&[gateways[0].address, gateways[1].address]);
        Self {
            _postgres: postgres,
            redis,
            gateways: gateways.into(),
            proxy,
        }
    }

    async fn join(&self, user: &str) -> Client {
        self.proxy.join(&token(user)).await
    }

    /// Returns which gateways say that somebody is with them.
    fn gateways_of(&self, user: &str) -> String {
        let key = format!("rejoinder:presence:{user}");
        self.redis.run(&["HGETALL", &key])
    }
}

/// Goes live in the thread.
async fn watch(client: &mut Client, thread: &str) {
    client.say(&subscribe(thread)).await;
    client.hear_of("live").await;
}

/// Returns the next messages that somebody is told of: the place of each, and its text.
async fn told(client: &mut Client, count: usize) -> Vec<(u64, String)> {
    let told = timeout(PATIENCE, client.messages(count)).await;
    told.expect("it is told in time")
}

#[tokio::test(flavor = "multi_thread")]
async fn two_people_on_two_gateways_talk_and_meet_again_when_one_gateway_is_gone() {
    let mut world = World::start();
    let pair = json!({"thread_id": "t1", "participants": ["alice", "bob"]}).to_string();
    let made = world.proxy.ask("POST /v1/threads", ADMIN_KEY, pair).await;
    assert_eq!(made.status, 200, "{}", made.text);
    let mut alice = world.join("alice").await;
    let mut bob = world.join("bob").await;
    for person in [&mut alice, &mut bob] {
        watch(person, "t1").await;
    }
    let places = [world.gateways_of("alice"), world.gateways_of("bob")];
    let is_with = |place: &String, name: &str| place.contains(name);
    assert!(
        is_with(&places[0], "gateway-1") != is_with(&places[0], "gateway-2"),
        "{places:?}"
    );
    assert_ne!(
        is_with(&places[0], "gateway-1"),
        is_with(&places[1], "gateway-1"),
        "{places:?}"
    );

    alice.say(&send("t1", 1, "hello")).await;
    let first = (1, "hello".to_owned());
    assert_eq!(told(&mut bob, 1).await, slice::from_ref(&first));
    bob.say(&send("t1", 2, "hello yourself")).await;
    let second = (2, "hello yourself".to_owned());
    assert_eq!(told(&mut alice, 2).await, [first, second]);

    // Whoever was with it is led to the other.
    drop(world.gateways.remove(0));
    let mut alice = world.join("alice").await;
    let mut bob = world.join("bob").await;
    for person in [&mut alice, &mut bob] {
        watch(person, "t1").await;
    }
    alice.say(&send("t1", 3, "still there?")).await;
    let third = (3, "still there?".to_owned());
    assert_eq!(told(&mut bob, 1).await, [third]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nginx_lets_through_what_a_gateway_takes_and_no_more() {
    let world = World::start();
    let proxy = &world.proxy;
    let healthy = proxy.ask("GET /healthz", "", "").await;
    assert_eq!((healthy.status, healthy.text.as_str()), (200, "ok\n"));
    for path in ["GET /", "GET /metrics", "GET /readyz", "GET /ws/more"] {
        assert_eq!(proxy.ask(path, "", "").await.status, 404, "{path}");
    }
    // The longest token comes as far as a gateway, which does not know it.
    let long = "a".repeat(8 * 1024);
    let refused = proxy.ask("GET /v1/threads", &long, "").await;
    assert_eq!(refused.status, 401, "{}", refused.text);
    let of_gateway: serde_json::Value = serde_json::from_str(&refused.text).unwrap();
    assert!(of_gateway["code"].is_string(), "{of_gateway}");
    // A body longer than any frame does not.
    let body = vec![b'a'; FRAME_BYTES_MAX + 1];
    let refused = proxy.ask("POST /v1/threads", ADMIN_KEY, body).await;
    assert_eq!(refused.status, 413);
    assert!(refused.text.contains("nginx"), "{}", refused.text);
}

/// What a test lets a gateway's place be taken by: it answers with a stream, and goes on with it
/// when it is told to.
async fn stream(listener: TcpListener, go_on: oneshot::Receiver<()>) {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut request = Vec::new();
    while !request.ends_with(b"the body") {
        assert_ne!(stream.read_buf(&mut request).await.unwrap(), 0);
    }
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(b"data: one\n\n").await.unwrap();
    go_on.await.unwrap();
    stream.write_all(b"data: two\n\n").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_streamed_is_passed_on_as_it_comes() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let proxy = Proxy::start(&[address, address]);
    let (seen, go_on) = oneshot::channel();
    let streaming = tokio::spawn(stream(listener, go_on));
    let answer = proxy.open("POST /v1/stream", "", "the body").await;
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    let mut body = answer.into_body();
    let first = timeout(PATIENCE, body.frame()).await;
    let first = first
        .expect("it comes before the answer ends")
        .unwrap()
        .unwrap();
    assert_eq!(first.into_data().unwrap(), "data: one\n\n");
    seen.send(()).unwrap();
    let rest = timeout(PATIENCE, body.collect()).await.unwrap().unwrap();
    assert_eq!(rest.to_bytes(), "data: two\n\n");
    streaming.await.unwrap();
}
