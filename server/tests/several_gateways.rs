//! Several gateways on one PostgreSQL database, told of each other by Redis.

#![allow(clippy::unwrap_used, clippy::expect_used)]
#![allow(clippy::panic, clippy::indexing_slicing)]

mod client;

use std::time::Duration;

use client::{Client, Gateway, THREAD, send};
use rejoinder_gateway::bus::Bus;
use rejoinder_gateway::store::postgres::{Connector, Tables, migrate};
use rejoinder_test_services::{Postgres, Redis};
use serde_json::Value;
use tokio::time::{Instant, sleep, timeout};

/// What comes sooner was told, not polled: the net is polled every 15 seconds.
const SOONER_THAN_A_POLL: Duration = Duration::from_secs(8);

struct World {
    postgres: Postgres,
    redis: Redis,
    url: String,
}

impl World {
    async fn start() -> Self {
        let postgres = Postgres::start(&[]);
        let url = postgres.database();
        let connector = Connector::new(&url, None).unwrap();
        migrate(&connector, &Tables::default()).await.unwrap();
        Self {
            postgres,
            redis: Redis::start(),
            url,
        }
    }

    async fn gateway(&self, name: &str) -> Gateway {
        let bus = Bus::new(&self.redis.url(), "test", name).unwrap();
        Gateway::on_postgres_with(&self.url, |settings| settings.bus = Some(bus)).await
    }

    /// Alice on one gateway and Bob on another, both live.
    async fn pair(&self) -> ([Gateway; 2], [Client; 2]) {
        let gateways = [self.gateway("one").await, self.gateway("two").await];
        let mut pair = [
            gateways[0].join("alice").await,
            gateways[1].join("bob").await,
        ];
        for person in &mut pair {
            person.watch().await;
        }
        (gateways, pair)
    }
}

/// Waits for somebody to be in a state.
async fn is(person: &mut Client, user: &str, state: &str) -> Value {
    let waiting = async {
        loop {
            let frame = person.hear_of("presence").await;
            if frame["user_id"] == user && frame["state"] == state {
                return frame;
            }
        }
    };
    let found = timeout(Duration::from_secs(75), waiting).await;
    found.unwrap_or_else(|_| panic!("{user} is never {state}"))
}

