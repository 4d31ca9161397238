//! Tables that are there already, with rows in them.

use std::time::Duration;

use rejoinder_protocol::{Revision, SequenceNumber, Since};

use super::{Database, apply};
use crate::store::contract::ack;
use crate::store::postgres::{OpenError, ParticipantsTable, PostgresStore, Renamed, print};
use crate::store::{Command, Content, NewMessage, Read, Reader, Store};

const A: &str = "aaaaaaaa-0000-4000-8000-000000000001";
const B: &str = "bbbbbbbb-0000-4000-8000-000000000002";
const THREAD: &str = "cccccccc-0000-4000-8000-000000000003";

/// An application's tables, of which nothing is called as it would be here.
const APP: &str = "CREATE TABLE people (id uuid PRIMARY KEY); \
     INSERT INTO people VALUES ('aaaaaaaa-0000-4000-8000-000000000001'), \
     ('bbbbbbbb-0000-4000-8000-000000000002'); \
     CREATE TABLE dm_threads (id uuid PRIMARY KEY, person_a uuid REFERENCES people, \
     person_b uuid REFERENCES people); \
     INSERT INTO dm_threads VALUES ('cccccccc-0000-4000-8000-000000000003', \
     'aaaaaaaa-0000-4000-8000-000000000001', 'bbbbbbbb-0000-4000-8000-000000000002'); \
     CREATE TABLE dms (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), \
     thread uuid NOT NULL REFERENCES dm_threads ON DELETE CASCADE, \
     author uuid REFERENCES people ON DELETE SET NULL, text varchar(4000) NOT NULL, \
     created timestamptz NOT NULL DEFAULT now(), read_at timestamptz)";

fn app(mut database: Database) -> Database {
    let tables = &mut database.tables;
    tables.messages = "dms".parse().unwrap();
    for renamed in [
        "thread_id=thread",
        "sender_id=author",
        "body=text",
        "created_at=created",
    ] {
        tables.rename(renamed.parse::<Renamed>().unwrap());
    }
    tables.participants = Some(ParticipantsTable {
        table: "dm_threads".parse().unwrap(),
        thread_id: "id".parse().unwrap(),
        user_ids: vec!["person_a".parse().unwrap(), "person_b".parse().unwrap()],
    });
    database
}

fn message(thread_id: &str, sender: &str, number: u128) -> Command {
    let id = |number| uuid::Uuid::from_u128(number);
    Command::Send(NewMessage {
        thread_id: thread_id.parse().unwrap(),
        sender_id: sender.parse().unwrap(),
        client_msg_id: rejoinder_protocol::ClientMsgId::new(id(number)),
        server_msg_id: id(number + 1_000_000).into(),
        body: format!("gateway {number}"),
        attachments: Vec::new(),
        create_dev_pair: false,
    })
}

async fn history(store: &PostgresStore, reader: &str, thread_id: &str) -> Vec<String> {
    let read = Read::History {
        reader: Reader::User(reader.parse().unwrap()),
        thread_id: thread_id.parse().unwrap(),
        before: SequenceNumber::try_from(1_000_000).unwrap(),
        limit: 200,
    };
    let Content::History(page) = store.read(read).await.unwrap().content else {
        panic!("not history");
    };
    page.messages.into_iter().map(|one| one.body).collect()
}

