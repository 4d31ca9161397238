//! Servers that go away, change their minds, or refuse.

use std::sync::Arc;
use std::time::Duration;

use rejoinder_protocol::ErrorCode;
use rejoinder_test_services::Postgres;

use super::{Database, apply, asked_in, rule};
use crate::store::contract::{T, ack, code, send};
use crate::store::postgres::rotate_epoch;
use crate::store::{Heard, Read, Store, StoreError};

fn inbox() -> Read {
    Read::Inbox {
        user_id: "a".parse().unwrap(),
        limit: 10,
        before: None,
    }
}

#[tokio::test]
async fn a_rule_of_the_application_refuses_one_message_for_good_and_harms_no_other() {
    let database = Database::migrated().await;
    let rules = "ALTER TABLE messages ADD CHECK (body <> 'rude'); \
         CREATE UNIQUE INDEX no_echo ON messages (sender_id, body) WHERE body = 'echo'";
    database.session().await.batch_execute(rules).await.unwrap();
    let blocks = "IF NEW.body = 'blocked' THEN RAISE EXCEPTION 'blocked'; END IF; RETURN NEW;";
    rule(&database, "BEFORE INSERT", blocks).await;
    let store = database.store().await;
    let batch = [
        send(T, "a", 1, "one"),
        send(T, "a", 2, "rude"),
        send("a|c", "a", 3, "blocked"),
        send(T, "a", 4, "two"),
        send(T, "b", 5, "echo"),
        send(T, "b", 6, "echo"),
    ];
    let applied = apply(&store, &batch).await;
    let outcomes = applied.unwrap().outcomes;
    assert_eq!(ack(&outcomes[0]).sequence_number.get(), 1);
    assert_eq!(code(&outcomes[1]), ErrorCode::Invalid);
    assert_eq!(code(&outcomes[2]), ErrorCode::Forbidden);
    assert_eq!(ack(&outcomes[3]).sequence_number.get(), 2);
    assert_eq!(ack(&outcomes[4]).sequence_number.get(), 3);
    assert_eq!(code(&outcomes[5]), ErrorCode::Invalid);
}

/// Lets a trigger end the session at the commit: after its work, before anybody is told.
const DIES_AT_COMMIT: &str = "CREATE TABLE deaths (left_over integer); \
     INSERT INTO deaths VALUES (1); \
     CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN \
     IF NEW.body = 'deadly' THEN PERFORM pg_terminate_backend(pg_backend_pid()); END IF; \
     RETURN NULL; END $$; \
     CREATE CONSTRAINT TRIGGER die AFTER INSERT ON messages DEFERRABLE INITIALLY DEFERRED \
     FOR EACH ROW EXECUTE FUNCTION die()";

#[tokio::test]
async fn a_connection_that_dies_in_the_commit_leaves_its_fate_unknown_until_the_resend() {
    let database = Database::migrated().await;
    let session = database.session().await;
    session.batch_execute(DIES_AT_COMMIT).await.unwrap();
    let store = database.store().await;
    let lost = apply(&store, &[send(T, "a", 1, "deadly")]).await;
    assert!(matches!(lost, Err(StoreError::UnknownFate(_))), "{lost:?}");
    session
        .batch_execute("DROP TRIGGER die ON messages")
        .await
        .unwrap();
    let again = apply(&store, &[send(T, "a", 1, "deadly")]).await.unwrap();
    let ack = ack(&again.outcomes[0]);
    assert_eq!(
        (ack.sequence_number.get(), ack.duplicate),
        (1, false),
        "it was not stored"
    );
}

#[tokio::test]
async fn an_answer_that_was_lost_is_given_again() {
    let database = Database::migrated().await;
    let proxy = Proxy::start(&database.url).await;
    let through = Database::on(proxy.url.clone());
    let store = through.store().await;
    let first = ack(&apply(&store, &[send(T, "a", 1, "one")])
        .await
        .unwrap()
        .outcomes[0]);
    proxy.swallow_after_commit();
    let lost = apply(&store, &[send(T, "a", 2, "two")]).await;
    assert!(matches!(lost, Err(StoreError::UnknownFate(_))), "{lost:?}");
    let again = ack(&apply(&store, &[send(T, "a", 2, "two")])
        .await
        .unwrap()
        .outcomes[0]);
    assert!(
        again.duplicate,
        "it was stored, and only the answer was lost"
    );
    assert_eq!(again.sequence_number, first.sequence_number.next());
}

#[tokio::test]
async fn a_server_that_was_restarted_is_found_again() {
    let server = Postgres::start(&[]);
    let database = Database::on(server.database());
    database.migrate().await.unwrap();
    let store = database.store().await;
    apply(&store, &[send(T, "a", 1, "one")]).await.unwrap();
    store.read(inbox()).await.unwrap();
    server.crash();
    let again = apply(&store, &[send(T, "a", 1, "one")]).await.unwrap();
    assert!(ack(&again.outcomes[0]).duplicate);
    let read = store.read(inbox()).await.unwrap();
    assert_eq!(read.epoch, *store.epoch(), "a restart is no other history");
}

