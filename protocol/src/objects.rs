//! The objects of a thread. A change always carries the full latest state of one of them.

use serde::{Deserialize, Serialize};

use crate::{
    Attachment, ClientMsgId, PREVIEW_BYTES_MAX, Revision, SequenceNumber, ServerMsgId, ThreadId,
    UnixMillis, UserId,
};

/// What a change changed, in its latest state.
#[derive(Clone, Debug, Eq, PartialEq, Deserialize, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Object {
    /// A message; edits and deletion are fields of it.
    Message(Message),
    /// A person's part in the thread; leaving and reading are fields of it.
    Participant(Participant),
    /// A kind of a later version: skipped, but its revision counts as seen.
    #[serde(other)]
    Unknown,
}

impl Object {
    /// Returns the revision of the last change of this object; `None` for an unknown kind.
    #[must_use]
    pub fn revision(&self) -> Option<Revision> {
        match self {
            Self::Message(message) => Some(message.revision),
            Self::Participant(participant) => Some(participant.revision),
            Self::Unknown => None,
        }
    }
}

/// What a person wrote.
#[derive(Clone, Debug, Eq, PartialEq, Deserialize, Serialize)]
pub struct Message {
    /// The last change of this message.
    pub revision: Revision,
    /// Its identity in the store.
    pub server_msg_id: ServerMsgId,
    /// The key that its sender made.
    pub client_msg_id: ClientMsgId,
    /// Who wrote it.
    pub sender_id: UserId,
    /// Its place in the thread, for ever.
    pub sequence_number: SequenceNumber,
    /// When the gateway committed it.
    pub sent_at: UnixMillis,
    /// The text; empty in a tombstone.
    pub body: String,
    /// The attachments; none in a tombstone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<Attachment>,
    /// When it was last edited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edited_at: Option<UnixMillis>,
    /// Whether it was deleted: a tombstone keeps ids, sender and place, and loses its content.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deleted: bool,
}

/// A person's part in a thread.
#[derive(Clone, Debug, Eq, PartialEq, Deserialize, Serialize)]
pub struct Participant {
    /// The last change of this participant.
    pub revision: Revision,
    /// Who it is.
    pub user_id: UserId,
    /// Since when.
    pub joined_at: UnixMillis,
    /// When they left or were removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_at: Option<UnixMillis>,
    /// The last message they read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_sequence_number: Option<SequenceNumber>,
}

/// A thread in a list.
#[derive(Clone, Debug, Eq, PartialEq, Deserialize, Serialize)]
pub struct ThreadSummary {
    /// The thread.
    pub thread_id: ThreadId,
    /// Who takes part now.
    pub participants: Vec<UserId>,
    /// The head: the newest change.
    pub revision: Revision,
    /// The newest message's place; 0 if there is none.
    pub sequence_number: SequenceNumber,
    /// The newest message, shortened; absent if there is none or it was deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preview: Option<Preview>,
}

/// The beginning of a message.
#[derive(Clone, Debug, Eq, PartialEq, Deserialize, Serialize)]
pub struct Preview {
    /// Who wrote it.
    pub sender_id: UserId,
    /// At most 256 bytes of the text, cut between characters.
    pub body: String,
    /// When the gateway committed it.
    pub sent_at: UnixMillis,
}

impl Preview {
    /// Returns the beginning of a message; `None` if it was deleted.
    #[must_use]
    pub fn of(message: &Message) -> Option<Self> {
        if message.deleted {
            return None;
        }
        let mut end = message.body.len().min(PREVIEW_BYTES_MAX);
        while !message.body.is_char_boundary(end) {
            end -= 1;
        }
        Some(Self {
            sender_id: message.sender_id.clone(),
            body: message.body.get(..end).unwrap_or_default().to_owned(),
            sent_at: message.sent_at,
        })
    }
}