#[tokio::test]
async fn an_application_moves_in_with_its_own_names_and_types() {
    let database = app(Database::empty());
    let session = database.session().await;
    session.batch_execute(APP).await.unwrap();
    let rows = format!(
        "INSERT INTO dms (thread, author, text, created) VALUES \
         ('{THREAD}', '{B}', 'second', '2025-01-02'), ('{THREAD}', '{A}', 'first', '2025-01-01')"
    );
    session.batch_execute(&rows).await.unwrap();
    let unprepared = PostgresStore::open(database.connector(), &database.tables, 1).await;
    assert!(matches!(unprepared, Err(OpenError::NotMigrated)));
    assert_eq!(database.migrate().await.unwrap().threads, 1);
    assert_eq!(database.migrate().await.unwrap().threads, 0);
    let store = database.store().await;
    assert_eq!(history(&store, B, THREAD).await, ["first", "second"]);
    let batch = [message(THREAD, A, 7)];
    let applied = apply(&store, &batch).await.unwrap();
    let ack = ack(&applied.outcomes[0]);
    // Two people, two old messages, and this one.
    assert_eq!((ack.sequence_number.get(), ack.revision.get()), (3, 5));
    let stored = "SELECT text FROM dms WHERE sequence_number = 3 AND author = $1::text::uuid";
    assert_eq!(
        session
            .query_one(stored, &[&A])
            .await
            .unwrap()
            .get::<_, &str>(0),
        "gateway 7"
    );
    // Threads that this table could not hold do not exist, and cannot be made.
    let odd = [message("not-a-uuid", A, 8)];
    let odd = apply(&store, &odd).await.unwrap();
    assert_eq!(
        crate::store::contract::code(&odd.outcomes[0]).as_str(),
        "not_found"
    );
}

#[tokio::test]
async fn what_the_reference_left_is_replaced() {
    let database = Database::empty();
    let session = database.session().await;
    session
        .batch_execute(
            "CREATE TABLE messages (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), \
             thread_id uuid NOT NULL, sender_id uuid NOT NULL, body text NOT NULL, \
             created_at timestamptz NOT NULL DEFAULT now(), sequence_number bigint NOT NULL, \
             client_msg_id text); \
             CREATE UNIQUE INDEX dedup ON messages (thread_id, client_msg_id) \
             WHERE client_msg_id IS NOT NULL; \
             CREATE FUNCTION set_sequence_number() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
             SELECT coalesce(max(sequence_number), 0) + 2 INTO NEW.sequence_number FROM messages \
             WHERE thread_id = NEW.thread_id; RETURN NEW; END $$; \
             CREATE TRIGGER set_sequence_number BEFORE INSERT ON messages FOR EACH ROW \
             EXECUTE FUNCTION set_sequence_number()",
        )
        .await
        .unwrap();
    let insert = format!(
        "INSERT INTO messages (thread_id, sender_id, body, client_msg_id, created_at) VALUES \
         ('{THREAD}', '{A}', 'one', '00000000-0000-4000-8000-000000000001', '2025-01-02'), \
         ('{THREAD}', '{B}', 'two', 'not a uuid', '2025-01-01')"
    );
    session.batch_execute(&insert).await.unwrap();
    database.migrate().await.unwrap();
    session
        .batch_execute(
            &insert
                .replace("one", "three")
                .replace("two", "four")
                .replace("00000001'", "00000002'")
                .replace("not a uuid", "nor this"),
        )
        .await
        .unwrap();
    let store = database.store().await;
    // By their numbers, which count for more than their times; dense from now on.
    assert_eq!(
        history(&store, A, THREAD).await,
        ["one", "two", "three", "four"]
    );
    let numbers = "SELECT array_agg(sequence_number ORDER BY sequence_number) FROM messages";
    let numbers: Vec<i64> = session.query_one(numbers, &[]).await.unwrap().get(0);
    assert_eq!(numbers, [1, 2, 3, 4]);
    let left = "SELECT count(*) FROM pg_indexes WHERE indexname = 'dedup'";
    assert_eq!(
        session.query_one(left, &[]).await.unwrap().get::<_, i64>(0),
        0
    );
    // Who moved in with a key gets the original answer.
    let resend = [Command::Send(NewMessage {
        thread_id: THREAD.parse().unwrap(),
        sender_id: A.parse().unwrap(),
        client_msg_id: "00000000-0000-4000-8000-000000000001".parse().unwrap(),
        server_msg_id: uuid::Uuid::from_u128(5).into(),
        body: "one".to_owned(),
        attachments: Vec::new(),
        create_dev_pair: false,
    })];
    let applied = apply(&store, &resend).await.unwrap();
    let original = ack(&applied.outcomes[0]);
    assert_eq!(
        (original.sequence_number.get(), original.duplicate),
        (1, true)
    );
}