async fn bodies(person: &mut Client, count: usize) -> Vec<String> {
    let told = timeout(SOONER_THAN_A_POLL, person.messages(count)).await;
    let told = told.expect("it was told, not polled");
    told.into_iter().map(|(_, body)| body).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_takes_the_other_delivers_at_once_and_in_order() {
    let world = World::start().await;
    let (_gateways, [mut alice, mut bob]) = world.pair().await;
    is(&mut alice, "bob", "online").await;
    is(&mut bob, "alice", "online").await;
    let began = Instant::now();
    for number in 0..50 {
        alice
            .say(&send(THREAD, number, &format!("a{number}")))
            .await;
        bob.say(&send(THREAD, 100 + number, &format!("b{number}")))
            .await;
    }
    let (of_alice, of_bob) = (bodies(&mut alice, 100).await, bodies(&mut bob, 100).await);
    assert_eq!(of_alice, of_bob, "one order for both");
    assert!(began.elapsed() < SOONER_THAN_A_POLL);
    // Each of the two was told in the order in which it was said.
    for name in ["a", "b"] {
        let said: Vec<_> = of_alice
            .iter()
            .filter(|body| body.starts_with(name))
            .collect();
        let expected: Vec<_> = (0..50).map(|number| format!("{name}{number}")).collect();
        assert_eq!(said, expected.iter().collect::<Vec<_>>());
    }
    alice
        .say(r#"{"type":"typing","thread_id":"alice|bob","is_typing":true}"#)
        .await;
    let typing = timeout(SOONER_THAN_A_POLL, bob.hear_of("typing"))
        .await
        .unwrap();
    assert_eq!(
        (&typing["user_id"], &typing["is_typing"]),
        (&"alice".into(), &true.into())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_that_begins_elsewhere_appears_and_who_is_removed_hears_nothing_more() {
    let world = World::start().await;
    let (_gateways, [mut alice, mut bob]) = world.pair().await;
    alice.say(&send("alice|carol", 1, "hello")).await;
    alice.hear_of("ack").await;
    bob.say(&send("bob|carol", 2, "hello")).await;
    let third = world.gateway("three").await;
    let mut carol = third.join("carol").await;
    sleep(Duration::from_secs(1)).await;
    alice.say(&send("alice|carol", 3, "there?")).await;
    let appears = async { while carol.hear_of("thread").await["thread_id"] != "alice|carol" {} };
    timeout(SOONER_THAN_A_POLL, appears).await.unwrap();
    world.postgres.sql(
        world.url.rsplit_once('/').unwrap().1,
        "SELECT rejoinder.leave_thread('alice|bob', 'bob')",
    );
    let removed = timeout(SOONER_THAN_A_POLL, bob.hear_of("removed"))
        .await
        .unwrap();
    assert_eq!(removed["thread_id"], THREAD);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_everybody_goes_on_and_with_it_presence_heals() {
    let mut world = World::start().await;
    let (_gateways, [mut alice, mut bob]) = world.pair().await;
    is(&mut alice, "bob", "online").await;
    world.redis.stop();
    is(&mut alice, "bob", "unknown").await;
    alice.say(&send(THREAD, 1, "one")).await;
    // The heads are polled every second now.
    assert_eq!(bodies(&mut bob, 1).await, ["one"]);
    assert_eq!(bodies(&mut alice, 1).await, ["one"]);
    world.redis.restart();
    let frame = is(&mut alice, "bob", "online").await;
    assert_eq!(frame["last_seen_at"], Value::Null);
    is(&mut bob, "alice", "online").await;
    bob.say(&send(THREAD, 2, "two")).await;
    assert_eq!(bodies(&mut alice, 1).await, ["two"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trimmed_stream_is_noticed_and_nothing_is_lost() {
    let world = World::start().await;
    let (_gateways, [mut alice, mut bob]) = world.pair().await;
    for number in 0..20 {
        alice.say(&send(THREAD, number, &number.to_string())).await;
        world.redis.run(&["XTRIM", "test:news", "MAXLEN", "0"]);
    }
    let expected: Vec<_> = (0..20).map(|number: u32| number.to_string()).collect();
    assert_eq!(bodies(&mut bob, 20).await, expected);
    // Nor is garbage believed.
    let garbage = [
        vec!["x", "y"],
        vec!["node", "evil", "number", "1", "news", "{"],
        vec![
            "node",
            "evil",
            "number",
            "2",
            "news",
            r#"{"type":"presence","user_id":"alice"}"#,
        ],
        vec!["node", "evil", "number", "-1"],
    ];
    for fields in garbage {
        let entry = [vec!["XADD", "test:news", "*"], fields].concat();
        world.redis.run(&entry);
    }
    alice.say(&send(THREAD, 30, "on")).await;
    assert_eq!(bodies(&mut bob, 1).await, ["on"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_leaves_is_offline_with_the_moment_and_a_second_device_keeps_them_online() {
    let world = World::start().await;
    let (gateways, [mut alice, bob]) = world.pair().await;
    is(&mut alice, "bob", "online").await;
    let second = gateways[0].join("bob").await;
    drop(bob);
    // Longer than the grace period of the gateway that he left.
    let waited = timeout(Duration::from_secs(13), is(&mut alice, "bob", "offline")).await;
    assert!(waited.is_err(), "he is still there with another device");
    drop(second);
    let frame = is(&mut alice, "bob", "offline").await;
    assert!(frame["last_seen_at"].as_u64().unwrap() > 1_700_000_000_000);
}

/// A gateway in a process of its own.
struct Process(std::process::Child, String);

impl Process {
    fn start(world: &World, name: &str) -> Self {
        use std::io::BufRead;
        let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_rejoinder-gateway"))
            .args(["--dev", "--listen", "127.0.0.1:0", "--node-id", name])
            .env("REJOINDER_DATABASE", &world.url)
            .env("REDIS_URL", world.redis.url())
            .env("REJOINDER_JWT_SECRET", "secret")
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let stdout = child.stdout.take().unwrap();
        std::io::BufReader::new(stdout)
            .read_line(&mut line)
            .unwrap();
        let address = line.trim().rsplit_once('/').unwrap().1;
        Self(child, format!("ws://{address}/ws"))
    }

    async fn join(&self, user: &str) -> Client {
        let (socket, _) = tokio_tungstenite::connect_async(&self.1).await.unwrap();
        let mut client = Client { socket };
        client.say(&client::hello(&format!("dev:{user}"))).await;
        client.hear_of("welcome").await;
        client
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn gateways_that_are_killed_lose_nothing_and_their_users_are_offline_in_the_end() {
    let world = World::start().await;
    let [first, second, third] = ["a", "b", "c"].map(|name| Process::start(&world, name));
    let mut bob = second.join("bob").await;
    bob.watch().await;
    let mut alice = first.join("alice").await;
    alice.watch().await;
    for number in 0..40 {
        alice.say(&send(THREAD, number, &number.to_string())).await;
    }
    alice.hear_of("ack").await;
    drop(first);
    // What was not acknowledged for certain is sent again, to another one.
    let mut alice = third.join("alice").await;
    alice.watch().await;
    for number in 0..40 {
        alice.say(&send(THREAD, number, &number.to_string())).await;
    }
    let expected: Vec<_> = (0..40).map(|number: u32| number.to_string()).collect();
    assert_eq!(bodies(&mut bob, 40).await, expected);
    let numbers =
        "SELECT count(*), count(DISTINCT client_msg_id), max(sequence_number) FROM messages";
    let database = world.url.rsplit_once('/').unwrap().1;
    assert_eq!(world.postgres.sql(database, numbers), "40|40|40");
    bob.say(r#"{"type":"unsubscribe","thread_id":"alice|bob"}"#)
        .await;
    bob.watch().await;
    // She is with the third.
    is(&mut bob, "alice", "online").await;
    drop((third, alice));
    let frame = is(&mut bob, "alice", "offline").await;
    assert!(frame["last_seen_at"].as_u64().unwrap() > 1_700_000_000_000);
}
