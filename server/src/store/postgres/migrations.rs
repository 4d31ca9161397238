//! The schema: made, brought up to date, or printed.

use tokio_postgres::Client;

use super::tables::{NEEDED, Name, ParticipantsTable, Tables};
use super::{Connector, OpenError};

const BASE: &str = include_str!("../../../migrations/postgres/001_base.sql");
const MESSAGES: &str =
    include_str!("../../../migrations/postgres/118_add_message_ordering_and_dedup.sql");
const PARTICIPANTS: &str = include_str!("../../../migrations/postgres/118_participants.sql");

/// Another session's transaction is waited for so long at a time, so that nobody who comes after us
/// waits behind it for longer.
const LOCK_TIMEOUT: &str = "SET lock_timeout = '3s'";
/// So often.
const ATTEMPTS: u32 = 20;

/// Whether the newest version is there: what an older one lacks.
pub(super) const IS_PREPARED: &str = "(to_regclass('rejoinder.history') IS NOT NULL \
     AND to_regprocedure('rejoinder.kept_out()') IS NOT NULL)";

/// Where the application's triggers refuse that its rows are numbered, nothing is left behind.
const TRY_ONE: &str = "SAVEPOINT try_one; SELECT rejoinder.adopt_thread(thread) \
     FROM (SELECT thread FROM rejoinder.unadopted_threads() AS thread LIMIT 1) AS one; \
     ROLLBACK TO SAVEPOINT try_one;";

/// What a migration found to do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Migrated {
    /// Threads whose messages were numbered.
    pub threads: usize,
}

/// Returns the migrations as plain SQL, to be run in one transaction by whatever runs SQL.
#[must_use]
pub fn print(tables: &Tables) -> String {
    format!(
        "-- Written by `rejoinder-gateway migrate --print`. Run it as the owner of the table.\n\n\
         {}\n{}\n-- A number for every row that is there.\n\
         SELECT count(rejoinder.adopt_thread(thread))\n  \
         FROM rejoinder.unadopted_threads() AS thread;\n",
        BASE.trim_end(),
        messages(tables)
    )
}

/// Brings a database to the newest version. Safe to repeat, and while others write.
///
/// # Errors
///
/// [`OpenError`]; what was done stays, and the next call goes on from there.
pub async fn migrate(connector: &Connector, tables: &Tables) -> Result<Migrated, OpenError> {
    let client = connector.plain().await?;
    client.batch_execute(LOCK_TIMEOUT).await?;
    // Gateways and people may start this at the same time.
    let lock = "SELECT pg_advisory_lock(hashtext('rejoinder.migrate'))";
    attempts(async || client.batch_execute(lock).await).await?;
    in_one_transaction(&client, BASE).await?;
    let messages = format!("{}\n{TRY_ONE}", messages(tables));
    in_one_transaction(&client, &messages).await?;
    adopt(&client).await
}

/// Every thread in a transaction of its own, so that nobody waits for more than one.
async fn adopt(client: &Client) -> Result<Migrated, OpenError> {
    let mut threads = 0;
    loop {
        let found = "SELECT thread FROM rejoinder.unadopted_threads() AS thread";
        let found = client.query(found, &[]).await?;
        if found.is_empty() {
            return Ok(Migrated { threads });
        }
        let adopt = client.prepare("SELECT rejoinder.adopt_thread($1)").await?;
        for row in found {
            let thread: &str = row.try_get(0)?;
            attempts(async || client.execute(&adopt, &[&thread]).await.map(drop)).await?;
            threads += 1;
        }
    }
}

async fn in_one_transaction(client: &Client, sql: &str) -> Result<(), OpenError> {
    let sql = format!("BEGIN;\n{sql}\nCOMMIT;");
    attempts(async || {
        let result = client.batch_execute(&sql).await;
        if result.is_err() {
            client.batch_execute("ROLLBACK").await?;
        }
        result
    })
    .await
}

