//! What the application's own rules do to rows of the gateway's, in the gateway's session.

use rejoinder_protocol::{ErrorCode, Object, ServerMsgId};

use super::foreign::{apply, changes, said};
use super::{Database, rule};
use crate::finding::Finding;
use crate::store::contract::{T, ack, code, send};
use crate::store::postgres::{PostgresStore, check};
use crate::store::{Command, Outcome, SummaryChange};

fn id(number: u128) -> ServerMsgId {
    format!("a-b-a-{number}").parse().unwrap()
}

fn edit(number: u128, body: &str) -> Command {
    Command::Edit {
        thread_id: T.parse().unwrap(),
        user_id: "a".parse().unwrap(),
        server_msg_id: id(number),
        body: body.to_owned(),
    }
}

fn delete(number: u128) -> Command {
    Command::Tombstone {
        thread_id: T.parse().unwrap(),
        user_id: "a".parse().unwrap(),
        server_msg_id: id(number),
    }
}

async fn sound(database: &Database) -> PostgresStore {
    let found = check(&database.connector(), &database.tables).await;
    let wrong: Vec<_> = found.into_iter().filter(Finding::is_bad).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    database.store().await
}

#[tokio::test]
async fn what_a_cascade_deletes_leaves_tombstones() {
    let database = Database::migrated().await;
    let store = database.store().await;
    for number in 1..=3 {
        apply(&store, send(T, "a", number, "x")).await;
    }
    let replies = "ALTER TABLE messages ADD reply_to text REFERENCES messages ON DELETE CASCADE; \
         UPDATE messages SET reply_to = 'a-b-a-1' WHERE id = 'a-b-a-3'";
    database
        .session()
        .await
        .batch_execute(replies)
        .await
        .unwrap();
    apply(&store, delete(1)).await;
    assert_eq!(
        changes(&store, 5).await,
        said(&[(6, "1 deleted"), (7, "3 deleted")])
    );
    sound(&database).await;
}

#[tokio::test]
async fn what_a_trigger_inserts_is_numbered_after_the_gateways() {
    let database = Database::migrated().await;
    let answer = "IF NEW.body = 'ping' THEN INSERT INTO messages (thread_id, sender_id, body) \
         VALUES (NEW.thread_id, 'b', 'pong'); END IF; RETURN NULL;";
    rule(&database, "AFTER INSERT", answer).await;
    let store = database.store().await;
    let batch = [send(T, "a", 1, "ping"), send(T, "a", 2, "two")];
    super::apply(&store, &batch).await.unwrap();
    let three = ack(&apply(&store, send(T, "a", 3, "three")).await);
    assert_eq!(three.sequence_number.get(), 4);
    assert_eq!(
        changes(&store, 2).await,
        said(&[(3, "1 ping"), (4, "2 two"), (5, "3 pong"), (6, "4 three")])
    );
    sound(&database).await;
}

fn told(outcome: &Outcome) -> (Vec<String>, String) {
    let publication = outcome.publication.as_ref().unwrap();
    let bodies = publication.changes.iter();
    let bodies = bodies.filter_map(|change| match &change.object {
        Object::Message(message) => Some(message.body.clone()),
        Object::Participant(_) | Object::Unknown => None,
    });
    let preview = match &publication.summary {
        SummaryChange::Known(Some(preview)) => preview.body.clone(),
        SummaryChange::Known(None) | SummaryChange::Unknown => String::new(),
    };
    (bodies.collect(), preview)
}

#[tokio::test]
async fn what_a_trigger_makes_of_a_message_is_what_everybody_is_told() {
    let database = Database::migrated().await;
    let polite = "NEW.body := replace(NEW.body, 'rude', '****'); RETURN NEW;";
    rule(&database, "BEFORE INSERT OR UPDATE", polite).await;
    let store = database.store().await;
    let batch = [send(T, "a", 1, "fine"), send(T, "a", 2, "rude")];
    let applied = super::apply(&store, &batch).await.unwrap();
    let all = applied
        .outcomes
        .iter()
        .map(|one| told(one.as_ref().unwrap()));
    let expected = ["fine", "****"].map(|body| (vec![body.to_owned()], body.to_owned()));
    assert_eq!(all.collect::<Vec<_>>(), expected);
    let edited = apply(&store, edit(1, "so rude")).await;
    assert_eq!(told(&edited).0, ["so ****"]);
    assert_eq!(
        changes(&store, 2).await,
        said(&[(4, "2 ****"), (5, "1 so ****")])
    );
}

