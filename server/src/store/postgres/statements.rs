//! The SQL of everything that happens all the time, for the tables as they are.

use std::collections::BTreeMap;

use tokio_postgres::Client;
use uuid::Uuid;
use uuid::fmt::Hyphenated;

use super::OpenError;
use super::tables::Tables;

/// What ids of a column look like.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum IdType {
    /// At most so many characters.
    Text(usize),
    Uuid,
}

impl IdType {
    /// Reads a column's type. Where the gateway makes the ids they are UUIDs, and all of one fits.
    fn of(column: &'static str, found: &ColumnType) -> Result<Self, OpenError> {
        let is_made = matches!(column, "client_msg_id" | "id");
        match (found.name.as_str(), found.length) {
            ("uuid", _) => Ok(Self::Uuid),
            ("text" | "character varying", None) => Ok(Self::Text(usize::MAX)),
            ("character varying", Some(length)) if !is_made || length >= Hyphenated::LENGTH => {
                Ok(Self::Text(length))
            }
            _ => Err(found.refused(column)),
        }
    }

    fn fits(self, id: &str) -> bool {
        match self {
            Self::Text(length) => id.chars().count() <= length,
            // As the column shows it, for it is compared as a text, too.
            Self::Uuid => Uuid::try_parse(id).is_ok_and(|uuid| uuid.hyphenated().to_string() == id),
        }
    }
}

/// A column's type. Without its length, to which a cast would cut a text silently.
#[derive(Debug)]
struct ColumnType {
    name: String,
    length: Option<usize>,
    /// Whether it must not be null.
    is_needed: bool,
}

impl ColumnType {
    fn refused(&self, column: &'static str) -> OpenError {
        let length = self.length.map(|length| format!("({length})"));
        OpenError::IdType {
            column,
            found: format!("{}{}", self.name, length.unwrap_or_default()),
        }
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
    /// Arrays: thread, number, revision, id, key, sender, time, body, attachments. Returns the
    /// messages that are not stored as they were given, for a trigger changed them, with their
    /// threads; fails where one kept a row out, or changed by what it is known.
    pub(super) add: String,
    /// Arrays: thread, number, revision, body, time of the edit. Returns and fails likewise.
    pub(super) replace: String,
    /// Arrays: thread, number, revision. Leaves a tombstone; fails where a trigger kept the row.
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
                "SELECT attname::text, format_type(atttypid, -1), CASE WHEN atttypid IN \
                 ('varchar'::regtype, 'bpchar'::regtype) AND atttypmod > 4 \
                 THEN atttypmod::bigint - 4 END, attnotnull FROM pg_attribute \
                 WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped",
                &[&tables.messages.to_string()],
            )
            .await?;
        let mut types = BTreeMap::new();
        for row in found {
            let length = row.try_get::<_, Option<i64>>(2)?;
            let found = ColumnType {
                name: row.try_get(1)?,
                length: length.and_then(|length| usize::try_from(length).ok()),
                is_needed: row.try_get(3)?,
            };
            types.insert(row.try_get::<_, String>(0)?, found);
        }
        let of = |column: &'static str| {
            let mut columns = tables.columns();
            let name = columns.find(|(ours, _)| *ours == column);
            let name = name.map(|(_, theirs)| theirs.as_str()).unwrap_or_default();
            types.get(name).ok_or(OpenError::NotMigrated)
        };
        let id = |column| IdType::of(column, of(column)?);
        id("client_msg_id")?;
        let fill = |template: &str| {
            let mut filled = tables.fill(template);
            for column in super::tables::COLUMNS {
                // `$1::text::{thread_id:type}` reads a text as what the column holds.
                filled = filled.replace(&format!("{{{column}:type}}"), &of(column)?.name);
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
                "SELECT {}, asked.thread FROM unnest($1::text[], $2::text[]) \
                 AS asked (thread, id) JOIN {{{{messages}}}} AS message \
                 ON message.{{{{id}}}} = asked.id::{{id:type}} \
                 AND message.{{{{thread_id}}}} = asked.thread::{{thread_id:type}} \
                 WHERE message.{{{{revision}}}} IS NOT NULL \
                 UNION ALL SELECT {TOMBSTONE}, asked.thread FROM unnest($1::text[], $2::text[]) \
                 AS asked (thread, id) JOIN rejoinder.tombstones AS tombstone \
                 ON tombstone.server_msg_id = asked.id AND tombstone.thread_id = asked.thread",
                message(),
            ))?,
            add: fill(&written(
                &added(of("attachments")?),
                ADD,
                "stored.id <> asked.id OR stored.key IS DISTINCT FROM asked.key \
                 OR stored.sender IS DISTINCT FROM asked.sender",
                "stored.sent IS DISTINCT FROM asked.sent \
                 OR stored.attachments IS DISTINCT FROM asked.attachments::text",
            ))?,
            replace: fill(&written(
                REPLACED,
                REPLACE,
                "false",
                "stored.edited IS DISTINCT FROM asked.edited",
            ))?,
            delete: fill(&DELETE.replace("{sent}", &millis("message.{{created_at}}")))?,
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
fn message() -> String {
    format!(
        "message.{{{{sequence_number}}}}::bigint, message.{{{{revision}}}}::bigint, \
         message.{{{{id}}}}::text, message.{{{{client_msg_id}}}}::text, \
         message.{{{{sender_id}}}}::text, {}, message.{{{{body}}}}::text, \
         message.{{{{attachments}}}}::text, {}, false",
        millis("message.{{created_at}}"),
        millis("message.{{edited_at}}"),
    )
}