/// Tries again while somebody else holds a lock.
async fn attempts(
    mut step: impl AsyncFnMut() -> Result<(), tokio_postgres::Error>,
) -> Result<(), OpenError> {
    use tokio_postgres::error::SqlState;
    let mut attempt = 1;
    loop {
        match step().await {
            Ok(()) => return Ok(()),
            Err(error)
                if attempt < ATTEMPTS
                    && matches!(
                        error.code(),
                        Some(&SqlState::LOCK_NOT_AVAILABLE | &SqlState::T_R_DEADLOCK_DETECTED)
                    ) =>
            {
                tracing::info!("somebody else holds a lock; trying again");
                attempt += 1;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Returns the migration of the application's tables.
fn messages(tables: &Tables) -> String {
    let needed: Vec<_> = tables
        .columns()
        .take(NEEDED)
        .map(|(_, name)| name.text())
        .collect();
    let participants = tables
        .participants
        .as_ref()
        .map_or_else(Participants::unsaid, Participants::of);
    let filled = MESSAGES
        .replace("{{needed_columns_text}}", &needed.join(", "))
        .replace("{{participants_of_thread}}", &participants.of_thread)
        .replace("{{participants_declare}}", &participants.declare)
        .replace("{{unadopted_participants}}", &participants.unadopted)
        .replace("{{sender_joins}}", participants.sender_joins)
        .replace("{{participants_triggers}}", &participants.triggers);
    tables.fill(&filled)
}

/// Where nobody says who takes part, whoever writes does, unless they were removed.
const SENDER_JOINS: &str = "IF NEW.{{sender_id}} IS NOT NULL AND NOT EXISTS (
    SELECT FROM rejoinder.participants
     WHERE thread_id = NEW.{{thread_id}}::text AND user_id = NEW.{{sender_id}}::text
  ) THEN
    PERFORM rejoinder.join_thread(NEW.{{thread_id}}::text, NEW.{{sender_id}}::text);
  END IF;";

/// What the migration says of who takes part.
struct Participants {
    /// A query for the people of the thread `_typed`.
    of_thread: String,
    /// The thread `_thread`, as the participants' table writes it: `_listed`.
    declare: String,
    /// A query for threads that have people and are new here, to be added to another one.
    unadopted: String,
    sender_joins: &'static str,
    triggers: String,
}

impl Participants {
    /// No table says it.
    fn unsaid() -> Self {
        let of_thread =
            "SELECT {{sender_id}}::text AS person FROM {{messages}} WHERE {{thread_id}} = _typed";
        Self {
            of_thread: of_thread.to_owned(),
            declare: String::new(),
            unadopted: String::new(),
            sender_joins: SENDER_JOINS,
            triggers: String::new(),
        }
    }

    /// A table says it.
    fn of(said: &ParticipantsTable) -> Self {
        let ParticipantsTable {
            table,
            thread_id,
            user_ids,
        } = said;
        let each = |one: &dyn Fn(&Name) -> String, between: &str| {
            user_ids.iter().map(one).collect::<Vec<_>>().join(between)
        };
        let people = |user_id: &Name| {
            format!("SELECT {user_id}::text AS person FROM {table} WHERE {thread_id} = _listed")
        };
        Self {
            of_thread: each(&people, " UNION ALL "),
            declare: format!("_listed {table}.{thread_id}%TYPE := _thread;"),
            unadopted: format!(
                "\n  UNION\n  SELECT {thread_id}::text FROM {table} AS listed\n   \
                 WHERE {thread_id} IS NOT NULL AND NOT EXISTS (\n     \
                 SELECT FROM rejoinder.heads WHERE heads.thread_id = listed.{thread_id}::text\n   )"
            ),
            sender_joins: "",
            triggers: PARTICIPANTS
                .replace("{{participants}}", &table.to_string())
                .replace("{{participants_thread_id}}", &thread_id.to_string())
                .replace(
                    "{{participants_old}}",
                    &each(&|one| format!("OLD.{one}::text"), ", "),
                )
                .replace(
                    "{{participants_new}}",
                    &each(&|one| format!("NEW.{one}::text"), ", "),
                ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tables::text;
    use super::*;

    #[test]
    fn nothing_of_the_template_is_left() {
        let mut tables = Tables::default();
        assert!(!print(&tables).contains("{{"), "{}", print(&tables));
        tables.participants = Some(ParticipantsTable {
            table: "dm_threads".parse().unwrap(),
            thread_id: "id".parse().unwrap(),
            user_ids: vec!["user_a".parse().unwrap(), "user_b".parse().unwrap()],
        });
        let printed = print(&tables);
        assert!(!printed.contains("{{"), "{printed}");
        assert!(printed.contains("NEW.\"user_a\"::text, NEW.\"user_b\"::text"));
        assert!(printed.contains(&text(&tables.messages.to_string())));
    }
}
