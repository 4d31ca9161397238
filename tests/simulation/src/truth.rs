//! The simple model of the store: what one history of the database must hold.
//!
//! It is told of every command and its outcome, says what the outcome should have been, and
//! remembers every state that every object ever had. Vectors and maps, no cleverness.

use std::collections::{BTreeMap, BTreeSet};

use rejoinder_gateway::store::plan::KeyName;
use rejoinder_gateway::store::{Answer, Command, NewMessage, Outcome, dev_pair};
use rejoinder_protocol::{
    Ack, ErrorCode, Message, Object, Participant, ServerMsgId, ThreadId, UnixMillis, UserId,
};

use crate::invariant::Invariant;

/// What is wrong, and which invariant says so.
pub type Wrong = (Invariant, String);

/// What became of a key, for ever.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Key {
    /// It was cancelled.
    Void,
    /// Its message was stored.
    Stored {
        /// The text that was sent, whatever it was edited to.
        body: String,
        /// The answer, as it was first given.
        ack: Ack,
    },
}

/// One thread.
#[derive(Clone, Debug, Default)]
pub struct ThreadTruth {
    /// Every change, by revision − 1.
    pub changes: Vec<Object>,
    /// The present state of each message, by place − 1.
    pub messages: Vec<Message>,
    /// The present state of each participant.
    pub participants: BTreeMap<UserId, Participant>,
    /// The revision that brought each participant, and the one that removed them; again for each
    /// time that they were let in again.
    pub stays: BTreeMap<UserId, Vec<(u64, Option<u64>)>>,
}

impl ThreadTruth {
    /// Returns the newest revision.
    pub fn head(&self) -> u64 {
        self.changes.len() as u64
    }

    /// Returns whether a user takes part after a revision.
    pub fn is_member_at(&self, user_id: &UserId, revision: u64) -> bool {
        let stays = self.stays.get(user_id).into_iter().flatten();
        stays
            .copied()
            .any(|(joined, left)| joined <= revision && left.is_none_or(|left| left > revision))
    }

    /// Returns a message as it was after a revision.
    pub fn message_at(&self, place: u64, revision: u64) -> Option<&Message> {
        let until = usize::try_from(revision).unwrap_or(usize::MAX);
        let until = until.min(self.changes.len());
        self.changes[..until]
            .iter()
            .rev()
            .find_map(|object| match object {
                Object::Message(message) if message.sequence_number.get() == place => Some(message),
                _ => None,
            })
    }

    /// Returns how many messages there were after a revision.
    pub fn messages_at(&self, revision: u64) -> u64 {
        if revision >= self.head() {
            return self.messages.len() as u64;
        }
        let until = usize::try_from(revision).unwrap_or(usize::MAX);
        let newest = self.changes[..until]
            .iter()
            .filter_map(|object| match object {
                Object::Message(message) => Some(message.sequence_number.get()),
                _ => None,
            });
        newest.max().unwrap_or(0)
    }

    /// Returns what a page of the changes in `(from, to]` must hold if it was read at `head`: each
    /// object once, where it last changed.
    pub fn page(&self, from: u64, to: u64, head: u64) -> Vec<Object> {
        let mut seen = BTreeSet::new();
        let mut page = Vec::new();
        let range = |from: u64, to: u64| (from as usize).min(to as usize)..to as usize;
        for (index, object) in self.changes[range(from, head)].iter().enumerate().rev() {
            let revision = from + index as u64 + 1;
            if seen.insert(name(object)) && revision <= to {
                page.push(object.clone());
            }
        }
        page.reverse();
        page
    }

    /// Returns the newest messages and all participants, as they were after a revision.
    pub fn window(
        &self,
        count: u64,
        revision: u64,
    ) -> (Vec<Message>, BTreeMap<UserId, Participant>) {
        let newest = self.messages_at(revision);
        let places = newest.saturating_sub(count) + 1..=newest;
        let messages = places
            .filter_map(|place| self.message_at(place, revision))
            .cloned();
        let mut participants = BTreeMap::new();
        for object in &self.changes[..(revision as usize).min(self.changes.len())] {
            if let Object::Participant(one) = object {
                participants.insert(one.user_id.clone(), one.clone());
            }
        }
        (messages.collect(), participants)
    }

    fn add(&mut self, object: &Object) {
        let revision = self.head() + 1;
        match object {
            Object::Message(message) => {
                let index = message.sequence_number.get() as usize - 1;
                if index < self.messages.len() {
                    self.messages[index] = message.clone();
                } else {
                    self.messages.push(message.clone());
                }
            }
            Object::Participant(one) => {
                let stays = self.stays.entry(one.user_id.clone()).or_default();
                let is_in = stays.last().is_some_and(|(_, left)| left.is_none());
                match (one.left_at, stays.last_mut()) {
                    (Some(_), Some(stay)) => stay.1 = Some(revision),
                    (None, _) if !is_in => stays.push((revision, None)),
                    (Some(_), None) | (None, _) => {}
                }
                self.participants.insert(one.user_id.clone(), one.clone());
            }
            Object::Unknown => {}
        }
        self.changes.push(object.clone());
    }
}