#[tokio::test]
async fn a_server_that_only_reads_is_not_used_until_it_writes_again() {
    let server = Postgres::start(&[]);
    let database = Database::on(server.database());
    database.migrate().await.unwrap();
    let store = database.store().await;
    apply(&store, &[send(T, "a", 1, "one")]).await.unwrap();
    server.sql(
        "postgres",
        "ALTER SYSTEM SET default_transaction_read_only = on",
    );
    server.sql("postgres", "SELECT pg_reload_conf()");
    tokio::time::sleep(Duration::from_millis(200)).await;
    let refused = apply(&store, &[send(T, "a", 2, "two")]).await;
    assert!(
        matches!(refused, Err(StoreError::Unavailable(_))),
        "{refused:?}"
    );
    let writes = "ALTER SYSTEM RESET default_transaction_read_only";
    server.sql("postgres", writes);
    server.sql("postgres", "SELECT pg_reload_conf()");
    tokio::time::sleep(Duration::from_millis(200)).await;
    let stored = apply(&store, &[send(T, "a", 2, "two")]).await.unwrap();
    assert_eq!(ack(&stored.outcomes[0]).sequence_number.get(), 2);
}

#[tokio::test]
async fn what_was_asked_in_another_history_is_not_executed() {
    let database = Database::migrated().await;
    let store = database.store().await;
    apply(&store, &[send(T, "a", 1, "one")]).await.unwrap();
    let mut heard = store.hear().unwrap();
    assert_eq!(heard.recv().await, Some(Heard::Everything));
    let other = rotate_epoch(&database.connector()).await.unwrap();
    assert_eq!(heard.recv().await, Some(Heard::Everything));
    let refused = apply(&store, &[send(T, "a", 2, "two")]).await.unwrap();
    assert_eq!(refused.epoch, other);
    assert_eq!(code(&refused.outcomes[0]), ErrorCode::Internal);
    let again = apply(&store, &[send(T, "a", 2, "two")]).await.unwrap();
    assert_eq!(again, refused);
    let stored = asked_in(&store, &refused.epoch, &[send(T, "a", 2, "two")]).await;
    let stored = stored.unwrap();
    assert_eq!(ack(&stored.outcomes[0]).sequence_number.get(), 2);
    assert_eq!(store.read(inbox()).await.unwrap().epoch, stored.epoch);
}

#[tokio::test]
async fn a_history_that_ends_between_two_commands_of_a_batch_ends_the_batch() {
    let database = Database::migrated().await;
    let ends = "IF NEW.body = 'blocked' THEN RAISE EXCEPTION 'blocked'; END IF; \
         IF NEW.body = 'the end' THEN UPDATE rejoinder.history SET epoch = 'other'; END IF; \
         RETURN NEW;";
    rule(&database, "BEFORE INSERT", ends).await;
    let store = database.store().await;
    let batch = [
        send(T, "a", 1, "blocked"),
        send(T, "a", 2, "the end"),
        send(T, "a", 3, "too late"),
    ];
    let applied = apply(&store, &batch).await.unwrap();
    assert!(applied.epoch.as_str().starts_with("other."));
    assert_eq!(code(&applied.outcomes[2]), ErrorCode::Internal);
    let stored = "SELECT string_agg(body, ',') FROM messages";
    let stored = database.session().await.query_one(stored, &[]).await;
    assert_eq!(stored.unwrap().get::<_, &str>(0), "the end");
}

/// A proxy before a server, which can lose an answer.
struct Proxy {
    url: String,
    swallow: Arc<std::sync::atomic::AtomicBool>,
}

impl Proxy {
    async fn start(url: &str) -> Self {
        use std::sync::atomic::{AtomicBool, Ordering};
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        use tokio::net::{TcpListener, TcpStream};
        let (head, database) = url.rsplit_once('/').unwrap();
        let (_, server) = head.rsplit_once('@').unwrap();
        let server = server.to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let swallow = Arc::new(AtomicBool::new(false));
        let swallows = Arc::clone(&swallow);
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let mut server = TcpStream::connect(&server).await.unwrap();
                let swallows = Arc::clone(&swallows);
                tokio::spawn(async move {
                    let (mut asked, mut answered) = ([0; 65536], [0; 65536]);
                    loop {
                        tokio::select! {
                            read = client.read(&mut asked) => match read {
                                Ok(length) if length > 0 => {
                                    let asked = &asked[..length];
                                    let ends = asked.windows(7).any(|words| words == b"COMMIT\0");
                                    server.write_all(asked).await.unwrap();
                                    if ends && swallows.swap(false, Ordering::Relaxed) {
                                        // The server answers this, and nobody hears it.
                                        let _ = server.read(&mut answered).await;
                                        tokio::time::sleep(Duration::from_millis(200)).await;
                                        return;
                                    }
                                }
                                _ => return,
                            },
                            read = server.read(&mut answered) => match read {
                                Ok(length) if length > 0 => {
                                    if client.write_all(&answered[..length]).await.is_err() {
                                        return;
                                    }
                                }
                                _ => return,
                            },
                        }
                    }
                });
            }
        });
        Self {
            url: format!("postgres://postgres@{address}/{database}"),
            swallow,
        }
    }

    /// The answer to the next commit is lost, with its connection.
    fn swallow_after_commit(&self) {
        self.swallow
            .store(true, std::sync::atomic::Ordering::Relaxed);
    }
}
