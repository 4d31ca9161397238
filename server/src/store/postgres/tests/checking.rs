//! What is wrong with a database is named, and what to do about it.

use super::{Database, apply};
use crate::finding::{Finding, State};
use crate::store::contract::{T, send};
use crate::store::postgres::check;

async fn found(database: &Database) -> Vec<Finding> {
    check(&database.connector(), &database.tables).await
}

/// Names what is wrong.
async fn wrong(database: &Database) -> Vec<&'static str> {
    let found = found(database).await;
    found
        .into_iter()
        .filter(Finding::is_bad)
        .map(|one| one.name)
        .collect()
}

#[tokio::test]
async fn all_is_well_after_the_migration_and_the_first_message() {
    let database = Database::migrated().await;
    assert_eq!(wrong(&database).await, [""; 0]);
    let skipped = found(&database).await;
    let skipped = skipped
        .iter()
        .find(|one| matches!(one.state, State::Skipped(_)));
    assert_eq!(skipped.unwrap().name, "sequence_number trigger");
    let batch = [send(T, "a", 1, "one")];
    let store = database.store().await;
    apply(&store, &batch).await.unwrap();
    let all = found(&database).await;
    assert!(
        all.iter().all(|one| matches!(one.state, State::Good(_))),
        "{all:?}"
    );
}

#[tokio::test]
async fn each_thing_that_can_be_wrong_is_named_with_a_remedy() {
    for (sql, name) in [
        ("DROP SCHEMA rejoinder CASCADE", "migration 118"),
        (
            "ALTER TABLE messages DROP COLUMN client_msg_id CASCADE",
            "migration 118",
        ),
        (
            "ALTER TABLE messages ADD COLUMN workspace text NOT NULL DEFAULT 'x'; \
          ALTER TABLE messages ALTER workspace DROP DEFAULT",
            "columns",
        ),
        (
            "ALTER TABLE messages DISABLE TRIGGER zz_rejoinder_number",
            "triggers",
        ),
        ("DROP TRIGGER zz_rejoinder_deleted ON messages", "triggers"),
        (
            "DROP FUNCTION rejoinder.kept_out() CASCADE",
            "migration 118",
        ),
        (
            "CREATE TABLE copies (body text); CREATE RULE copy AS ON INSERT TO messages \
             DO ALSO INSERT INTO copies VALUES (NEW.body)",
            "statements",
        ),
        (
            "UPDATE messages SET edited_at = now(); \
             ALTER TABLE messages ALTER edited_at SET NOT NULL",
            "columns",
        ),
        (
            "DROP INDEX rejoinder_by_client_msg_id",
            "unique client_msg_id",
        ),
        (
            "ALTER TABLE messages DISABLE TRIGGER ALL; DELETE FROM messages WHERE body = 'one'; \
          ALTER TABLE messages ENABLE TRIGGER ALL",
            "dense sequence_number",
        ),
        (
            "DELETE FROM rejoinder.participants WHERE user_id = 'b' ",
            "participants",
        ),
        (
            "ALTER TABLE messages DISABLE TRIGGER ALL; INSERT INTO messages (thread_id, sender_id, \
          body) VALUES ('a|b', 'a', 'x'); ALTER TABLE messages ENABLE TRIGGER ALL",
            "migration 118",
        ),
    ] {
        let database = Database::migrated().await;
        let store = database.store().await;
        let batch = [send(T, "a", 1, "one"), send(T, "b", 2, "two")];
        apply(&store, &batch).await.unwrap();
        database.session().await.batch_execute(sql).await.unwrap();
        let wrong = wrong(&database).await;
        assert!(wrong.contains(&name), "{sql}: {wrong:?}");
    }
}

#[tokio::test]
async fn a_database_that_is_not_there_is_one_finding() {
    let mut database = Database::empty();
    database.url = database.url.replace("/test_", "/absent_");
    assert_eq!(wrong(&database).await, ["database"]);
}