#[tokio::test]
async fn a_hundred_thousand_rows_are_numbered_while_somebody_writes() {
    let database = Database::empty();
    let session = database.session().await;
    session
        .batch_execute(
            "CREATE TABLE messages (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), \
             thread_id uuid NOT NULL, sender_id uuid NOT NULL, body text NOT NULL, \
             created_at timestamptz NOT NULL DEFAULT clock_timestamp()); \
             INSERT INTO messages (thread_id, sender_id, body, created_at) \
             SELECT ('00000000-0000-4000-8000-' || lpad((n % 500)::text, 12, '0'))::uuid, \
             ('00000000-0000-4000-9000-' || lpad((n % 2)::text, 12, '0'))::uuid, n::text, \
             timestamptz '2025-01-01' + n * interval '1 second' FROM generate_series(1, 100000) AS n",
        )
        .await
        .unwrap();
    let writing = database.session().await;
    let (stop, mut stopped) = tokio::sync::oneshot::channel::<()>();
    let writer = tokio::spawn(async move {
        let mut written = 0_i64;
        while stopped.try_recv().is_err() {
            let insert = "INSERT INTO messages (thread_id, sender_id, body) SELECT \
                 ('00000000-0000-4000-8000-' || lpad((n % 500)::text, 12, '0'))::uuid, \
                 '00000000-0000-4000-9000-000000000000', 'late ' || n::text \
                 FROM generate_series($1::bigint, $1::bigint + 2) AS n";
            writing.execute(insert, &[&(written * 37)]).await.unwrap();
            let edit = "UPDATE messages SET body = body || '!' WHERE id = \
                 (SELECT id FROM messages TABLESAMPLE SYSTEM (1) LIMIT 1)";
            writing.execute(edit, &[]).await.unwrap();
            written += 1;
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        written
    });
    let migrated = database.migrate().await.unwrap();
    stop.send(()).unwrap();
    let written = writer.await.unwrap();
    assert!(written > 5, "{written} others wrote meanwhile");
    assert!(migrated.threads > 0);
    assert_eq!(database.migrate().await.unwrap().threads, 0);
    let store = database.store().await;
    let truth = "SELECT count(*), count(*) FILTER (WHERE NOT dense), \
         count(*) FILTER (WHERE NOT in_order) FROM (SELECT thread_id, \
         max(sequence_number) = count(*) AND count(DISTINCT sequence_number) = count(*) \
         AND min(sequence_number) = 1 AND max(sequence_number) = (SELECT sequence_number FROM \
         rejoinder.heads WHERE heads.thread_id = messages.thread_id::text) AS dense, \
         array_agg(id ORDER BY sequence_number) = array_agg(id ORDER BY created_at, sequence_number) \
         AS in_order FROM messages GROUP BY thread_id) AS threads";
    let truth = session.query_one(truth, &[]).await.unwrap();
    let truth: [i64; 3] = [truth.get(0), truth.get(1), truth.get(2)];
    assert_eq!(
        truth,
        [500, 0, 0],
        "threads, those with holes, those out of order"
    );
    let reader = "00000000-0000-4000-9000-000000000000";
    let page = Read::Page {
        user_id: reader.parse().unwrap(),
        thread_id: "00000000-0000-4000-8000-000000000004".parse().unwrap(),
        since: Since::Nothing,
        to_revision: None,
    };
    let Content::Reset(reset, _) = store.read(page).await.unwrap().content else {
        panic!("no window");
    };
    assert!(reset.head_revision > Revision::try_from(200).unwrap());
}

#[tokio::test]
async fn a_row_that_is_being_deleted_takes_no_number() {
    let database = Database::migrated().await;
    let session = database.session().await;
    let rows = "SET session_replication_role = replica; \
         INSERT INTO messages (id, thread_id, sender_id, body) \
         SELECT n::text, 't' || n % 2, 'a', 'x' FROM generate_series(0, 9) AS n";
    session.batch_execute(rows).await.unwrap();
    let other = database.session().await;
    // In one thread a row between others, in the other the last.
    let delete = "BEGIN; DELETE FROM messages WHERE id IN ('2', '9')";
    other.batch_execute(delete).await.unwrap();
    let adopt = "SELECT rejoinder.adopt_thread('t0'), rejoinder.adopt_thread('t1')";
    let adopting = database.session().await;
    let (adopted, ()) = tokio::join!(adopting.batch_execute(adopt), async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        other.batch_execute("COMMIT").await.unwrap();
    });
    adopted.unwrap();
    let numbers = "SELECT string_agg(id || ':' || sequence_number, ' ' ORDER BY id), \
         (SELECT min(sequence_number) FROM rejoinder.heads), \
         (SELECT max(sequence_number) FROM rejoinder.heads) FROM messages";
    let numbers = session.query_one(numbers, &[]).await.unwrap();
    assert_eq!(numbers.get::<_, &str>(0), "0:1 1:1 3:2 4:2 5:3 6:3 7:4 8:4");
    assert_eq!((numbers.get::<_, i64>(1), numbers.get::<_, i64>(2)), (4, 4));
    database.store().await;
}

