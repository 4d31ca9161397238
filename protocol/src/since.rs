//! Where a client stands in a thread, and how it says so.

use serde::{Deserialize, Serialize};

use crate::{Epoch, Revision, ServerMsgId};

/// The last change that a client holds with no hole before it.
#[derive(Clone, Debug, Eq, PartialEq, Deserialize, Serialize)]
pub struct Cursor {
    /// The database history in which `revision` has a meaning.
    pub epoch: Epoch,
    /// The last change held.
    pub revision: Revision,
}

/// "Send me everything since here".
///
/// On the wire it is spread over the fields of its frame: `epoch` and `revision`, or
/// `last_server_msg_id`, or none of them. A cursor wins over an id that stands beside it.
#[derive(Clone, Debug, Default, Eq, PartialEq, Deserialize, Serialize)]
#[serde(try_from = "Fields", into = "Fields")]
pub enum Since {
    /// The client holds nothing; it is answered with `reset`.
    #[default]
    Nothing,
    /// The client holds everything up to this cursor.
    Cursor(Cursor),
    /// The client holds everything up to this message. Unknown to the gateway: `reset`.
    Message(ServerMsgId),
}

#[derive(Deserialize, Serialize)]
struct Fields {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    epoch: Option<Epoch>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    revision: Option<Revision>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_server_msg_id: Option<ServerMsgId>,
}

impl TryFrom<Fields> for Since {
    type Error = &'static str;

    fn try_from(fields: Fields) -> Result<Self, Self::Error> {
        match (fields.epoch, fields.revision, fields.last_server_msg_id) {
            (Some(epoch), Some(revision), _) => Ok(Self::Cursor(Cursor { epoch, revision })),
            (None, Some(_), _) => Err("a revision needs the epoch it belongs to"),
            (_, None, Some(id)) => Ok(Self::Message(id)),
            (_, None, None) => Ok(Self::Nothing),
        }
    }
}

impl From<Since> for Fields {
    fn from(since: Since) -> Self {
        let none = Self {
            epoch: None,
            revision: None,
            last_server_msg_id: None,
        };
        match since {
            Since::Nothing => none,
            Since::Cursor(Cursor { epoch, revision }) => Self {
                epoch: Some(epoch),
                revision: Some(revision),
                ..none
            },
            Since::Message(id) => Self {
                last_server_msg_id: Some(id),
                ..none
            },
        }
    }
}
