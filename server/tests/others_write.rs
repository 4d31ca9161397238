//! What two clients see of a gateway on PostgreSQL while others write into it with plain SQL.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod client;

use std::time::Duration;

use client::{Client, Gateway, THREAD, send};
use rejoinder_gateway::store::postgres::{Connector, Tables, migrate};
use rejoinder_test_services::Postgres;
use tokio_postgres::NoTls;

/// A server, a gateway on it, and a session that writes SQL.
struct World {
    gateway: Gateway,
    session: tokio_postgres::Client,
    url: String,
    _server: Postgres,
}

async fn session(url: &str) -> tokio_postgres::Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

impl World {
    async fn start() -> Self {
        let server = Postgres::start(&[]);
        let url = server.database();
        let tables = Tables::default();
        migrate(&Connector::new(&url, None).unwrap(), &tables)
            .await
            .unwrap();
        Self {
            gateway: Gateway::on_postgres(&url, &tables).await,
            session: session(&url).await,
            url,
            _server: server,
        }
    }

    /// Alice and Bob, live, with one message between them.
    async fn pair(&self) -> [Client; 2] {
        let mut pair = [
            self.gateway.join("alice").await,
            self.gateway.join("bob").await,
        ];
        pair[0].say(&send(THREAD, 1, "hello")).await;
        pair[0].hear_of("ack").await;
        for person in &mut pair {
            person.watch().await;
        }
        pair
    }

    async fn sql(&self, sql: &str) {
        self.session.batch_execute(sql).await.unwrap();
    }
}

/// The net that is polled every 15 s would find everything, too; what comes sooner was heard.
const SOONER_THAN_A_POLL: Duration = Duration::from_secs(8);

/// Returns the next messages that a client is told of.
async fn told(person: &mut Client, count: usize) -> Vec<(u64, String)> {
    let told = tokio::time::timeout(SOONER_THAN_A_POLL, person.messages(count));
    told.await.expect("it was heard, not polled")
}

fn said(all: &[(u64, &str)]) -> Vec<(u64, String)> {
    all.iter()
        .map(|(place, body)| (*place, (*body).to_owned()))
        .collect()
}

#[tokio::test]
async fn rows_inserted_edited_and_deleted_appear_on_both_in_order() {
    let world = World::start().await;
    let mut pair = world.pair().await;
    world
        .sql(
            "INSERT INTO messages (thread_id, sender_id, body) VALUES ('alice|bob', 'bob', 'two'); \
             INSERT INTO messages (thread_id, sender_id, body) VALUES ('alice|bob', 'bob', 'three')",
        )
        .await;
    for person in &mut pair {
        assert_eq!(told(person, 2).await, said(&[(2, "two"), (3, "three")]));
    }
    world
        .sql("UPDATE messages SET body = 'TWO' WHERE body = 'two'")
        .await;
    for person in &mut pair {
        assert_eq!(told(person, 1).await, said(&[(2, "TWO")]));
    }
    world.sql("DELETE FROM messages WHERE body = 'hello'").await;
    for person in &mut pair {
        assert_eq!(told(person, 1).await, said(&[(1, "deleted")]));
    }
    // Both ways at once, and everything in one order.
    let [alice, bob] = &mut pair;
    for number in 0..20 {
        let insert = format!(
            "INSERT INTO messages (thread_id, sender_id, body) VALUES ('alice|bob', 'bob', 'sql {number}')"
        );
        let text = send(THREAD, 100 + number, &format!("socket {number}"));
        tokio::join!(world.sql(&insert), alice.say(&text));
    }
    let places = |told: Vec<(u64, String)>| told.into_iter().map(|one| one.0).collect::<Vec<_>>();
    let expected: Vec<_> = (4..44).collect();
    assert_eq!(places(told(bob, 40).await), expected);
    assert_eq!(places(told(alice, 40).await), expected);
}