/// Threads of two people, with four rows each.
const TWO_THREADS: &str = "CREATE TABLE messages (id text PRIMARY KEY, thread_id text, \
     sender_id text, body text, created_at timestamptz DEFAULT now()); \
     INSERT INTO messages SELECT n::text, 'a|' || n % 2, 'p' || n % 4, 'x' \
     FROM generate_series(0, 7) AS n";

#[tokio::test]
async fn the_applications_triggers_run_while_old_rows_are_numbered() {
    let mut database = Database::empty();
    let session = database.session().await;
    session.batch_execute(TWO_THREADS).await.unwrap();
    let rules = "CREATE TABLE members (thread_id text, user_id text, \
         PRIMARY KEY (thread_id, user_id)); CREATE TABLE edits (id text); \
         CREATE FUNCTION before() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
         INSERT INTO members VALUES (NEW.thread_id, NEW.sender_id) ON CONFLICT DO NOTHING; \
         IF NEW.id = '3' THEN INSERT INTO messages VALUES ('log', NEW.thread_id, 'bot', 'y'); \
         END IF; RETURN NEW; END $$; \
         CREATE TRIGGER before BEFORE INSERT OR UPDATE ON messages FOR EACH ROW \
         EXECUTE FUNCTION before(); \
         CREATE FUNCTION after() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
         INSERT INTO edits VALUES (NEW.id); RETURN NULL; END $$; \
         CREATE TRIGGER after AFTER UPDATE ON messages FOR EACH ROW EXECUTE FUNCTION after()";
    session.batch_execute(rules).await.unwrap();
    database.tables.participants = Some(ParticipantsTable {
        table: "members".parse().unwrap(),
        thread_id: "thread_id".parse().unwrap(),
        user_ids: vec!["user_id".parse().unwrap()],
    });
    database.migrate().await.unwrap();
    let numbers = "SELECT string_agg(id || ':' || sequence_number, ' ' ORDER BY \
         thread_id, sequence_number), (SELECT count(*) FROM edits) FROM messages";
    let numbers = session.query_one(numbers, &[]).await.unwrap();
    assert_eq!(
        numbers.get::<_, &str>(0),
        "0:1 2:2 4:3 6:4 1:1 3:2 5:3 7:4 log:5"
    );
    assert_eq!(numbers.get::<_, i64>(1), 8);
    let revisions = "SELECT bool_and(dense) FROM (SELECT count(*) = count(DISTINCT revision) \
         AND max(revision) = (SELECT revision FROM rejoinder.heads AS head \
         WHERE head.thread_id = held.thread_id) AS dense FROM ( \
         SELECT thread_id, revision FROM messages UNION ALL \
         SELECT thread_id, revision FROM rejoinder.participants) AS held GROUP BY thread_id) AS all_of";
    let revisions = session.query_one(revisions, &[]).await.unwrap();
    assert!(revisions.get::<_, bool>(0));
    database.store().await;
}

