//! What can be asked of a store, and what became of it.

use rejoinder_protocol::{
    Ack, Attachment, Change, ClientMsgId, ErrorCode, Message, Object, Preview, Revision,
    SequenceNumber, ServerMsgId, ThreadId, UserId,
};
use serde::{Deserialize, Serialize};

/// A message that wants to be stored.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NewMessage {
    /// The thread.
    pub thread_id: ThreadId,
    /// Who sends it, as the token said.
    pub sender_id: UserId,
    /// The sender's key.
    pub client_msg_id: ClientMsgId,
    /// The identity it gets if it is new.
    pub server_msg_id: ServerMsgId,
    /// Its text.
    pub body: String,
    /// Its attachments.
    pub attachments: Vec<Attachment>,
    /// Whether a thread named `alice|bob` is created by the first message of either (`--dev`).
    pub create_dev_pair: bool,
}

/// A change that somebody asks for. Authorised where it is applied, in the same transaction.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Command {
    /// Let a person take part in a thread, for the first time or again.
    Admit {
        /// The thread.
        thread_id: ThreadId,
        /// Who is let in.
        user_id: UserId,
    },
    /// Void a key for ever, or learn that its message was stored.
    Cancel {
        /// The thread.
        thread_id: ThreadId,
        /// Whose key.
        sender_id: UserId,
        /// The key.
        client_msg_id: ClientMsgId,
    },
    /// Make a thread of two, unless it exists.
    Create {
        /// The thread.
        thread_id: ThreadId,
        /// Who takes part.
        participants: [UserId; 2],
    },
    /// Replace the text of a message; only its sender may.
    Edit {
        /// The thread.
        thread_id: ThreadId,
        /// Who asks.
        user_id: UserId,
        /// The message.
        server_msg_id: ServerMsgId,
        /// The new text.
        body: String,
    },
    /// End a person's part in a thread.
    Remove {
        /// The thread.
        thread_id: ThreadId,
        /// Who is removed.
        user_id: UserId,
    },
    /// Store a message.
    Send(NewMessage),
    /// Delete a message's content; only its sender may.
    Tombstone {
        /// The thread.
        thread_id: ThreadId,
        /// Who asks.
        user_id: UserId,
        /// The message.
        server_msg_id: ServerMsgId,
    },
}

impl Command {
    /// Returns the thread that the command would change.
    #[must_use]
    pub fn thread_id(&self) -> &ThreadId {
        match self {
            Self::Admit { thread_id, .. }
            | Self::Cancel { thread_id, .. }
            | Self::Create { thread_id, .. }
            | Self::Edit { thread_id, .. }
            | Self::Remove { thread_id, .. }
            | Self::Tombstone { thread_id, .. } => thread_id,
            Self::Send(message) => &message.thread_id,
        }
    }
}

/// What became of one command.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Outcome {
    /// What the one who asked is told.
    pub answer: Answer,
    /// What everybody else is told; absent if nothing changed.
    pub publication: Option<Publication>,
    /// Who takes part now, beside the answer to a duplicate: the attempt that stored the message
    /// may have died before they were told.
    pub participants: Vec<UserId>,
}

impl Outcome {
    /// Returns the outcome of a command that changed nothing.
    #[must_use]
    pub fn unchanged(answer: Answer) -> Self {
        Self {
            answer,
            publication: None,
            participants: Vec::new(),
        }
    }

    /// Returns the outcome of a command that changed something.
    #[must_use]
    pub fn changed(answer: Answer, publication: Publication) -> Self {
        Self {
            answer,
            publication: Some(publication),
            participants: Vec::new(),
        }
    }

    /// Returns the outcome of a command that was refused.
    #[must_use]
    pub fn refused(code: ErrorCode) -> Self {
        Self::unchanged(Answer::Refused(code))
    }
}

/// What the one who asked is told.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Answer {
    /// The key is void.
    Cancelled,
    /// It is as asked, and perhaps was before.
    Done,
    /// It is not done.
    Refused(ErrorCode),
    /// The message is stored, now or by an earlier attempt.
    Stored(Ack),
}

/// What a command changed, for those who watch.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Publication {
    /// The thread.
    pub thread_id: ThreadId,
    /// The changes, each one revision after the one before.
    pub changes: Vec<Change>,
    /// Who takes part now.
    pub participants: Vec<UserId>,
    /// Who took part until this change.
    pub removed: Vec<UserId>,
    /// The newest message's place.
    pub sequence_number: SequenceNumber,
    /// How the thread now shows in a list.
    pub summary: SummaryChange,
}

impl Publication {
    /// Returns the newest revision it holds.
    #[must_use]
    pub fn head(&self) -> Revision {
        self.changes
            .last()
            .map_or(Revision::ZERO, |change| change.revision)
    }

    /// Takes how a message was really stored, where a rule of the application changed it.
    pub fn correct(&mut self, stored: &Message) {
        for change in &mut self.changes {
            if change.revision == stored.revision {
                change.object = Object::Message(stored.clone());
            }
        }
        if stored.sequence_number == self.sequence_number
            && let SummaryChange::Known(preview) = &mut self.summary
        {
            *preview = Preview::of(stored);
        }
    }
}

/// How a thread shows in a list after a change.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SummaryChange {
    /// The newest message is known.
    Known(Option<Preview>),
    /// It must be read, for an older message was changed.
    Unknown,
}
