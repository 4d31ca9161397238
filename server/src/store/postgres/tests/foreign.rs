//! What others write with plain SQL, and how it is numbered.

use rejoinder_protocol::{Cursor, ErrorCode, Object, Revision, Since};

use super::{Database, inbox};
use crate::store::contract::{T, ack, code, send};
use crate::store::postgres::{ParticipantsTable, PostgresStore};
use crate::store::{Command, Content, Read, Store};

pub(super) async fn apply(store: &PostgresStore, command: Command) -> crate::store::Outcome {
    let applied = super::apply(store, &[command]).await;
    applied.unwrap().outcomes.remove(0).unwrap()
}

/// The thread's changes after a revision: each with its number and what it is now.
pub(super) async fn changes(store: &PostgresStore, after: u64) -> Vec<(u64, String)> {
    let cursor = Cursor {
        epoch: store.epoch().clone(),
        revision: Revision::try_from(after).unwrap(),
    };
    let read = Read::Page {
        user_id: "a".parse().unwrap(),
        thread_id: T.parse().unwrap(),
        since: Since::Cursor(cursor),
        to_revision: None,
    };
    let Content::Page(page, _) = store.read(read).await.unwrap().content else {
        panic!("not a page");
    };
    assert!(!page.more);
    let shown = |object: &Object| match object {
        Object::Message(one) if one.deleted => format!("{} deleted", one.sequence_number),
        Object::Message(one) => format!("{} {}", one.sequence_number, one.body),
        Object::Participant(one) => format!("{} {}", one.user_id, one.left_at.is_none()),
        Object::Unknown => panic!("unknown"),
    };
    let all = page.changes.iter();
    let all = all.map(|one| (one.revision().unwrap().get(), shown(one)));
    all.collect()
}

pub(super) fn said(changes: &[(u64, &str)]) -> Vec<(u64, String)> {
    changes
        .iter()
        .map(|(at, what)| (*at, (*what).to_owned()))
        .collect()
}

const INSERT: &str = "INSERT INTO messages (thread_id, sender_id, body) VALUES ";

#[tokio::test]
async fn rows_are_numbered_in_order_however_they_come() {
    let database = Database::migrated().await;
    let store = database.store().await;
    apply(&store, send(T, "a", 1, "one")).await;
    let session = database.session().await;
    let many = format!("{INSERT} ('a|b', 'b', 'two'), ('a|b', 'b', 'three'), ('x', 'x', 'else')");
    session.batch_execute(&many).await.unwrap();
    assert_eq!(
        changes(&store, 3).await,
        said(&[(4, "2 two"), (5, "3 three")])
    );
    let four = ack(&apply(&store, send(T, "a", 4, "four")).await);
    assert_eq!((four.sequence_number.get(), four.revision.get()), (4, 6));
    // Several rows of a thread in one statement, changed and deleted.
    let edit = "UPDATE messages SET body = upper(body) WHERE thread_id = 'a|b' AND sender_id = 'b'";
    session.batch_execute(edit).await.unwrap();
    assert_eq!(
        changes(&store, 6).await,
        said(&[(7, "2 TWO"), (8, "3 THREE")])
    );
    let delete = "DELETE FROM messages WHERE thread_id = 'a|b' AND sender_id = 'b'";
    session.batch_execute(delete).await.unwrap();
    assert_eq!(
        changes(&store, 8).await,
        said(&[(9, "2 deleted"), (10, "3 deleted")])
    );
    assert_eq!(
        ack(&apply(&store, send(T, "a", 5, "five")).await)
            .revision
            .get(),
        11
    );
    let cursor = changes(&store, 0).await;
    assert_eq!(cursor.len(), 7, "two people and five places: {cursor:?}");
}

#[tokio::test]
async fn what_is_not_stored_burns_no_number() {
    let database = Database::migrated().await;
    let store = database.store().await;
    apply(&store, send(T, "a", 1, "one")).await;
    let session = database.session().await;
    let key = "'00000000-0000-0000-0000-000000000009'";
    let with_key = format!(
        "INSERT INTO messages (id, thread_id, sender_id, body, client_msg_id) \
         VALUES ('same', 'a|b', 'b', 'two', {key})"
    );
    session.batch_execute(&with_key).await.unwrap();
    for conflict in [
        "",
        " (id)",
        " (thread_id, sender_id, client_msg_id) WHERE client_msg_id IS NOT NULL",
    ] {
        let again = format!("{with_key} ON CONFLICT{conflict} DO NOTHING");
        session.batch_execute(&again).await.unwrap();
    }
    session.batch_execute(&with_key).await.unwrap_err();
    let undone = format!("BEGIN; {INSERT} ('a|b', 'b', 'undone'); ROLLBACK");
    session.batch_execute(&undone).await.unwrap();
    let upsert = format!("{with_key} ON CONFLICT (id) DO UPDATE SET body = 'edited'");
    session.batch_execute(&upsert).await.unwrap();
    assert_eq!(changes(&store, 3).await, said(&[(5, "2 edited")]));
    let three = ack(&apply(&store, send(T, "a", 3, "three")).await);
    assert_eq!((three.sequence_number.get(), three.revision.get()), (3, 6));
    // Nothing that is shown has changed.
    session
        .batch_execute("UPDATE messages SET body = body")
        .await
        .unwrap();
    assert_eq!(changes(&store, 6).await, []);
    // The gateway answers a key that came by the other way.
    let resend = ack(&apply(&store, send(T, "b", 9, "two")).await);
    assert_eq!((resend.sequence_number.get(), resend.duplicate), (2, true));
}