#[tokio::test]
async fn where_the_applications_triggers_refuse_nothing_is_left_behind() {
    let database = Database::empty();
    let session = database.session().await;
    session.batch_execute(TWO_THREADS).await.unwrap();
    let rule = "CREATE FUNCTION rule() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
         RAISE EXCEPTION 'messages are immutable'; END $$; \
         CREATE TRIGGER rule BEFORE UPDATE ON messages FOR EACH ROW EXECUTE FUNCTION rule()";
    session.batch_execute(rule).await.unwrap();
    let refused = database.migrate().await.unwrap_err().to_string();
    assert!(refused.contains("messages are immutable"), "{refused}");
    let insert = "INSERT INTO messages VALUES ('8', 'a|0', 'p0', 'x')";
    session.batch_execute(insert).await.unwrap();
}

#[tokio::test]
async fn whoever_only_refers_to_a_row_is_not_waited_for() {
    let database = Database::migrated().await;
    let session = database.session().await;
    let rows = "SET session_replication_role = replica; \
         INSERT INTO messages (id, thread_id, sender_id, body) VALUES ('1', 't', 'a', 'x'); \
         CREATE TABLE reactions (message_id text REFERENCES messages)";
    session.batch_execute(rows).await.unwrap();
    let other = database.session().await;
    let react = "BEGIN; INSERT INTO reactions VALUES ('1')";
    other.batch_execute(react).await.unwrap();
    let adopt = "SET lock_timeout = '1s'; SELECT rejoinder.adopt_thread('t')";
    session.batch_execute(adopt).await.unwrap();
    other.batch_execute("COMMIT").await.unwrap();
}

#[tokio::test]
async fn the_printed_sql_does_the_same_in_one_transaction() {
    let database = app(Database::empty());
    let session = database.session().await;
    session.batch_execute(APP).await.unwrap();
    let row = format!("INSERT INTO dms (thread, author, text) VALUES ('{THREAD}', '{A}', 'one')");
    session.batch_execute(&row).await.unwrap();
    for _ in 0..2 {
        let printed = format!("BEGIN; {} COMMIT;", print(&database.tables));
        session.batch_execute(&printed).await.unwrap();
    }
    let store = database.store().await;
    assert_eq!(history(&store, B, THREAD).await, ["one"]);
}

#[tokio::test]
async fn a_table_that_is_not_one_of_messages_is_named() {
    let database = Database::empty();
    let session = database.session().await;
    let other = "CREATE TABLE messages (id bigint PRIMARY KEY, chat text, body text)";
    session.batch_execute(other).await.unwrap();
    let refused = database.migrate().await.unwrap_err().to_string();
    assert!(
        refused.contains("thread_id, sender_id, created_at"),
        "{refused}"
    );
    let numbers = "DROP TABLE messages; CREATE TABLE messages (id bigint PRIMARY KEY, \
         thread_id text, sender_id text, body text, created_at timestamptz)";
    session.batch_execute(numbers).await.unwrap();
    database.migrate().await.unwrap();
    let refused = PostgresStore::open(database.connector(), &database.tables, 1).await;
    let refused = refused.unwrap_err().to_string();
    assert!(
        refused.contains("the column id has the type bigint"),
        "{refused}"
    );
}
