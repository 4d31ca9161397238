//! Rows to values and back. Decides nothing.

use std::str::FromStr;

use rejoinder_protocol::{
    Attachment, ClientMsgId, Message, Participant, ServerMsgId, ThreadId, UnixMillis, encode,
};
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Row, params};
use uuid::Uuid;

use crate::store::plan::{Head, Key, KeyName, Known, StoredKey, ThreadState, Wanted, Write};

/// The columns that [`message`] reads, in its order.
pub(super) const MESSAGE_COLUMNS: &str = "sequence_number, revision, server_msg_id, client_msg_id, \
     sender_id, sent_at, body, attachments, edited_at, deleted";

/// Reads a text column as an id.
pub(super) fn parsed<T>(row: &Row<'_>, column: usize) -> rusqlite::Result<T>
where
    T: FromStr,
    T::Err: std::error::Error + Send + Sync + 'static,
{
    let text = row.get_ref(column)?.as_str()?;
    text.parse::<T>().map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(error))
    })
}

/// Reads an integer column as one of the protocol's numbers.
pub(super) fn number<T: TryFrom<u64>>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    let raw: i64 = row.get(column)?;
    let number = u64::try_from(raw)
        .ok()
        .and_then(|raw| T::try_from(raw).ok());
    number.ok_or(rusqlite::Error::IntegralValueOutOfRange(column, raw))
}

/// Reads an integer column that may be null.
pub(super) fn optional_number<T: TryFrom<u64>>(
    row: &Row<'_>,
    column: usize,
) -> rusqlite::Result<Option<T>> {
    let raw: Option<i64> = row.get(column)?;
    raw.map(|_| number(row, column)).transpose()
}

/// The protocol's numbers stay below 2^53, so this never cuts.
pub(super) fn integer(number: impl Into<u64>) -> i64 {
    i64::try_from(number.into()).unwrap_or(i64::MAX)
}

fn key_bytes(client_msg_id: ClientMsgId) -> [u8; 16] {
    client_msg_id.uuid().into_bytes()
}

/// Reads a message from [`MESSAGE_COLUMNS`].
pub(super) fn message(row: &Row<'_>) -> rusqlite::Result<Message> {
    let attachments: Option<String> = row.get(7)?;
    let attachments = match attachments {
        None => Vec::new(),
        Some(json) => serde_json::from_str::<Vec<Attachment>>(&json).map_err(|error| {
            rusqlite::Error::FromSqlConversionFailure(7, Type::Text, Box::new(error))
        })?,
    };
    let edited_at = optional_number(row, 8)?;
    Ok(Message {
        sequence_number: number(row, 0)?,
        revision: number(row, 1)?,
        server_msg_id: parsed(row, 2)?,
        client_msg_id: ClientMsgId::new(Uuid::from_bytes(row.get(3)?)),
        sender_id: parsed(row, 4)?,
        sent_at: number(row, 5)?,
        body: row.get(6)?,
        attachments,
        edited_at,
        deleted: row.get(9)?,
    })
}

/// Reads a thread; `None` if there is none.
pub(super) fn thread(
    connection: &Connection,
    thread_id: &ThreadId,
) -> rusqlite::Result<Option<ThreadState>> {
    let head = connection
        .prepare_cached("SELECT revision, sequence_number FROM heads WHERE thread_id = ?1")?
        .query_row([thread_id.as_str()], |row| {
            Ok(Head {
                revision: number(row, 0)?,
                sequence_number: number(row, 1)?,
            })
        })
        .optional()?;
    let Some(head) = head else { return Ok(None) };
    let mut statement = connection.prepare_cached(
        "SELECT user_id, revision, joined_at, left_at, read_sequence_number \
         FROM participants WHERE thread_id = ?1 ORDER BY user_id",
    )?;
    let rows = statement.query_map([thread_id.as_str()], |row| {
        Ok(Participant {
            user_id: parsed(row, 0)?,
            revision: number(row, 1)?,
            joined_at: number(row, 2)?,
            left_at: optional_number(row, 3)?,
            read_sequence_number: optional_number(row, 4)?,
        })
    })?;
    let participants = rows.collect::<rusqlite::Result<Vec<_>>>()?;
    Ok(Some(ThreadState { head, participants }))
}

/// Looks up what a plan asks for.
pub(super) fn look_up(connection: &Connection, wanted: &Wanted) -> rusqlite::Result<Known> {
    let mut known = Known::default();
    for thread_id in &wanted.threads {
        if let Some(thread) = thread(connection, thread_id)? {
            known.threads.insert(thread_id.clone(), thread);
        }
    }
    for name in &wanted.keys {
        if let Some(key) = key(connection, name)? {
            known.keys.insert(name.clone(), key);
        }
    }
    for (thread_id, id) in &wanted.messages {
        if let Some(message) = message_by_id(connection, thread_id, id)? {
            let name = (thread_id.clone(), id.clone());
            known.messages.insert(name, message);
        }
    }
    Ok(known)
}

/// Reads a message of a thread by its identity.
pub(super) fn message_by_id(
    connection: &Connection,
    thread_id: &ThreadId,
    id: &ServerMsgId,
) -> rusqlite::Result<Option<Message>> {
    let sql = format!(
        "SELECT {MESSAGE_COLUMNS} FROM messages WHERE server_msg_id = ?1 AND thread_id = ?2"
    );
    connection
        .prepare_cached(&sql)?
        .query_row([id.as_str(), thread_id.as_str()], message)
        .optional()
}