#[tokio::test]
async fn what_a_trigger_drops_without_a_word_is_refused_and_burns_no_number() {
    let database = Database::migrated().await;
    let drops = "IF TG_OP = 'DELETE' OR NEW.body = 'spam' THEN RETURN NULL; END IF; RETURN NEW;";
    rule(&database, "BEFORE INSERT OR UPDATE OR DELETE", drops).await;
    let store = database.store().await;
    let batch = [
        send(T, "a", 1, "one"),
        send(T, "a", 2, "spam"),
        send(T, "a", 3, "two"),
    ];
    let applied = super::apply(&store, &batch).await.unwrap();
    assert_eq!(code(&applied.outcomes[1]), ErrorCode::Forbidden);
    assert_eq!(ack(&applied.outcomes[2]).sequence_number.get(), 2);
    for command in [edit(1, "spam"), delete(1)] {
        assert_eq!(code(&apply(&store, command).await), ErrorCode::Forbidden);
    }
    let three = ack(&apply(&store, send(T, "a", 4, "three")).await);
    assert_eq!((three.sequence_number.get(), three.revision.get()), (3, 5));
    sound(&database).await;
}

#[tokio::test]
async fn rows_that_a_trigger_lets_nobody_change_are_not_half_numbered() {
    let database = Database::migrated().await;
    let rows = "SET session_replication_role = replica; INSERT INTO messages \
         (id, thread_id, sender_id, body) VALUES ('1', 'a|b', 'a', 'x'), ('2', 'a|b', 'b', 'y')";
    database.session().await.batch_execute(rows).await.unwrap();
    let fixed = "IF NEW.body = 'x' THEN RETURN NULL; END IF; RETURN NEW;";
    rule(&database, "BEFORE UPDATE", fixed).await;
    let refused = database.migrate().await.unwrap_err().to_string();
    assert!(refused.contains("a trigger kept the row out"), "{refused}");
    // The application goes on.
    let remedy = "DROP TRIGGER rule ON messages";
    database
        .session()
        .await
        .batch_execute(remedy)
        .await
        .unwrap();
    assert_eq!(database.migrate().await.unwrap().threads, 1);
    sound(&database).await;
}

#[tokio::test]
async fn nobody_can_claim_to_be_the_gateway() {
    let database = Database::migrated().await;
    let owner = database.session().await;
    let role = format!("limited_{}", uuid::Uuid::now_v7().simple());
    let sql = format!(
        "CREATE ROLE {role} LOGIN; CREATE TABLE threads (id text PRIMARY KEY); \
         INSERT INTO threads VALUES ('a|b'); \
         ALTER TABLE messages ADD FOREIGN KEY (thread_id) REFERENCES threads ON DELETE CASCADE; \
         GRANT SELECT, DELETE ON threads TO {role}; GRANT INSERT ON messages TO {role}; \
         ALTER TABLE messages DISABLE ROW LEVEL SECURITY; \
         CREATE SCHEMA theirs AUTHORIZATION {role}; \
         CREATE FUNCTION mine() RETURNS void LANGUAGE sql SECURITY DEFINER \
         AS 'DELETE FROM messages WHERE id = ''a-b-a-1'''"
    );
    owner.batch_execute(&sql).await.unwrap();
    let store = database.store().await;
    for number in 1..=2 {
        apply(&store, send(T, "a", number, "x")).await;
    }
    let mut theirs = Database::on(database.url.replace("postgres@", &format!("{role}@")));
    theirs.tables = database.tables.clone();
    let limited = theirs.session().await;
    limited
        .batch_execute("SELECT writer_key FROM rejoinder.history")
        .await
        .unwrap_err();
    // By a function that lends its owner's rights, by operators of their own, and by a cascade.
    let claims = "SET rejoinder.writer = 'gateway'; SELECT mine()";
    limited.batch_execute(claims).await.unwrap();
    assert_eq!(changes(&store, 4).await, said(&[(5, "1 deleted")]));
    let forged = "CREATE FUNCTION theirs.yes(text, text) RETURNS boolean LANGUAGE sql AS 'SELECT $2 <> '''''; \
         CREATE OPERATOR theirs.= (leftarg = text, rightarg = text, function = theirs.yes); \
         SET search_path = theirs, pg_catalog; \
         INSERT INTO public.messages (thread_id, sender_id, body, sequence_number, revision) \
         VALUES ('a|b', 'a', 'forged', 9, 9); RESET search_path";
    limited.batch_execute(forged).await.unwrap();
    assert_eq!(changes(&store, 5).await, said(&[(6, "3 forged")]));
    limited.batch_execute("DELETE FROM threads").await.unwrap();
    assert_eq!(
        changes(&store, 6).await,
        said(&[(7, "2 deleted"), (8, "3 deleted")])
    );
    sound(&database).await;
}