fn name(object: &Object) -> (u64, Option<UserId>) {
    match object {
        Object::Message(message) => (message.sequence_number.get(), None),
        Object::Participant(one) => (0, Some(one.user_id.clone())),
        Object::Unknown => (0, None),
    }
}

/// One history of the database.
#[derive(Clone, Debug, Default)]
pub struct Truth {
    /// Its threads.
    pub threads: BTreeMap<ThreadId, ThreadTruth>,
    /// Every key that was ever used.
    pub keys: BTreeMap<KeyName, Key>,
    ids: BTreeSet<ServerMsgId>,
}

impl Truth {
    /// Returns whether a user takes part in a thread now.
    pub fn is_member(&self, thread_id: &ThreadId, user_id: &UserId) -> bool {
        let thread = self.threads.get(thread_id);
        thread.is_some_and(|thread| thread.is_member_at(user_id, thread.head()))
    }

    /// Takes the next commands with their outcomes, and says what is wrong with the first that is.
    ///
    /// # Errors
    ///
    /// The invariant that does not hold.
    pub fn apply(
        &mut self,
        now: UnixMillis,
        commands: &[Command],
        outcomes: &[Option<Outcome>],
    ) -> Result<(), Wrong> {
        let mut all = commands.iter().zip(outcomes);
        all.try_for_each(|(command, outcome)| match outcome {
            Some(outcome) => self.apply_one(now, command, outcome),
            None => Ok(()),
        })
    }

    fn apply_one(
        &mut self,
        now: UnixMillis,
        command: &Command,
        outcome: &Outcome,
    ) -> Result<(), Wrong> {
        let expected = self.expected(command);
        let thread_id = command.thread_id();
        match (&expected, &outcome.answer) {
            (Expected::Refused(code), Answer::Refused(given)) if code == given => {}
            (Expected::Refused(code), given) => {
                let invariant = match code {
                    ErrorCode::NotFound => Invariant::OnlyMembersWrite,
                    ErrorCode::IdConflict => Invariant::ConflictsAreTrue,
                    _ => Invariant::OneMessagePerKey,
                };
                return Err((
                    invariant,
                    format!("{command:?} is answered {given:?}, not {code:?}"),
                ));
            }
            (Expected::Known(ack), Answer::Stored(given)) if ack == given => {}
            (Expected::Known(ack), given) => {
                let detail = format!("a known key is answered {given:?}, not {ack:?}");
                return Err((Invariant::AcksAreTrue, detail));
            }
            (Expected::Done, Answer::Done | Answer::Cancelled)
            | (Expected::New, Answer::Stored(_)) => {}
            (Expected::Done | Expected::New, Answer::Refused(ErrorCode::IdConflict)) => {
                let detail = format!("{command:?} is refused as a conflict with nothing");
                return Err((Invariant::ConflictsAreTrue, detail));
            }
            (Expected::Done | Expected::New, given) => {
                let detail = format!("{command:?} is answered {given:?}");
                return Err((Invariant::AcksAreTrue, detail));
            }
        }
        let is_change = match &expected {
            Expected::New => true,
            Expected::Done => outcome.publication.is_some(),
            Expected::Refused(_) | Expected::Known(_) => false,
        };
        if is_change != outcome.publication.is_some() {
            let detail = format!("{command:?} publishes {:?}", outcome.publication);
            return Err((Invariant::DenseNumbers, detail));
        }
        if let Command::Cancel {
            sender_id,
            client_msg_id,
            ..
        } = command
            && expected == Expected::Done
        {
            let name = (thread_id.clone(), sender_id.clone(), *client_msg_id);
            self.keys.insert(name, Key::Void);
        }
        for change in outcome
            .publication
            .iter()
            .flat_map(|publication| &publication.changes)
        {
            self.change(thread_id, change.revision.get(), &change.object)?;
        }
        if let (Command::Send(new), Expected::New, Answer::Stored(ack)) =
            (command, &expected, &outcome.answer)
        {
            self.stored(now, new, ack)?;
        }
        Ok(())
    }

    fn change(
        &mut self,
        thread_id: &ThreadId,
        revision: u64,
        object: &Object,
    ) -> Result<(), Wrong> {
        let thread = self.threads.entry(thread_id.clone()).or_default();
        let next = thread.head() + 1;
        if revision != next || object.revision().map(|one| one.get()) != Some(next) {
            let detail = format!("revision {revision} follows {} in {thread_id}", next - 1);
            return Err((Invariant::DenseNumbers, detail));
        }
        if let Object::Message(message) = object {
            let place = message.sequence_number.get();
            let newest = thread.messages.len() as u64;
            if place == 0 || place > newest + 1 {
                let detail = format!("place {place} follows {newest} in {thread_id}");
                return Err((Invariant::DenseNumbers, detail));
            }
        }
        thread.add(object);
        Ok(())
    }

