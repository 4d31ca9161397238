//! Is the database as it should be? One finding for each thing that can be wrong with it.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio_postgres::Client;

use super::batch;
use super::migrations::IS_PREPARED;
use super::statements::{EPOCH, Statements};
use super::tables::{COLUMNS, Tables};
use super::{Connector, OpenError, fault, listener};
use crate::finding::Finding;
use crate::store::Heard;

/// Looks at every row of a large table, which takes its time.
const PATIENCE: &str = "SET statement_timeout = '5min'; SET lock_timeout = '2s'; \
     SET TimeZone = 'UTC'; SET default_transaction_read_only = off";
/// News that take longer do not come.
const NEWS_TIMEOUT: Duration = Duration::from_secs(5);

const MIGRATE: &str = "run `rejoinder-gateway migrate`, as the owner of the table";

/// Looks at everything that a gateway needs of a database.
pub async fn check(connector: &Connector, tables: &Tables) -> Vec<Finding> {
    let mut findings = Vec::new();
    let client = match database(connector).await {
        Ok((client, finding)) => {
            findings.push(finding);
            client
        }
        Err(finding) => return vec![finding],
    };
    let checking = Checking { client, tables };
    findings.push(checking.writable().await);
    let migration = checking.migration().await;
    let is_migrated = !migration.is_bad();
    findings.push(migration);
    if is_migrated {
        findings.push(checking.columns().await);
        findings.push(checking.statements().await);
        findings.push(checking.rights().await);
        findings.push(checking.triggers().await);
        findings.push(checking.numbering().await);
        findings.push(checking.keys().await);
        findings.push(checking.numbers().await);
        findings.push(checking.participants().await);
        findings.push(checking.epoch().await);
    }
    findings.push(news(connector, &checking.client).await);
    findings
}

async fn database(connector: &Connector) -> Result<(Client, Finding), Finding> {
    const NAME: &str = "database";
    let refused = |error: tokio_postgres::Error| {
        let remedy = "check --database: host, port, user and password, and that this machine may \
                      connect; Supabase shows the URL under Connect";
        Finding::bad(NAME, fault::words(&error), remedy)
    };
    let client = connector.plain().await.map_err(refused)?;
    client.batch_execute(PATIENCE).await.map_err(refused)?;
    let version = "SELECT current_setting('server_version'), \
                   current_setting('server_version_num')::integer";
    let row = client.query_one(version, &[]).await.map_err(refused)?;
    let version: String = row.try_get(0).map_err(refused)?;
    if row.try_get::<_, i32>(1).map_err(refused)? < 140_000 {
        let remedy = "use PostgreSQL 14 or later";
        return Err(Finding::bad(NAME, format!("PostgreSQL {version}"), remedy));
    }
    let finding = Finding::good(NAME, format!("PostgreSQL {version}"));
    Ok((client, finding))
}

/// Are changes heard? A pooler of transactions, between here and the server, swallows them.
async fn news(connector: &Connector, client: &Client) -> Finding {
    const NAME: &str = "news of what others write";
    const REMEDY: &str = "connect directly or by a pooler of sessions (Supabase: port 5432): a \
                          pooler of transactions (port 6543) breaks LISTEN";
    let (tell, mut heard) = mpsc::channel(16);
    let listening = tokio::spawn(listener::listen(connector.clone(), tell));
    let waiting = async {
        // Whoever listens says so, and then hears of a thread that nobody else would name.
        let listens = heard.recv().await == Some(Heard::Everything);
        let told = "NOTIFY rejoinder, 'rejoinder-check'";
        if !listens || client.batch_execute(told).await.is_err() {
            return false;
        }
        while let Some(heard) = heard.recv().await {
            if matches!(&heard, Heard::Changed(thread) if thread.as_str() == "rejoinder-check") {
                return true;
            }
        }
        false
    };
    let is_heard = tokio::time::timeout(NEWS_TIMEOUT, waiting).await;
    listening.abort();
    match is_heard {
        Ok(true) => Finding::good(NAME, "LISTEN works"),
        Ok(false) | Err(_) => Finding::bad(NAME, "LISTEN does not work", REMEDY),
    }
}