#[tokio::test]
async fn what_a_trigger_makes_unknowable_is_refused() {
    for (when, what) in [
        ("INSERT", "NEW.id := 'another'"),
        ("INSERT", "NEW.sender_id := 'another'"),
        ("INSERT", "NEW.client_msg_id := gen_random_uuid()"),
        ("INSERT", "NEW.revision := 99"),
        ("UPDATE", "NEW.revision := OLD.revision + 7"),
    ] {
        let database = Database::migrated().await;
        let what = format!("IF NEW.body = 'x' THEN {what}; END IF; RETURN NEW;");
        rule(&database, &format!("BEFORE {when}"), &what).await;
        let store = database.store().await;
        apply(&store, send(T, "a", 1, "one")).await;
        let command = match when {
            "INSERT" => send(T, "a", 2, "x"),
            _ => {
                apply(&store, send(T, "a", 2, "two")).await;
                edit(1, "x")
            }
        };
        let answer = code(&apply(&store, command).await);
        assert_eq!(answer, ErrorCode::Forbidden, "{when} {what}");
        apply(&store, send(T, "a", 3, "three")).await;
        sound(&database).await;
    }
}

#[tokio::test]
async fn an_edit_leaves_alone_what_the_application_attached() {
    let database = Database::migrated().await;
    let store = database.store().await;
    apply(&store, send(T, "a", 1, "one")).await;
    let attach = "ALTER TABLE messages ALTER attachments SET DEFAULT '[]'; \
         UPDATE messages SET attachments = '[{\"path\": \"a.png\"}]'; \
         ALTER TABLE messages ALTER attachments SET NOT NULL";
    database
        .session()
        .await
        .batch_execute(attach)
        .await
        .unwrap();
    // Also where the column must not be null.
    let store = database.store().await;
    apply(&store, edit(1, "edited")).await;
    apply(&store, send(T, "a", 2, "two")).await;
    let attached =
        "SELECT string_agg(attachments::text, ' ' ORDER BY sequence_number) FROM messages";
    let session = database.session().await;
    let attached = session.query_one(attached, &[]).await.unwrap();
    assert_eq!(attached.get::<_, &str>(0), "[{\"path\": \"a.png\"}] []");
    assert_eq!(
        changes(&store, 4).await,
        said(&[(5, "1 edited"), (6, "2 two")])
    );
}

#[tokio::test]
async fn a_batch_reads_what_was_committed_before_its_lock_whatever_the_default_is() {
    let database = Database::migrated().await;
    let sql = "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_isolation \
         TO ''serializable''', current_database()); END $$; CREATE TABLE seen (isolation text)";
    database.session().await.batch_execute(sql).await.unwrap();
    let note = "INSERT INTO seen VALUES (current_setting('transaction_isolation')); RETURN NULL;";
    rule(&database, "AFTER INSERT", note).await;
    let store = database.store().await;
    apply(&store, send(T, "a", 1, "one")).await;
    let seen = "SELECT isolation FROM seen";
    let seen = database.session().await.query_one(seen, &[]).await.unwrap();
    assert_eq!(seen.get::<_, &str>(0), "read committed");
}
