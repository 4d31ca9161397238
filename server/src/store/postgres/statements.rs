//! The SQL of everything that happens all the time, for the tables as they are.

use std::collections::BTreeMap;

use tokio_postgres::Client;
use uuid::Uuid;

use super::OpenError;
use super::tables::Tables;

/// What ids of a column look like.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum IdType {
    Text,
    Uuid,
}

impl IdType {
    fn of(column: &'static str, sql: &str) -> Result<Self, OpenError> {
        match sql {
            "uuid" => Ok(Self::Uuid),
            "text" => Ok(Self::Text),
            sql if sql.starts_with("character varying") => Ok(Self::Text),
            sql => Err(OpenError::IdType {
                column,
                found: sql.to_owned(),
            }),
        }
    }

    fn fits(self, id: &str) -> bool {
        self == Self::Text || Uuid::try_parse(id).is_ok()
    }
}

/// The statements, and what the columns hold.
#[derive(Clone, Debug)]
pub(super) struct Statements {
    thread_id: IdType,
    message_id: IdType,
    sender_id: IdType,
    /// A page: `$1` thread, after `$2`, to `$3`, at most `$4`.
    pub(super) page: String,
    /// The newest: `$1` thread, below `$2`, at most `$3`.
    pub(super) newest: String,
    /// By identity: `$1` threads, `$2` ids.
    pub(super) by_id: String,
    /// Arrays: thread, number, revision, id, key, sender, time, body, attachments.
    pub(super) add: String,
    /// Arrays: thread, number, revision, body, attachments, time of the edit.
    pub(super) replace: String,
    /// Arrays: thread, number, revision. Leaves a tombstone.
    pub(super) delete: String,
}

/// The history that the numbers belong to: ours, and that of the server, which changes when another
/// one takes over or a backup is recovered.
pub(super) const EPOCH: &str = "SELECT epoch || '.' || \
     ltrim(left(pg_walfile_name(pg_current_wal_insert_lsn()), 8), '0') FROM rejoinder.history";

impl Statements {
    /// Finds out what the tables look like.
    pub(super) async fn new(client: &Client, tables: &Tables) -> Result<Self, OpenError> {
        let found = client
            .query(
                "SELECT attname::text, format_type(atttypid, atttypmod) FROM pg_attribute \
                 WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped",
                &[&tables.messages.to_string()],
            )
            .await?;
        let mut types = BTreeMap::new();
        for row in found {
            types.insert(row.try_get::<_, String>(0)?, row.try_get::<_, String>(1)?);
        }
        let of = |column: &'static str| {
            let mut columns = tables.columns();
            let name = columns.find(|(ours, _)| *ours == column);
            let name = name.map(|(_, theirs)| theirs.as_str()).unwrap_or_default();
            types.get(name).cloned().ok_or(OpenError::NotMigrated)
        };
        let id = |column| IdType::of(column, &of(column)?);
        let fill = |template: &str| {
            let mut filled = tables.fill(template);
            for column in super::tables::COLUMNS {
                // `$1::text::{thread_id:type}` reads a text as what the column holds.
                filled = filled.replace(&format!("{{{column}:type}}"), &of(column)?);
            }
            Ok::<_, OpenError>(filled)
        };
        Ok(Self {
            thread_id: id("thread_id")?,
            message_id: id("id")?,
            sender_id: id("sender_id")?,
            page: fill(&both(
                "{{revision}} > $2 AND message.{{revision}} <= $3",
                "revision > $2 AND tombstone.revision <= $3",
                "ORDER BY 2 LIMIT $4",
            ))?,
            newest: fill(&both(
                "{{sequence_number}} < $2 AND message.{{revision}} IS NOT NULL",
                "sequence_number < $2",
                "ORDER BY 1 DESC LIMIT $3",
            ))?,
            by_id: fill(&format!(
                "SELECT {MESSAGE}, asked.thread FROM unnest($1::text[], $2::text[]) \
                 AS asked (thread, id) JOIN {{{{messages}}}} AS message \
                 ON message.{{{{id}}}} = asked.id::{{id:type}} \
                 AND message.{{{{thread_id}}}} = asked.thread::{{thread_id:type}} \
                 WHERE message.{{{{revision}}}} IS NOT NULL \
                 UNION ALL SELECT {TOMBSTONE}, asked.thread FROM unnest($1::text[], $2::text[]) \
                 AS asked (thread, id) JOIN rejoinder.tombstones AS tombstone \
                 ON tombstone.server_msg_id = asked.id AND tombstone.thread_id = asked.thread"
            ))?,
            add: fill(ADD)?,
            replace: fill(REPLACE)?,
            delete: fill(DELETE)?,
        })
    }

    /// Returns whether the tables could hold a thread of this id.
    pub(super) fn fits_thread(&self, id: &str) -> bool {
        self.thread_id.fits(id)
    }

    /// Returns whether the tables could hold a message of this id.
    pub(super) fn fits_message(&self, id: &str) -> bool {
        self.message_id.fits(id)
    }

    /// Returns whether the tables could hold a person of this id.
    pub(super) fn fits_user(&self, id: &str) -> bool {
        self.sender_id.fits(id)
    }
}