#[tokio::test]
async fn a_deleted_message_is_still_a_place_to_go_on_from() {
    let world = World::start().await;
    let [mut alice, _bob] = world.pair().await;
    alice.say(&send(THREAD, 2, "soon gone")).await;
    let deleted = alice.hear_of("ack").await;
    alice.say(&send(THREAD, 3, "after it")).await;
    let last = alice.hear_of("ack").await;
    world
        .sql("DELETE FROM messages WHERE body = 'soon gone'")
        .await;
    while alice.messages(1).await != said(&[(2, "deleted")]) {}
    let id = deleted["server_msg_id"].as_str().unwrap();
    let sync = format!(r#"{{"type":"sync","thread_id":"{THREAD}","last_server_msg_id":"{id}"}}"#);
    alice.say(&sync).await;
    let page = alice.hear_of("page").await;
    assert_eq!(page["from_revision"], deleted["revision"]);
    let changes = page["changes"].as_array().unwrap();
    assert_eq!(changes.len(), 2);
    assert_eq!(changes[0]["revision"], last["revision"]);
    assert_eq!(changes[1]["deleted"], true);
}

#[tokio::test]
async fn nothing_is_missed_when_the_connection_that_listens_is_cut() {
    let world = World::start().await;
    let mut pair = world.pair().await;
    for round in 0..3_u64 {
        world
            .sql(&format!(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'; \
                 INSERT INTO messages (thread_id, sender_id, body) \
                 VALUES ('alice|bob', 'bob', 'cut {round}')"
            ))
            .await;
        for person in &mut pair {
            let place = round + 2;
            assert_eq!(
                told(person, 1).await,
                said(&[(place, &format!("cut {round}"))])
            );
        }
        let mut listens = false;
        while !listens {
            let count = "SELECT count(*) > 0 FROM pg_stat_activity WHERE query LIKE 'LISTEN%'";
            listens = world.session.query_one(count, &[]).await.unwrap().get(0);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

#[tokio::test]
async fn a_transaction_that_holds_one_thread_stalls_no_other() {
    const HOLD: Duration = Duration::from_secs(10);
    let world = World::start().await;
    let mut pair = world.pair().await;
    let holder = session(&world.url).await;
    holder
        .batch_execute(
            "BEGIN; INSERT INTO messages (thread_id, sender_id, body) \
             VALUES ('alice|bob', 'bob', 'held')",
        )
        .await
        .unwrap();
    pair[0].say(&send(THREAD, 2, "waits")).await;
    let released = tokio::spawn(async move {
        tokio::time::sleep(HOLD).await;
        holder.batch_execute("COMMIT").await.unwrap();
    });
    // Eight others write all the while, each in a thread of its own.
    let mut others = tokio::task::JoinSet::new();
    for number in 0..8 {
        let mut other = world.gateway.join(&format!("d{number}")).await;
        others.spawn(async move {
            let thread = format!("carol|d{number}");
            let mut acked = 0_u64;
            loop {
                let key = 1_000 * (number + 1) + u32::try_from(acked).unwrap();
                other.say(&send(&thread, key, "x")).await;
                let ack = tokio::time::timeout(Duration::from_secs(2), other.hear_of("ack"));
                assert_eq!(ack.await.unwrap()["sequence_number"], acked + 1);
                acked += 1;
                if acked == 30 {
                    return acked;
                }
                tokio::time::sleep(Duration::from_millis(250)).await;
            }
        });
    }
    // A client is told to come again, until it is stored.
    let mut refused = 0;
    let ack = loop {
        let frame = pair[0].hear().await;
        match frame["type"].as_str().unwrap() {
            "ack" => break frame,
            "error" => {
                assert_eq!(frame["code"], "busy");
                refused += 1;
                pair[0].say(&send(THREAD, 2, "waits")).await;
            }
            _ => {}
        }
    };
    assert!(refused > 0, "its lock was never waited for in vain");
    released.await.unwrap();
    assert_eq!(
        ack["sequence_number"], 3,
        "the transaction that held it was first"
    );
    let acked: u64 = others.join_all().await.into_iter().sum();
    assert_eq!(acked, 240);
    assert_eq!(
        told(&mut pair[1], 2).await,
        said(&[(2, "held"), (3, "waits")])
    );
}

#[tokio::test]
async fn whoever_is_removed_by_sql_hears_nothing_more() {
    let world = World::start().await;
    let mut pair = world.pair().await;
    world
        .sql("SELECT rejoinder.leave_thread('alice|bob', 'bob')")
        .await;
    let [alice, bob] = &mut pair;
    bob.hear_of("removed").await;
    alice.say(&send(THREAD, 2, "secret")).await;
    alice.hear_of("ack").await;
    bob.say(r#"{"type":"ping"}"#).await;
    assert_eq!(bob.hear().await["type"], "pong");
}
