//! What becomes of a batch of commands: the one place for authorisation, deduplication and order.
//!
//! Pure. A store asks [`wanted`] what to look up, under the lock of the threads' heads, hands it to
//! [`plan`] as [`Known`], and writes what comes back. SQLite does so synchronously, another store
//! may await in between; neither decides anything.

mod changes;
mod messages;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use rejoinder_protocol::{
    ClientMsgId, Message, Participant, Revision, SequenceNumber, ServerMsgId, ThreadId, UnixMillis,
    UserId,
};

use crate::store::{Command, NewMessage, Outcome};

/// A key's full name: unique for ever.
pub type KeyName = (ThreadId, UserId, ClientMsgId);

impl NewMessage {
    /// Returns the full name of its key.
    #[must_use]
    pub fn key_name(&self) -> KeyName {
        let (thread_id, sender_id) = (self.thread_id.clone(), self.sender_id.clone());
        (thread_id, sender_id, self.client_msg_id)
    }
}

/// What to look up before [`plan`] can run.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Wanted {
    /// Heads and participants, in the order in which they must be locked.
    pub threads: BTreeSet<ThreadId>,
    /// Keys.
    pub keys: BTreeSet<KeyName>,
    /// Messages.
    pub messages: BTreeSet<(ThreadId, ServerMsgId)>,
}

/// Returns what to look up for a batch.
#[must_use]
pub fn wanted(commands: &[Command]) -> Wanted {
    let mut wanted = Wanted::default();
    for command in commands {
        wanted.threads.insert(command.thread_id().clone());
        match command {
            Command::Send(message) => {
                wanted.keys.insert(message.key_name());
            }
            Command::Cancel {
                thread_id,
                sender_id,
                client_msg_id,
            } => {
                wanted
                    .keys
                    .insert((thread_id.clone(), sender_id.clone(), *client_msg_id));
            }
            Command::Edit {
                thread_id,
                server_msg_id,
                ..
            }
            | Command::Tombstone {
                thread_id,
                server_msg_id,
                ..
            } => {
                wanted
                    .messages
                    .insert((thread_id.clone(), server_msg_id.clone()));
            }
            Command::Admit { .. } | Command::Create { .. } | Command::Remove { .. } => {}
        }
    }
    wanted
}

/// The newest numbers of a thread.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Head {
    /// The newest change.
    pub revision: Revision,
    /// The newest message's place.
    pub sequence_number: SequenceNumber,
}

/// A thread as it stands.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ThreadState {
    /// The newest numbers.
    pub head: Head,
    /// Everybody who ever took part.
    pub participants: Vec<Participant>,
}

impl ThreadState {
    /// Returns who takes part now.
    #[must_use]
    pub fn active(&self) -> Vec<UserId> {
        let active = self.participants.iter().filter(|one| one.left_at.is_none());
        active.map(|one| one.user_id.clone()).collect()
    }

    /// Returns who took part once.
    #[must_use]
    pub fn left(&self) -> Vec<UserId> {
        let left = self.participants.iter().filter(|one| one.left_at.is_some());
        left.map(|one| one.user_id.clone()).collect()
    }

    /// Returns whether the user takes part now. The one rule of authorisation.
    #[must_use]
    pub fn admits(&self, user_id: &UserId) -> bool {
        let takes_part = |one: &Participant| one.left_at.is_none();
        #[cfg(feature = "mutants")]
        let takes_part =
            |one: &Participant| takes_part(one) || rejoinder_mutants::planted!(MembershipForEver);
        let mut all = self.participants.iter();
        all.any(|one| one.user_id == *user_id && takes_part(one))
    }
}

/// A key that was used.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Key {
    /// Its message was stored.
    Stored(StoredKey),
    /// It was cancelled.
    Void,
}

/// The original answer to a key. No edit ever changes it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StoredKey {
    /// SHA-256 of the original payload; `None` if somebody else than a gateway wrote it, and nobody
    /// can say what it was.
    pub payload_hash: Option<[u8; 32]>,
    /// The message's identity.
    pub server_msg_id: ServerMsgId,
    /// Its place.
    pub sequence_number: SequenceNumber,
    /// The change that brought it.
    pub revision: Revision,
    /// When it was committed.
    pub sent_at: UnixMillis,
}

/// What was looked up. [`plan`] keeps it up to date, so that later commands see earlier ones.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Known {
    /// The threads that exist.
    pub threads: BTreeMap<ThreadId, ThreadState>,
    /// The keys that were used.
    pub keys: BTreeMap<KeyName, Key>,
    /// The messages that exist.
    pub messages: BTreeMap<(ThreadId, ServerMsgId), Message>,
}

/// One row to write.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Write {
    /// Add a message and its key.
    AddMessage(ThreadId, Message, [u8; 32]),
    /// Store a thread's newest numbers; the row may be new.
    PutHead(ThreadId, Head),
    /// Store a participant; the row may be new.
    PutParticipant(ThreadId, Participant),
    /// Replace a message.
    ReplaceMessage(ThreadId, Message),
    /// Remember a key as void.
    VoidKey(KeyName),
}

/// What to write, and what to tell.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Plan {
    /// One per command, in order.
    pub outcomes: Vec<Outcome>,
    /// What to write, in order.
    pub writes: Vec<Write>,
}

/// Decides what becomes of a batch.
#[must_use]
pub fn plan(now: UnixMillis, known: Known, commands: &[Command]) -> Plan {
    let mut planner = Planner {
        now,
        known,
        writes: Vec::new(),
        touched: BTreeSet::new(),
    };
    let outcomes = commands
        .iter()
        .map(|command| planner.command(command))
        .collect();
    let mut writes = planner.writes;
    for thread_id in planner.touched {
        if let Some(thread) = planner.known.threads.get(&thread_id) {
            writes.push(Write::PutHead(thread_id, thread.head));
        }
    }
    Plan { outcomes, writes }
}

struct Planner {
    now: UnixMillis,
    known: Known,
    writes: Vec<Write>,
    touched: BTreeSet<ThreadId>,
}

impl Planner {
    fn command(&mut self, command: &Command) -> Outcome {
        match command {
            Command::Admit { thread_id, user_id } => self.admit(thread_id, user_id),
            Command::Cancel {
                thread_id,
                sender_id,
                client_msg_id,
            } => self.cancel(thread_id, sender_id, *client_msg_id),
            Command::Create {
                thread_id,
                participants,
            } => self.create(thread_id, participants),
            Command::Edit {
                thread_id,
                user_id,
                server_msg_id,
                body,
            } => self.edit(thread_id, user_id, server_msg_id, body),
            Command::Remove { thread_id, user_id } => self.remove(thread_id, user_id),
            Command::Send(message) => self.send(message),
            Command::Tombstone {
                thread_id,
                user_id,
                server_msg_id,
            } => self.tombstone(thread_id, user_id, server_msg_id),
        }
    }

    /// Takes the next revision of a thread that exists.
    fn next_revision(&mut self, thread_id: &ThreadId) -> Revision {
        self.touched.insert(thread_id.clone());
        let thread = self.known.threads.entry(thread_id.clone()).or_default();
        thread.head.revision = thread.head.revision.next();
        thread.head.revision
    }
}