/// The columns that `rows::message` reads, in its order.
const MESSAGE: &str = "message.{{sequence_number}}::bigint, message.{{revision}}::bigint, \
     message.{{id}}::text, message.{{client_msg_id}}::text, message.{{sender_id}}::text, \
     floor(extract(epoch FROM message.{{created_at}}) * 1000)::bigint, message.{{body}}::text, \
     message.{{attachments}}::text, \
     floor(extract(epoch FROM message.{{edited_at}}) * 1000)::bigint, false";

/// The same of a tombstone.
const TOMBSTONE: &str = "tombstone.sequence_number, tombstone.revision, tombstone.server_msg_id, \
     tombstone.client_msg_id, tombstone.sender_id, tombstone.sent_at, ''::text, NULL::text, \
     NULL::bigint, true";

/// Messages and what is left of deleted ones, of thread `$1`.
fn both(of_message: &str, of_tombstone: &str, end: &str) -> String {
    format!(
        "SELECT {MESSAGE} FROM {{{{messages}}}} AS message \
         WHERE message.{{{{thread_id}}}} = $1::text::{{thread_id:type}} AND message.{of_message} \
         UNION ALL SELECT {TOMBSTONE} FROM rejoinder.tombstones AS tombstone \
         WHERE tombstone.thread_id = $1::text AND tombstone.{of_tombstone} {end}"
    )
}

const ADD: &str = "INSERT INTO {{messages}} ({{thread_id}}, {{sequence_number}}, {{revision}}, \
     {{id}}, {{client_msg_id}}, {{sender_id}}, {{created_at}}, {{body}}, {{attachments}}) \
     SELECT thread::{thread_id:type}, number, revision, id::{id:type}, \
     key::{client_msg_id:type}, sender::{sender_id:type}, \
     (timestamptz 'epoch' + sent * interval '1 millisecond')::{created_at:type}, \
     body, attachments::{attachments:type} \
     FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::text[], $5::text[], $6::text[], \
     $7::bigint[], $8::text[], $9::text[]) \
     AS new (thread, number, revision, id, key, sender, sent, body, attachments)";

const REPLACE: &str = "UPDATE {{messages}} AS message SET {{revision}} = new.revision, \
     {{body}} = new.body, {{attachments}} = new.attachments::{attachments:type}, \
     {{edited_at}} = (timestamptz 'epoch' + new.edited * interval '1 millisecond')::{edited_at:type} \
     FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::text[], $5::text[], $6::bigint[]) \
     AS new (thread, number, revision, body, attachments, edited) \
     WHERE message.{{thread_id}} = new.thread::{thread_id:type} \
     AND message.{{sequence_number}} = new.number AND message.{{revision}} IS NOT NULL";

const DELETE: &str = "WITH new AS (SELECT * FROM unnest($1::text[], $2::bigint[], $3::bigint[]) \
     AS new (thread, number, revision)), \
     gone AS (DELETE FROM {{messages}} AS message USING new \
     WHERE message.{{thread_id}} = new.thread::{thread_id:type} \
     AND message.{{sequence_number}} = new.number AND message.{{revision}} IS NOT NULL \
     RETURNING new.thread, new.number, new.revision, message.{{id}}::text AS id, \
     message.{{client_msg_id}}::text AS key, message.{{sender_id}}::text AS sender, \
     floor(extract(epoch FROM message.{{created_at}}) * 1000)::bigint AS sent) \
     INSERT INTO rejoinder.tombstones SELECT thread, number, revision, id, key, sender, \
     coalesce(sent, 0) FROM gone";