struct Checking<'a> {
    client: Client,
    tables: &'a Tables,
}

impl Checking<'_> {
    /// Asks for one text; none if it is null, or not there.
    async fn text(&self, sql: &str) -> Result<Option<String>, tokio_postgres::Error> {
        let row = self.client.query_opt(&self.tables.fill(sql), &[]).await?;
        row.map_or(Ok(None), |row| row.try_get(0))
    }

    /// A query for what is wrong, as one text; none if nothing is.
    async fn nothing_wrong(
        &self,
        name: &'static str,
        sql: &str,
        good: &str,
        remedy: &str,
    ) -> Finding {
        match self.text(sql).await {
            Ok(None) => Finding::good(name, good),
            Ok(Some(problem)) => Finding::bad(name, problem, remedy),
            Err(error) => failed(name, &error),
        }
    }

    async fn writable(&self) -> Finding {
        let sql = "SELECT CASE WHEN pg_is_in_recovery() THEN 'it is a standby, which only reads' \
                   WHEN current_setting('transaction_read_only') = 'on' THEN 'it only reads' END";
        let remedy = "connect to the primary server";
        self.nothing_wrong("writes", sql, "accepted", remedy).await
    }

    async fn migration(&self) -> Finding {
        const NAME: &str = "migration 118";
        match Statements::new(&self.client, self.tables).await {
            Ok(_) => {}
            Err(error @ OpenError::IdType { .. }) => {
                let remedy = "make the ids uuid or text, or name another column that is, with \
                              --message-column";
                return Finding::bad(NAME, error.to_string(), remedy);
            }
            Err(error) => return Finding::bad(NAME, error.to_string(), MIGRATE),
        }
        let sql = format!(
            "SELECT CASE WHEN NOT {IS_PREPARED} \
             THEN 'the schema rejoinder is not there or not complete' \
             WHEN EXISTS (SELECT FROM rejoinder.unadopted_threads()) \
             THEN 'rows have no number yet' END"
        );
        self.nothing_wrong(NAME, &sql, "complete", MIGRATE).await
    }

    /// Would an insert of ours be complete?
    async fn columns(&self) -> Finding {
        let written = self
            .tables
            .columns()
            .filter(|(ours, _)| *ours != "edited_at");
        let written: Vec<_> = written.map(|(_, name)| name.text()).collect();
        let sql = format!(
            "SELECT 'the columns ' || string_agg(attname, ', ') || ' have no default and must not \
             be null' FROM pg_attribute WHERE attrelid = {{{{messages_text}}}}::regclass \
             AND attnum > 0 AND NOT attisdropped AND attnotnull AND NOT atthasdef \
             AND attidentity = '' AND attname NOT IN ({})",
            written.join(", ")
        );
        let remedy = "give them a default: the gateway does not know what belongs there";
        let good = format!("{} known, no other needed", COLUMNS.len());
        self.nothing_wrong("columns", &sql, &good, remedy).await
    }

    /// Would the database take what the gateway writes?
    async fn statements(&self) -> Finding {
        const NAME: &str = "statements";
        let Ok(statements) = Statements::new(&self.client, self.tables).await else {
            return Finding::bad(NAME, "the columns cannot be used", MIGRATE);
        };
        match batch::Prepared::new(&self.client, &statements).await {
            Ok(_) => Finding::good(NAME, "the database takes them"),
            Err(error) => {
                let remedy = "grant the rights that are missing; turn rules (CREATE RULE) of the \
                              table into triggers";
                Finding::bad(NAME, fault::words(&error), remedy)
            }
        }
    }

    async fn rights(&self) -> Finding {
        let sql = "SELECT string_agg(wanted.privilege || ' on ' || wanted.relation, ', ') \
             FROM (SELECT relation, unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) \
             AS privilege FROM unnest(ARRAY[{{messages_text}}, 'rejoinder.history', \
             'rejoinder.heads', \
             'rejoinder.participants', 'rejoinder.keys', 'rejoinder.tombstones']) AS relation) \
             AS wanted WHERE NOT has_table_privilege(wanted.relation, wanted.privilege)";
        let remedy = "grant them to the gateway's user, or let it be the owner";
        match self.text(sql).await {
            Ok(None) => {}
            Ok(Some(missing)) => {
                return Finding::bad("rights", format!("missing: {missing}"), remedy);
            }
            Err(error) => return failed("rights", &error),
        }
        let sql = "SELECT CASE WHEN row_security_active({{messages_text}}) \
                   THEN 'row-level security hides rows from the gateway' END";
        let remedy = "let the gateway's user own the table, or give it BYPASSRLS";
        self.nothing_wrong("rights", sql, "sufficient", remedy)
            .await
    }

    async fn triggers(&self) -> Finding {
        let mut wanted = vec!["('zz_rejoinder_number', {{messages_text}})".to_owned()];
        for trigger in ["numbered", "deleted", "truncated"] {
            wanted.push(format!("('zz_rejoinder_{trigger}', {{{{messages_text}}}})"));
        }
        if let Some(participants) = &self.tables.participants {
            let table = participants.table.text();
            for trigger in ["participants", "participants_truncated"] {
                wanted.push(format!("('zz_rejoinder_{trigger}', {table})"));
            }
        }
        let sql = format!(
            "SELECT string_agg(name || ' is ' || CASE WHEN tgname IS NULL THEN 'missing' \
             ELSE 'disabled' END, ', ') FROM (VALUES {}) AS wanted (name, relation) \
             LEFT JOIN pg_trigger ON tgname = name AND tgrelid = to_regclass(relation) \
             WHERE tgname IS NULL OR tgenabled NOT IN ('O', 'A')",
            wanted.join(", ")
        );
        self.nothing_wrong("triggers", &sql, "in place", MIGRATE)
            .await
    }

    /// Tries it, and undoes it.
    async fn numbering(&self) -> Finding {
        const NAME: &str = "sequence_number trigger";
        let sample = "SELECT {{thread_id}}::text FROM {{messages}} \
                      WHERE {{revision}} IS NOT NULL AND {{sender_id}} IS NOT NULL LIMIT 1";
        let sample = match self.client.query_opt(&self.tables.fill(sample), &[]).await {
            Ok(Some(row)) => row.try_get::<_, String>(0),
            Ok(None) => return Finding::skipped(NAME, "there is no message yet to try it with"),
            Err(error) => Err(error),
        };
        let tried = async {
            let thread: String = sample?;
            self.client.batch_execute("BEGIN").await?;
            let insert = "INSERT INTO {{messages}} ({{id}}, {{thread_id}}, {{sender_id}}, {{body}}) \
                 SELECT gen_random_uuid()::text::[type], {{thread_id}}, {{sender_id}}, 'a check' \
                 FROM {{messages}} WHERE {{thread_id}}::text = $1 AND {{revision}} IS NOT NULL \
                 AND {{sender_id}} IS NOT NULL LIMIT 1 RETURNING {{sequence_number}}::bigint = \
                 (SELECT sequence_number + 1 FROM rejoinder.heads WHERE thread_id = $1)";
            let id_type = self.text(
                "SELECT format_type(atttypid, -1) FROM pg_attribute \
                 WHERE attrelid = {{messages_text}}::regclass AND attname = {{id_text}}",
            );
            let insert = insert.replace("[type]", &id_type.await?.unwrap_or_default());
            let insert = self.tables.fill(&insert);
            self.client
                .query_one(&insert, &[&thread])
                .await?
                .try_get::<_, Option<bool>>(0)
        };
        let tried = tried.await;
        let undone = self.client.batch_execute("ROLLBACK").await;
        match (tried, undone) {
            (Ok(Some(true)), Ok(())) => Finding::good(NAME, "a row inserted by SQL is numbered"),
            (Ok(_), Ok(())) => {
                let problem = "a row inserted by SQL got no number, or a wrong one";
                Finding::bad(NAME, problem, MIGRATE)
            }
            (Err(error), _) | (_, Err(error)) => failed(NAME, &error),
        }
    }

    async fn keys(&self) -> Finding {
        let sql = "SELECT CASE WHEN NOT EXISTS (SELECT FROM pg_index \
             WHERE indrelid = {{messages_text}}::regclass AND indisunique AND indisvalid \
             AND indexrelid::regclass::text LIKE '%rejoinder_by_client_msg_id') \
             THEN 'the unique index on (thread_id, sender_id, client_msg_id) is missing' \
             WHEN EXISTS (SELECT FROM {{messages}} WHERE {{client_msg_id}} IS NOT NULL \
             GROUP BY {{thread_id}}, {{sender_id}}, {{client_msg_id}} HAVING count(*) > 1) \
             THEN 'messages of one sender share a client_msg_id' END";
        let remedy = "run `rejoinder-gateway migrate`; make client_msg_id unique per message";
        self.nothing_wrong(
            "unique client_msg_id",
            sql,
            "guarded by a unique index",
            remedy,
        )
        .await
    }

    /// Are numbers dense from 1, and is the head the newest?
    async fn numbers(&self) -> Finding {
        let sql = "SELECT 'in ' || count(*) || ' threads, such as ' || min(thread) FROM ( \
             SELECT coalesce(held.thread, heads.thread_id) AS thread FROM ( \
             SELECT thread, count(*) AS held, count(DISTINCT number) AS numbers, \
             max(number) AS newest FROM ( \
             SELECT {{thread_id}}::text AS thread, {{sequence_number}}::bigint AS number \
             FROM {{messages}} WHERE {{revision}} IS NOT NULL UNION ALL \
             SELECT thread_id, sequence_number FROM rejoinder.tombstones) AS places \
             GROUP BY thread) AS held \
             FULL JOIN rejoinder.heads ON heads.thread_id = held.thread \
             WHERE heads.sequence_number IS DISTINCT FROM coalesce(newest, 0) \
             OR held IS DISTINCT FROM nullif(heads.sequence_number, 0) OR numbers <> held \
             ) AS odd HAVING count(*) > 0";
        let remedy = "rows were written past the triggers, or the table was emptied: clients show \
                      a gap there for ever, nothing else is wrong";
        let good = "every thread from 1 without a hole";
        self.nothing_wrong("dense sequence_number", sql, good, remedy)
            .await
    }

    async fn participants(&self) -> Finding {
        let sql = "SELECT count(*) || ' threads never had two people' FROM ( \
             SELECT FROM rejoinder.heads LEFT JOIN rejoinder.participants \
             ON participants.thread_id = heads.thread_id \
             GROUP BY heads.thread_id HAVING count(user_id) < 2) AS lonely HAVING count(*) > 0";
        let remedy = "name the application's table of participants with --participants-table and \
                      run `rejoinder-gateway migrate` again";
        let good = "two or more in every thread, once at least";
        self.nothing_wrong("participants", sql, good, remedy).await
    }

    async fn epoch(&self) -> Finding {
        match self.text(EPOCH).await {
            Ok(Some(epoch)) => Finding::good("epoch", epoch),
            Ok(None) => Finding::bad("epoch", "it is not there", MIGRATE),
            Err(error) => failed("epoch", &error),
        }
    }
}

fn failed(name: &'static str, error: &tokio_postgres::Error) -> Finding {
    let remedy = "see what the database says, and whether the gateway's user may do it";
    Finding::bad(name, fault::words(error), remedy)
}
