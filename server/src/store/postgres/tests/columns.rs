//! Columns of other types, and values that only PostgreSQL has.

use rejoinder_protocol::{ErrorCode, Message, SequenceNumber};

use super::foreign::{apply, changes, said};
use super::{Database, apply as batch, inbox};
use crate::store::contract::{T, ack, code, send};
use crate::store::postgres::{OpenError, PostgresStore};
use crate::store::{Content, Read, Reader, Store};

async fn messages(store: &PostgresStore) -> Vec<Message> {
    let read = Read::History {
        reader: Reader::User("a".parse().unwrap()),
        thread_id: T.parse().unwrap(),
        before: SequenceNumber::try_from(1_000_000).unwrap(),
        limit: 200,
    };
    let Content::History(page) = store.read(read).await.unwrap().content else {
        panic!("not history");
    };
    page.messages
}

#[tokio::test]
async fn a_moment_that_never_comes_keeps_nobody_from_reading() {
    let database = Database::migrated().await;
    let store = database.store().await;
    apply(&store, send(T, "a", 1, "one")).await;
    let odd = "INSERT INTO messages (thread_id, sender_id, body, created_at, edited_at) VALUES \
         ('a|b', 'b', 'two', 'infinity', NULL), ('a|b', 'b', 'three', '-infinity', 'infinity'); \
         DELETE FROM messages WHERE body = 'three'";
    let session = database.session().await;
    session.batch_execute(odd).await.unwrap();
    let shown = [(4, "2 two"), (6, "3 deleted")];
    assert_eq!(changes(&store, 3).await, said(&shown));
    let edit = "UPDATE messages SET edited_at = 'infinity' WHERE body = 'two'";
    session.batch_execute(edit).await.unwrap();
    let inbox = inbox(&store, "a").await;
    assert_eq!(inbox.threads[0].revision.get(), 7);
    // Also where such rows were there before.
    let all = "SET session_replication_role = replica; UPDATE messages SET revision = NULL; \
         DELETE FROM rejoinder.heads; DELETE FROM rejoinder.tombstones";
    session.batch_execute(all).await.unwrap();
    database.migrate().await.unwrap();
    assert_eq!(messages(&store).await.len(), 2);
}

#[tokio::test]
async fn moments_without_a_zone_are_utc_whoever_writes() {
    let database = Database::empty();
    let session = database.session().await;
    let table = "CREATE TABLE messages (id text PRIMARY KEY DEFAULT gen_random_uuid()::text, \
         thread_id text, sender_id text, body text, created_at timestamp); \
         SET TimeZone = 'America/New_York'";
    session.batch_execute(table).await.unwrap();
    database.migrate().await.unwrap();
    let store = database.store().await;
    apply(&store, send(T, "a", 1, "one")).await;
    let key = "'00000000-0000-0000-0000-000000000009'";
    let insert = format!(
        "INSERT INTO messages (thread_id, sender_id, body, created_at, client_msg_id) \
         VALUES ('a|b', 'b', 'two', '2026-01-01T00:00:00', {key})"
    );
    session.batch_execute(&insert).await.unwrap();
    let midnight = 1_767_225_600_000;
    assert_eq!(messages(&store).await[1].sent_at.get(), midnight);
    let resend = ack(&apply(&store, send(T, "b", 9, "two")).await);
    assert_eq!((resend.duplicate, resend.sent_at.get()), (true, midnight));
    session
        .batch_execute("DELETE FROM messages WHERE body = 'two'")
        .await
        .unwrap();
    assert_eq!(messages(&store).await[1].sent_at.get(), midnight);
}

#[tokio::test]
async fn an_id_is_never_cut_to_a_columns_length() {
    let database = Database::migrated().await;
    let session = database.session().await;
    let short = "ALTER TABLE messages ALTER sender_id TYPE varchar(5), \
         ALTER thread_id TYPE varchar(5), ALTER id TYPE varchar(36)";
    session.batch_execute(short).await.unwrap();
    let store = database.store().await;
    let commands = [
        send(T, "a", 1, "one"),
        send("a|longer", "a", 1, "two"),
        send("a|x", "longer", 1, "three"),
    ];
    let applied = batch(&store, &commands).await.unwrap();
    assert_eq!(ack(&applied.outcomes[0]).sequence_number.get(), 1);
    for refused in &applied.outcomes[1..] {
        assert_eq!(code(refused), ErrorCode::NotFound);
    }
    session.batch_execute("DELETE FROM messages").await.unwrap();
    for column in ["id", "client_msg_id"] {
        let short = format!("ALTER TABLE messages ALTER {column} TYPE varchar(35)");
        session.batch_execute(&short).await.unwrap();
        let refused = PostgresStore::open(database.connector(), &database.tables, 1).await;
        let refused = refused.unwrap_err();
        assert!(matches!(refused, OpenError::IdType { .. }), "{refused}");
        assert!(refused.to_string().contains("character varying(35)"));
        let long = format!("ALTER TABLE messages ALTER {column} TYPE text");
        session.batch_execute(&long).await.unwrap();
    }
}
