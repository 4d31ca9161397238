//! The records of the browser's database, and their bytes.

use rejoinder_protocol::{
    Attachment, ClientMsgId, Epoch, ErrorCode, Message, Revision, SequenceNumber, ThreadId,
    UnixMillis,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Messages in one bucket.
pub const BUCKET_ROWS: u64 = 64;

/// What this version of the client understands. Raised when it learns a new kind of object: what
/// an older one stored then lacks objects that it skipped, and is loaded anew.
pub(crate) const SCHEMA_LEVEL: u32 = 1;

/// Returns the bucket that a message belongs in.
#[must_use]
pub fn bucket_of(sequence_number: SequenceNumber) -> u64 {
    sequence_number.get().saturating_sub(1) / BUCKET_ROWS
}

/// A message's key in the outbox: the order in which the user sent, over all tabs.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct OrderNumber(pub u64);

/// A message that waits in the outbox.
#[derive(Clone, Debug, Eq, PartialEq, Deserialize, Serialize)]
pub struct EntryRecord {
    /// The thread.
    pub thread_id: ThreadId,
    /// The idempotency key.
    pub client_msg_id: ClientMsgId,
    /// The text.
    pub body: String,
    /// The attachments.
    #[serde(default)]
    pub attachments: Vec<Attachment>,
    /// When the user sent it, by the device's clock; for display.
    pub created_at: UnixMillis,
    /// Whether it may have reached a gateway. Once set, only a gateway knows whether it is stored.
    pub attempted: bool,
    /// Why it was refused for good, until the user decides.
    #[serde(default)]
    pub failed: Option<ErrorCode>,
    /// Whether the user discarded it after it was attempted.
    #[serde(default)]
    pub cancel_wanted: bool,
}

/// How far a thread is stored.
#[derive(Clone, Debug, Eq, PartialEq, Deserialize, Serialize)]
pub struct CursorRecord {
    /// The database history of the numbers below.
    pub epoch: Epoch,
    /// Everything up to here is stored.
    pub revision: Revision,
    /// How often the stored rows were replaced as a whole. A write that was prepared on another
    /// count is refused.
    pub reset_count: u64,
    /// What the client that wrote this understood.
    pub schema_level: u32,
    /// The oldest stored message; from here to the newest there is no hole. 1 in an empty thread.
    pub oldest: SequenceNumber,
    /// The newest stored message; 0 if there is none.
    pub newest: SequenceNumber,
    /// The newest change that was skipped because its message lies below `oldest`. Older messages
    /// that were read before it would miss it.
    pub skipped_revision: Revision,
}

pub(crate) fn to_bytes<T: Serialize>(record: &T) -> Vec<u8> {
    rejoinder_protocol::encode(record).into_bytes()
}

/// Returns `None` for bytes that a later version wrote or that were damaged.
pub(crate) fn from_bytes<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    serde_json::from_slice(bytes).ok()
}

/// Puts a message in its place, unless a newer state of it is there.
pub(crate) fn merge_message(rows: &mut Vec<Message>, message: &Message) {
    match rows.binary_search_by_key(&message.sequence_number, |row| row.sequence_number) {
        Ok(at) => {
            if let Some(row) = rows
                .get_mut(at)
                .filter(|row| row.revision <= message.revision)
            {
                *row = message.clone();
            }
        }
        Err(at) => rows.insert(at, message.clone()),
    }
}