    fn stored(&mut self, now: UnixMillis, new: &NewMessage, ack: &Ack) -> Result<(), Wrong> {
        let thread = self.threads.entry(new.thread_id.clone()).or_default();
        let Some(message) = thread.messages.last() else {
            return Err((
                Invariant::AcksAreTrue,
                "an ack without a message".to_owned(),
            ));
        };
        let is_as_sent = message.body == new.body
            && message.sender_id == new.sender_id
            && message.client_msg_id == new.client_msg_id
            && message.sent_at == now;
        let is_acked = ack.server_msg_id == message.server_msg_id
            && ack.sequence_number == message.sequence_number
            && ack.revision == message.revision
            && ack.sent_at == message.sent_at
            && !ack.duplicate;
        if !is_as_sent || !is_acked {
            let detail = format!("{new:?} is stored as {message:?} and answered {ack:?}");
            return Err((Invariant::AcksAreTrue, detail));
        }
        if !self.ids.insert(message.server_msg_id.clone()) {
            let detail = format!("{} names two messages", message.server_msg_id);
            return Err((Invariant::OneMessagePerKey, detail));
        }
        let key = Key::Stored {
            body: new.body.clone(),
            ack: ack.clone(),
        };
        if self.keys.insert(new.key_name(), key).is_some() {
            return Err((
                Invariant::OneMessagePerKey,
                format!("{new:?} is stored twice"),
            ));
        }
        Ok(())
    }

    /// Says what should become of a command.
    fn expected(&self, command: &Command) -> Expected {
        match command {
            Command::Send(new) => {
                match self.keys.get(&new.key_name()) {
                    Some(Key::Void) => return Expected::Refused(ErrorCode::Gone),
                    Some(Key::Stored { body, ack }) if *body == new.body => {
                        return Expected::Known(Ack {
                            duplicate: true,
                            ..ack.clone()
                        });
                    }
                    Some(Key::Stored { .. }) => return Expected::Refused(ErrorCode::IdConflict),
                    None => {}
                }
                let makes_pair = new.create_dev_pair
                    && !self.threads.contains_key(&new.thread_id)
                    && dev_pair(&new.thread_id).is_some_and(|pair| pair.contains(&new.sender_id));
                if makes_pair || self.is_member(&new.thread_id, &new.sender_id) {
                    Expected::New
                } else {
                    Expected::Refused(ErrorCode::NotFound)
                }
            }
            Command::Cancel {
                thread_id,
                sender_id,
                client_msg_id,
            } => {
                let name = (thread_id.clone(), sender_id.clone(), *client_msg_id);
                let thread = self.threads.get(thread_id);
                let was_member = thread.is_some_and(|one| one.stays.contains_key(sender_id));
                match self.keys.get(&name) {
                    Some(Key::Stored { ack, .. }) => Expected::Known(Ack {
                        duplicate: true,
                        ..ack.clone()
                    }),
                    Some(Key::Void) => Expected::Done,
                    None if was_member => Expected::Done,
                    None => Expected::Refused(ErrorCode::NotFound),
                }
            }
            Command::Create {
                thread_id,
                participants,
            } => {
                let is_new = !self.threads.contains_key(thread_id);
                if is_new
                    || participants
                        .iter()
                        .all(|one| self.is_member(thread_id, one))
                {
                    Expected::Done
                } else {
                    Expected::Refused(ErrorCode::NotFound)
                }
            }
            Command::Admit { thread_id, .. } => {
                if self.threads.contains_key(thread_id) {
                    Expected::Done
                } else {
                    Expected::Refused(ErrorCode::NotFound)
                }
            }
            Command::Remove { thread_id, user_id } => {
                let thread = self.threads.get(thread_id);
                if thread.is_some_and(|one| one.stays.contains_key(user_id)) {
                    Expected::Done
                } else {
                    Expected::Refused(ErrorCode::NotFound)
                }
            }
            Command::Edit {
                thread_id,
                user_id,
                server_msg_id,
                ..
            }
            | Command::Tombstone {
                thread_id,
                user_id,
                server_msg_id,
            } => {
                let thread = self.threads.get(thread_id);
                let message = thread.and_then(|one| {
                    one.messages
                        .iter()
                        .find(|one| one.server_msg_id == *server_msg_id)
                });
                match message {
                    Some(_) if !self.is_member(thread_id, user_id) => {
                        Expected::Refused(ErrorCode::NotFound)
                    }
                    None => Expected::Refused(ErrorCode::NotFound),
                    Some(message) if message.sender_id != *user_id => {
                        Expected::Refused(ErrorCode::Forbidden)
                    }
                    Some(message) if message.deleted && matches!(command, Command::Edit { .. }) => {
                        Expected::Refused(ErrorCode::Gone)
                    }
                    Some(_) => Expected::Done,
                }
            }
        }
    }
}

/// What should become of a command.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Expected {
    /// It is refused with this code.
    Refused(ErrorCode),
    /// It is stored already, and answered with this.
    Known(Ack),
    /// It is stored now.
    New,
    /// It is done, now or before.
    Done,
}