/// A moment as the protocol counts; null if it is one of PostgreSQL's infinite ones.
fn millis(column: &str) -> String {
    format!(
        "CASE WHEN isfinite({column}) THEN floor(extract(epoch FROM {column}) * 1000)::bigint END"
    )
}

/// The same of a tombstone.
const TOMBSTONE: &str = "tombstone.sequence_number, tombstone.revision, tombstone.server_msg_id, \
     tombstone.client_msg_id, tombstone.sender_id, tombstone.sent_at, ''::text, NULL::text, \
     NULL::bigint, true";

/// Messages and what is left of deleted ones, of thread `$1`.
fn both(of_message: &str, of_tombstone: &str, end: &str) -> String {
    format!(
        "SELECT {} FROM {{{{messages}}}} AS message \
         WHERE message.{{{{thread_id}}}} = $1::text::{{thread_id:type}} AND message.{of_message} \
         UNION ALL SELECT {TOMBSTONE} FROM rejoinder.tombstones AS tombstone \
         WHERE tombstone.thread_id = $1::text AND tombstone.{of_tombstone} {end}",
        message(),
    )
}

/// A statement that writes rows of `asked`: returns those that are not stored as they were given;
/// fails where `is_other` is true.
fn written(asked: &str, write: &str, is_other: &str, is_altered: &str) -> String {
    let is_other =
        format!("(stored.number IS NULL OR stored.revision <> asked.revision OR {is_other})");
    format!(
        "WITH asked AS (SELECT {asked}), stored (number, revision, id, key, sender, sent, \
         body, attachments, edited, deleted, thread) \
         AS ({write} RETURNING {}, message.{{{{thread_id}}}}) \
         SELECT CASE WHEN {is_other} THEN rejoinder.kept_out() ELSE stored.number END, \
         stored.revision, stored.id, stored.key, stored.sender, stored.sent, stored.body, \
         stored.attachments, stored.edited, stored.deleted, asked.thread \
         FROM asked LEFT JOIN stored ON stored.thread = asked.thread::{{thread_id:type}} \
         AND stored.number = asked.number WHERE {is_other} OR {is_altered} \
         OR stored.body IS DISTINCT FROM asked.body",
        message(),
    )
}

/// A message without attachments has none, or an empty list where the column must not be null.
fn added(attachments: &ColumnType) -> String {
    let none = match attachments.is_needed {
        true => "'[]'",
        false => "NULL",
    };
    format!(
        "thread, number, revision, id, key, sender, sent, body, \
         coalesce(attachments, {none})::{{attachments:type}} AS attachments \
         FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::text[], $5::text[], \
         $6::text[], $7::bigint[], $8::text[], $9::text[]) \
         AS new (thread, number, revision, id, key, sender, sent, body, attachments)"
    )
}

const ADD: &str = "INSERT INTO {{messages}} AS message ({{thread_id}}, {{sequence_number}}, \
     {{revision}}, {{id}}, {{client_msg_id}}, {{sender_id}}, {{created_at}}, {{body}}, \
     {{attachments}}) \
     SELECT thread::{thread_id:type}, number, revision, id::{id:type}, \
     key::{client_msg_id:type}, sender::{sender_id:type}, \
     (timestamptz 'epoch' + sent * interval '1 millisecond')::{created_at:type}, \
     body, attachments FROM asked";

const REPLACED: &str = "* FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::text[], \
     $5::bigint[]) AS new (thread, number, revision, body, edited)";

const REPLACE: &str = "UPDATE {{messages}} AS message SET {{revision}} = asked.revision, \
     {{body}} = asked.body, \
     {{edited_at}} = (timestamptz 'epoch' + asked.edited * interval '1 millisecond')::{edited_at:type} \
     FROM asked WHERE message.{{thread_id}} = asked.thread::{thread_id:type} \
     AND message.{{sequence_number}} = asked.number AND message.{{revision}} IS NOT NULL";

const DELETE: &str = "WITH asked AS (SELECT * FROM unnest($1::text[], $2::bigint[], $3::bigint[]) \
     AS new (thread, number, revision)), \
     gone AS (DELETE FROM {{messages}} AS message USING asked \
     WHERE message.{{thread_id}} = asked.thread::{thread_id:type} \
     AND message.{{sequence_number}} = asked.number AND message.{{revision}} IS NOT NULL \
     RETURNING asked.thread, asked.number, message.{{id}}::text AS id, \
     message.{{client_msg_id}}::text AS key, message.{{sender_id}}::text AS sender, {sent} AS sent) \
     INSERT INTO rejoinder.tombstones SELECT thread, \
     CASE WHEN gone.id IS NULL THEN rejoinder.kept_out() ELSE number END, asked.revision, gone.id, \
     gone.key, gone.sender, coalesce(gone.sent, 0) FROM asked LEFT JOIN gone USING (thread, number)";