#[tokio::test]
async fn numbers_cannot_be_chosen_nor_claimed_by_a_role_that_may_only_insert() {
    let database = Database::migrated().await;
    let store = database.store().await;
    apply(&store, send(T, "a", 1, "one")).await;
    let role = format!("limited_{}", uuid::Uuid::now_v7().simple());
    let owner = database.session().await;
    owner
        .batch_execute(&format!(
            "CREATE ROLE {role}; GRANT INSERT ON messages TO {role}; \
             ALTER TABLE messages ENABLE ROW LEVEL SECURITY; \
             CREATE POLICY own ON messages FOR INSERT TO {role} WITH CHECK (sender_id = 'b')"
        ))
        .await
        .unwrap();
    let limited = database.session().await;
    limited
        .batch_execute(&format!("SET ROLE {role}"))
        .await
        .unwrap();
    let forged = "INSERT INTO messages (thread_id, sender_id, body, sequence_number, revision) \
                  VALUES ('a|b', 'b', 'two', 999, 999)";
    limited.batch_execute(forged).await.unwrap();
    limited
        .batch_execute("SET rejoinder.writer = 'gateway'")
        .await
        .unwrap();
    limited.batch_execute(forged).await.unwrap();
    limited
        .batch_execute(&forged.replace("'b', 'two'", "'a', 'two'"))
        .await
        .unwrap_err();
    limited
        .batch_execute("SELECT rejoinder.leave_thread('a|b', 'a')")
        .await
        .unwrap_err();
    limited
        .batch_execute("SELECT FROM rejoinder.keys")
        .await
        .unwrap_err();
    assert_eq!(
        changes(&store, 3).await,
        said(&[(4, "2 two"), (5, "3 two")])
    );
    let moved =
        "UPDATE messages SET sequence_number = 1, revision = 1, body = 'x' WHERE body = 'two'";
    owner.batch_execute(moved).await.unwrap();
    assert_eq!(changes(&store, 5).await, said(&[(6, "2 x"), (7, "3 x")]));
    let elsewhere = owner
        .batch_execute("UPDATE messages SET thread_id = 'c|d'")
        .await;
    assert!(
        elsewhere
            .unwrap_err()
            .as_db_error()
            .unwrap()
            .message()
            .contains("keeps its thread")
    );
}

#[tokio::test]
async fn odd_rows_keep_nobody_from_reading() {
    let database = Database::migrated().await;
    let store = database.store().await;
    apply(&store, send(T, "a", 1, "one")).await;
    let odd = "INSERT INTO messages (id, thread_id, sender_id, body, attachments, created_at) VALUES \
         ('an id with spaces', 'a|b', 'not a user!', 'two', '{\"not\": \"a list\"}', '0001-01-01')";
    let session = database.session().await;
    session
        .batch_execute("ALTER TABLE messages ALTER sender_id DROP NOT NULL")
        .await
        .unwrap();
    session.batch_execute(odd).await.unwrap();
    let nobody = "INSERT INTO messages (thread_id, sender_id, body) VALUES ('a|b', NULL, 'three')";
    session.batch_execute(nobody).await.unwrap();
    session
        .batch_execute(&format!("{INSERT} ('a thread with spaces', 'a', 'x')"))
        .await
        .unwrap();
    // The odd writer takes part from now on, with a change that nobody can be shown.
    assert_eq!(
        changes(&store, 3).await,
        said(&[(5, "2 two"), (6, "3 three")])
    );
    let inbox = inbox(&store, "a").await;
    assert_eq!(inbox.threads.len(), 1);
}

