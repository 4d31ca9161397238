//! Rows to values and back. Decides nothing.
//!
//! Others write into the application's table, too. What they write must never keep anybody from
//! reading a thread, so what does not fit is shown as well as it can be.

use std::str::FromStr;

use rejoinder_protocol::{Attachment, ClientMsgId, Message, Participant, Revision, UserId, encode};
use ring::digest::{SHA256, digest};
use tokio_postgres::{Error, Row};
use uuid::Uuid;

use crate::store::plan::{Head, Key, StoredKey};

/// Who wrote a message whose writer is no longer known.
const NOBODY: &str = "unknown";

/// The protocol's numbers stay below 2^53, so this never cuts.
pub(super) fn integer(number: impl Into<u64>) -> i64 {
    i64::try_from(number.into()).unwrap_or(i64::MAX)
}

/// Reads one of the protocol's numbers; what cannot be one is 0.
fn number<T: TryFrom<u64> + Default>(raw: i64) -> T {
    let raw = u64::try_from(raw).ok();
    raw.and_then(|raw| T::try_from(raw).ok())
        .unwrap_or_default()
}

/// Reads a column that may be null.
fn optional<T: TryFrom<u64> + Default>(row: &Row, column: usize) -> Result<Option<T>, Error> {
    Ok(row.try_get::<_, Option<i64>>(column)?.map(number))
}

/// Reads a message from the columns of a statement that begins with one.
pub(super) fn message(row: &Row) -> Result<Message, Error> {
    let server_msg_id: &str = row.try_get(2)?;
    let client_msg_id: Option<&str> = row.try_get(3)?;
    let client_msg_id = client_msg_id.and_then(|id| id.parse().ok());
    let sender_id: Option<&str> = row.try_get(4)?;
    let body: Option<String> = row.try_get(6)?;
    let attachments: Option<&str> = row.try_get(7)?;
    let attachments = attachments.and_then(|json| serde_json::from_str(json).ok());
    Ok(Message {
        sequence_number: number(row.try_get(0)?),
        revision: number(row.try_get(1)?),
        server_msg_id: id(server_msg_id),
        client_msg_id: client_msg_id.unwrap_or_else(|| key_of(server_msg_id)),
        sender_id: person(sender_id),
        sent_at: optional(row, 5)?.unwrap_or_default(),
        body: body.unwrap_or_default(),
        attachments: attachments.unwrap_or_default(),
        edited_at: optional(row, 8)?,
        deleted: row.try_get(9)?,
    })
}

/// Reads an id. What cannot be one, such as a name with spaces, gets another: the same each time.
pub(super) fn id<T: From<Uuid> + FromStr>(text: &str) -> T {
    text.parse()
        .unwrap_or_else(|_| Uuid::from_bytes(first_bytes(text)).into())
}

/// Returns who wrote a message; its writer may no longer be known.
fn person(id: Option<&str>) -> UserId {
    self::id(id.unwrap_or(NOBODY))
}

/// Returns the key of a message whose writer gave none: the same each time, and nobody else's.
fn key_of(server_msg_id: &str) -> ClientMsgId {
    let uuid = Uuid::try_parse(server_msg_id);
    ClientMsgId::new(uuid.unwrap_or_else(|_| {
        uuid::Builder::from_custom_bytes(first_bytes(server_msg_id)).into_uuid()
    }))
}

fn first_bytes(text: &str) -> [u8; 16] {
    let mut bytes = [0; 16];
    for (to, from) in bytes
        .iter_mut()
        .zip(digest(&SHA256, text.as_bytes()).as_ref())
    {
        *to = *from;
    }
    bytes
}

/// Reads `revision, sequence_number`.
pub(super) fn head(row: &Row, first: usize) -> Result<Head, Error> {
    Ok(Head {
        revision: number(row.try_get(first)?),
        sequence_number: number(row.try_get(first + 1)?),
    })
}

/// The columns that [`participant`] reads, in its order.
pub(super) const PARTICIPANT: &str = "user_id, revision, joined_at, left_at, read_sequence_number";

/// Reads a participant; `None` if nobody can have this name.
pub(super) fn participant(row: &Row) -> Result<Option<Participant>, Error> {
    let user_id: &str = row.try_get(0)?;
    let Ok(user_id) = user_id.parse() else {
        return Ok(None);
    };
    Ok(Some(Participant {
        user_id,
        revision: number(row.try_get(1)?),
        joined_at: number(row.try_get(2)?),
        left_at: optional(row, 3)?,
        read_sequence_number: optional(row, 4)?,
    }))
}

/// The columns that [`key`] reads, in its order.
pub(super) const KEY: &str = "payload_hash, server_msg_id, sequence_number, revision, sent_at";

/// Reads a key.
pub(super) fn key(row: &Row) -> Result<Key, Error> {
    let payload_hash: Option<&[u8]> = row.try_get(0)?;
    let Some(server_msg_id) = row.try_get::<_, Option<&str>>(1)? else {
        return Ok(Key::Void);
    };
    Ok(Key::Stored(StoredKey {
        payload_hash: payload_hash.and_then(|hash| hash.try_into().ok()),
        server_msg_id: id(server_msg_id),
        sequence_number: optional(row, 2)?.unwrap_or_default(),
        revision: optional(row, 3)?.unwrap_or_default(),
        sent_at: optional(row, 4)?.unwrap_or_default(),
    }))
}

/// Reads a revision.
pub(super) fn revision(row: &Row, column: usize) -> Result<Revision, Error> {
    Ok(number(row.try_get(column)?))
}

/// Returns attachments as they are stored.
pub(super) fn attachments(all: &[Attachment]) -> Option<String> {
    (!all.is_empty()).then(|| encode(&all))
}