/// Reads a key; `None` if it was never used.
pub(super) fn key(connection: &Connection, name: &KeyName) -> rusqlite::Result<Option<Key>> {
    let (thread_id, sender_id, client_msg_id) = name;
    let sql = "SELECT payload_hash, server_msg_id, sequence_number, revision, sent_at FROM keys \
               WHERE thread_id = ?1 AND sender_id = ?2 AND client_msg_id = ?3";
    #[cfg(feature = "mutants")]
    let sql = match rejoinder_mutants::planted!(KeyWithoutSender) {
        true => &sql.replace("sender_id = ?2", "?2 <> ''"),
        false => sql,
    };
    connection
        .prepare_cached(sql)?
        .query_row(
            params![
                thread_id.as_str(),
                sender_id.as_str(),
                key_bytes(*client_msg_id)
            ],
            |row| {
                let payload_hash: Option<[u8; 32]> = row.get(0)?;
                if payload_hash.is_none() {
                    return Ok(Key::Void);
                }
                Ok(Key::Stored(StoredKey {
                    payload_hash,
                    server_msg_id: parsed(row, 1)?,
                    sequence_number: number(row, 2)?,
                    revision: number(row, 3)?,
                    sent_at: number(row, 4)?,
                }))
            },
        )
        .optional()
}

/// Writes one row of a plan.
pub(super) fn write(
    connection: &Connection,
    now: UnixMillis,
    write: &Write,
) -> rusqlite::Result<()> {
    match write {
        Write::AddMessage(thread_id, message, payload_hash) => {
            add_message(connection, thread_id, message, payload_hash)?;
        }
        Write::PutHead(thread_id, head) => {
            connection
                .prepare_cached("INSERT OR REPLACE INTO heads VALUES (?1, ?2, ?3, ?4)")?
                .execute(params![
                    thread_id.as_str(),
                    integer(head.revision),
                    integer(head.sequence_number),
                    integer(now),
                ])?;
        }
        Write::PutParticipant(thread_id, one) => {
            connection
                .prepare_cached(
                    "INSERT OR REPLACE INTO participants VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                )?
                .execute(params![
                    thread_id.as_str(),
                    one.user_id.as_str(),
                    integer(one.revision),
                    integer(one.joined_at),
                    one.left_at.map(integer),
                    one.read_sequence_number.map(integer),
                ])?;
        }
        Write::ReplaceMessage(thread_id, message) => {
            connection
                .prepare_cached(
                    "UPDATE messages SET revision = ?3, body = ?4, attachments = ?5, \
                     edited_at = ?6, deleted = ?7 WHERE thread_id = ?1 AND sequence_number = ?2",
                )?
                .execute(params![
                    thread_id.as_str(),
                    integer(message.sequence_number),
                    integer(message.revision),
                    message.body,
                    attachments(message),
                    message.edited_at.map(integer),
                    message.deleted,
                ])?;
            #[cfg(feature = "mutants")]
            spoil(connection, message)?;
        }
        Write::VoidKey((thread_id, sender_id, client_msg_id)) => {
            connection
                .prepare_cached(
                    "INSERT INTO keys (thread_id, sender_id, client_msg_id) VALUES (?1, ?2, ?3)",
                )?
                .execute(params![
                    thread_id.as_str(),
                    sender_id.as_str(),
                    key_bytes(*client_msg_id)
                ])?;
        }
    }
    Ok(())
}

/// What an edit must never do.
#[cfg(feature = "mutants")]
fn spoil(connection: &Connection, message: &Message) -> rusqlite::Result<()> {
    if rejoinder_mutants::planted!(HardDelete) {
        connection.execute("DELETE FROM messages WHERE deleted", [])?;
    }
    if rejoinder_mutants::planted!(EditTouchesKey) {
        let sql = "DELETE FROM keys WHERE server_msg_id = ?1";
        connection.execute(sql, [message.server_msg_id.as_str()])?;
    }
    Ok(())
}

fn attachments(message: &Message) -> Option<String> {
    (!message.attachments.is_empty()).then(|| encode(&message.attachments))
}

fn add_message(
    connection: &Connection,
    thread_id: &ThreadId,
    message: &Message,
    payload_hash: &[u8; 32],
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO messages (thread_id, sequence_number, revision, server_msg_id, \
             client_msg_id, sender_id, sent_at, body, attachments) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?
        .execute(params![
            thread_id.as_str(),
            integer(message.sequence_number),
            integer(message.revision),
            message.server_msg_id.as_str(),
            key_bytes(message.client_msg_id),
            message.sender_id.as_str(),
            integer(message.sent_at),
            message.body,
            attachments(message),
        ])?;
    connection
        .prepare_cached("INSERT INTO keys VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")?
        .execute(params![
            thread_id.as_str(),
            message.sender_id.as_str(),
            key_bytes(message.client_msg_id),
            payload_hash,
            message.server_msg_id.as_str(),
            integer(message.sequence_number),
            integer(message.revision),
            integer(message.sent_at),
        ])?;
    Ok(())
}