#[tokio::test]
async fn who_takes_part_is_what_the_applications_table_says() {
    let mut database = Database::empty();
    let session = database.session().await;
    let table =
        "CREATE TABLE members (thread_id text, user_id text, PRIMARY KEY (thread_id, user_id))";
    session.batch_execute(table).await.unwrap();
    database.tables.participants = Some(ParticipantsTable {
        table: "members".parse().unwrap(),
        thread_id: "thread_id".parse().unwrap(),
        user_ids: vec!["user_id".parse().unwrap()],
    });
    session
        .batch_execute("INSERT INTO members VALUES ('a|b', 'a')")
        .await
        .unwrap();
    database.migrate().await.unwrap();
    let store = database.store().await;
    session
        .batch_execute("INSERT INTO members VALUES ('a|b', 'b')")
        .await
        .unwrap();
    assert_eq!(
        changes(&store, 0).await,
        said(&[(1, "a true"), (2, "b true")])
    );
    apply(&store, send(T, "b", 1, "one")).await;
    session
        .batch_execute("DELETE FROM members WHERE user_id = 'b'")
        .await
        .unwrap();
    assert_eq!(changes(&store, 3).await, said(&[(4, "b false")]));
    assert_eq!(
        code(&apply(&store, send(T, "b", 2, "two")).await),
        ErrorCode::NotFound
    );
    session
        .batch_execute("INSERT INTO members VALUES ('a|b', 'c')")
        .await
        .unwrap();
    session
        .batch_execute("UPDATE members SET user_id = 'b' WHERE user_id = 'c'")
        .await
        .unwrap();
    assert_eq!(
        changes(&store, 4).await,
        said(&[(6, "c false"), (7, "b true")])
    );
    assert!(!ack(&apply(&store, send(T, "b", 2, "two")).await).duplicate);
    let after = changes(&store, 7).await.len() as u64 + 7;
    session.batch_execute("TRUNCATE members").await.unwrap();
    let refused = apply(&store, send(T, "b", 3, "three")).await;
    assert_eq!(code(&refused), ErrorCode::NotFound);
    let left = "SELECT count(*) FROM rejoinder.participants WHERE left_at IS NULL";
    let left = session.query_one(left, &[]).await.unwrap();
    assert_eq!(left.get::<_, i64>(0), 0);
    let revision = "SELECT revision FROM rejoinder.heads";
    let revision = session.query_one(revision, &[]).await.unwrap();
    assert_eq!(revision.get::<_, i64>(0) as u64, after + 2);
}

#[tokio::test]
async fn an_emptied_table_begins_another_history() {
    let database = Database::migrated().await;
    let store = database.store().await;
    apply(&store, send(T, "a", 1, "one")).await;
    database
        .session()
        .await
        .batch_execute("TRUNCATE messages")
        .await
        .unwrap();
    let summary = Read::Summary {
        user_id: "a".parse().unwrap(),
        thread_id: T.parse().unwrap(),
    };
    let answer = store.read(summary).await.unwrap();
    assert_ne!(answer.epoch, *store.epoch());
}

#[tokio::test]
async fn nothing_is_stored_in_a_history_that_ended_while_it_waited() {
    let database = Database::migrated().await;
    let store = database.store().await;
    apply(&store, send(T, "a", 1, "one")).await;
    let other = database.session().await;
    other
        .batch_execute("BEGIN; LOCK TABLE messages")
        .await
        .unwrap();
    let batch = [send(T, "a", 2, "two")];
    let (applied, ()) = tokio::join!(super::apply(&store, &batch), async {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        let end = "TRUNCATE messages; COMMIT";
        // One of the two waits for the other in vain.
        if other.batch_execute(end).await.is_err() {
            other
                .batch_execute("ROLLBACK; TRUNCATE messages")
                .await
                .unwrap();
        }
    });
    let epoch = applied.as_ref().map(|applied| applied.epoch.clone());
    let stored = "SELECT count(*), (SELECT epoch FROM rejoinder.history) FROM messages";
    let stored = database
        .session()
        .await
        .query_one(stored, &[])
        .await
        .unwrap();
    assert_eq!(stored.get::<_, i64>(0), 0, "{applied:?} {epoch:?}");
}

#[tokio::test]
async fn a_row_that_becomes_a_message_later_keeps_its_key() {
    let database = Database::migrated().await;
    let store = database.store().await;
    apply(&store, send(T, "a", 1, "one")).await;
    let later = "ALTER TABLE messages ALTER thread_id DROP NOT NULL; \
         INSERT INTO messages (thread_id, sender_id, body, client_msg_id) VALUES \
         (NULL, 'b', 'two', '00000000-0000-0000-0000-000000000009'); \
         UPDATE messages SET thread_id = 'a|b' WHERE body = 'two'";
    database.session().await.batch_execute(later).await.unwrap();
    let resend = ack(&apply(&store, send(T, "b", 9, "two")).await);
    assert_eq!((resend.sequence_number.get(), resend.duplicate), (2, true));
}

#[tokio::test]
async fn a_thread_that_the_application_makes_is_told() {
    let mut database = Database::empty();
    let session = database.session().await;
    let table = "CREATE TABLE dm_threads (id text PRIMARY KEY, a text, b text)";
    session.batch_execute(table).await.unwrap();
    database.tables.participants = Some(ParticipantsTable {
        table: "dm_threads".parse().unwrap(),
        thread_id: "id".parse().unwrap(),
        user_ids: vec!["a".parse().unwrap(), "b".parse().unwrap()],
    });
    database.migrate().await.unwrap();
    let store = database.store().await;
    let mut heard = store.hear().unwrap();
    assert_eq!(heard.recv().await, Some(crate::store::Heard::Everything));
    let insert = "INSERT INTO dm_threads VALUES ('t', 'alice', 'bob')";
    session.batch_execute(insert).await.unwrap();
    let told = tokio::time::timeout(std::time::Duration::from_secs(5), heard.recv()).await;
    assert_eq!(
        told,
        Ok(Some(crate::store::Heard::Changed("t".parse().unwrap())))
    );
}
