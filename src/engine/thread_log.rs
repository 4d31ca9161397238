//! The confirmed part of one thread: its rows, its order, and how far it reaches.

use std::collections::BTreeMap;
use std::sync::Arc;

use rejoinder_protocol::{
    Change, ClientMsgId, Cursor, Epoch, HistoryPage, Message, Object, Page, Participant, Reset,
    Revision, SequenceNumber, UserId,
};

use super::stored::ThreadLoad;

/// A confirmed message, with the id that it is shown under.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    pub(crate) id: Arc<str>,
    pub(crate) message: Message,
}

/// What a frame changed in a log.
#[derive(Clone, Debug, Default)]
pub(crate) struct Applied {
    /// The cursor before.
    pub(crate) from: Revision,
    /// The cursor after.
    pub(crate) to: Revision,
    /// Every message of the frame, also those below the window: storage may reach further.
    pub(crate) messages: Vec<Message>,
    /// Every participant of the frame.
    pub(crate) participants: Vec<Participant>,
    /// Places of messages that were not known before.
    pub(crate) arrived: Vec<SequenceNumber>,
    /// Places of rows that differ now.
    pub(crate) touched: Vec<SequenceNumber>,
}

/// What became of a frame.
#[derive(Debug)]
pub(crate) enum Outcome {
    Applied(Applied),
    /// Everything in it is known.
    Known,
    /// Something before it is missing.
    Hole,
}

/// The confirmed part of one thread.
#[derive(Clone, Debug)]
pub(crate) struct ThreadLog {
    user_id: UserId,
    /// Everything up to here is held.
    pub(crate) cursor: Option<Cursor>,
    /// What the engine believes about the stored record, for its writes.
    pub(crate) stored: Option<(Epoch, u64)>,
    /// The oldest stored message.
    pub(crate) stored_oldest: SequenceNumber,
    rows: BTreeMap<SequenceNumber, Held>,
    pub(crate) participants: BTreeMap<UserId, Participant>,
    /// The oldest message of the window; without a hole from here, except while catching up.
    pub(crate) oldest: SequenceNumber,
    /// The newest change of a message below the window: what is read there must be as new.
    skipped_revision: Revision,
}

impl ThreadLog {
    pub(crate) fn new(user_id: UserId, load: ThreadLoad) -> Self {
        let first = SequenceNumber::ZERO.next();
        let mut log = Self {
            user_id,
            cursor: None,
            stored: None,
            stored_oldest: first,
            rows: BTreeMap::new(),
            participants: BTreeMap::new(),
            oldest: first,
            skipped_revision: Revision::ZERO,
        };
        for participant in load.participants {
            log.participants
                .insert(participant.user_id.clone(), participant);
        }
        if let Some(record) = load.cursor {
            log.stored = Some((record.epoch.clone(), record.reset_count));
            log.stored_oldest = record.oldest;
            log.skipped_revision = record.skipped_revision;
            log.oldest = load
                .messages
                .first()
                .map_or(record.oldest, |row| row.sequence_number);
            if load.usable {
                log.cursor = Some(Cursor {
                    epoch: record.epoch,
                    revision: record.revision,
                });
            }
        }
        for message in load.messages {
            log.put(message);
        }
        log
    }

    pub(crate) fn revision(&self) -> Revision {
        self.cursor
            .as_ref()
            .map_or(Revision::ZERO, |cursor| cursor.revision)
    }

    pub(crate) fn get(&self, sequence_number: SequenceNumber) -> Option<&Held> {
        self.rows.get(&sequence_number)
    }

    pub(crate) fn rows(&self) -> impl Iterator<Item = &Held> {
        self.rows.values()
    }

    pub(crate) fn newest(&self) -> Option<&Held> {
        self.rows.values().next_back()
    }

    pub(crate) fn holds_own(&self, client_msg_id: ClientMsgId) -> bool {
        self.rows.values().rev().any(|held| {
            held.message.client_msg_id == client_msg_id && held.message.sender_id == self.user_id
        })
    }

    pub(crate) fn has_older(&self) -> bool {
        self.oldest > SequenceNumber::ZERO.next()
    }

    /// Whether places between the first and the newest row are empty.
    pub(crate) fn has_gap(&self) -> bool {
        let ends = (self.rows.first_key_value(), self.rows.last_key_value());
        let (Some((first, _)), Some((newest, _))) = ends else {
            return false;
        };
        let span = (newest.get() + 1).saturating_sub(first.get());
        u64::try_from(self.rows.len()).unwrap_or(u64::MAX) < span
    }

    /// Returns own messages among these, whose outbox rows are no longer needed.
    pub(crate) fn own_keys(&self, messages: &[Message]) -> Vec<ClientMsgId> {
        messages
            .iter()
            .filter(|message| message.sender_id == self.user_id)
            .map(|message| message.client_msg_id)
            .collect()
    }

    fn put(&mut self, message: Message) {
        let id = if message.sender_id == self.user_id {
            message.client_msg_id.to_string()
        } else {
            message.server_msg_id.as_str().to_owned()
        };
        self.rows.insert(
            message.sequence_number,
            Held {
                id: id.into(),
                message,
            },
        );
    }

    /// Takes a message unless a newer state of it is held. Returns whether the row is new.
    fn merge(&mut self, message: &Message, applied: &mut Applied) {
        applied.messages.push(message.clone());
        let place = message.sequence_number;
        if place < self.oldest {
            self.skipped_revision = self.skipped_revision.max(message.revision);
            return;
        }
        match self.rows.get(&place) {
            Some(held) if held.message.revision > message.revision => return,
            Some(_) => {}
            None => applied.arrived.push(place),
        }
        self.put(message.clone());
        applied.touched.push(place);
    }

    fn merge_participant(&mut self, participant: &Participant, applied: &mut Applied) {
        let held = self.participants.get(&participant.user_id);
        if held.is_none_or(|held| held.revision <= participant.revision) {
            self.participants
                .insert(participant.user_id.clone(), participant.clone());
        }
        applied.participants.push(participant.clone());
    }

    fn merge_object(&mut self, object: &Object, applied: &mut Applied) {
        match object {
            Object::Message(message) => self.merge(message, applied),
            Object::Participant(participant) => self.merge_participant(participant, applied),
            // A kind of a later version; that its revision was seen is all that can be kept.
            Object::Unknown => {}
        }
    }

    fn advance(&mut self, to: Revision, applied: &mut Applied) {
        applied.from = self.revision();
        if let Some(cursor) = &mut self.cursor {
            cursor.revision = to;
        }
        applied.to = to;
        applied.arrived.sort_unstable();
    }

    pub(crate) fn apply_page(&mut self, page: &Page) -> Outcome {
        let held = self.revision();
        if self.cursor.is_none() || page.from_revision > held {
            return Outcome::Hole;
        }
        if page.to_revision <= held {
            return Outcome::Known;
        }
        let mut applied = Applied::default();
        for object in &page.changes {
            self.merge_object(object, &mut applied);
        }
        self.advance(page.to_revision, &mut applied);
        Outcome::Applied(applied)
    }

    pub(crate) fn apply_change(&mut self, change: &Change) -> Outcome {
        let held = self.revision();
        let is_hole = change.revision > held.next();
        #[cfg(feature = "mutants")]
        let is_hole = is_hole && !rejoinder_mutants::planted!(CursorJumpsHole);
        if self.cursor.is_none() || is_hole {
            return Outcome::Hole;
        }
        if change.revision <= held {
            return Outcome::Known;
        }
        let mut applied = Applied::default();
        self.merge_object(&change.object, &mut applied);
        self.advance(change.revision, &mut applied);
        Outcome::Applied(applied)
    }

    /// Replaces everything confirmed. Returns `None` for a reset that is older than what is held
    /// and answers a cursor that is not ours any more: it crossed with another answer.
    pub(crate) fn apply_reset(&mut self, reset: &Reset) -> Option<Applied> {
        if let Some(cursor) = &self.cursor {
            let is_behind = cursor.epoch == reset.epoch && reset.head_revision < cursor.revision;
            if is_behind && reset.answers.as_ref() != Some(cursor) {
                return None;
            }
        }
        let mut applied = Applied {
            from: self.revision(),
            ..Applied::default()
        };
        self.rows.clear();
        self.participants.clear();
        self.skipped_revision = Revision::ZERO;
        let places = reset.window.iter().filter_map(|object| match object {
            Object::Message(message) => Some(message.sequence_number),
            Object::Participant(_) | Object::Unknown => None,
        });
        self.oldest = places.min().unwrap_or(SequenceNumber::ZERO.next());
        for object in &reset.window {
            self.merge_object(object, &mut applied);
        }
        applied
            .messages
            .sort_by_key(|message| message.sequence_number);
        let revision = reset.head_revision;
        self.cursor = Some(Cursor {
            epoch: reset.epoch.clone(),
            revision,
        });
        applied.to = revision;
        // A first window is shown, not announced.
        applied.arrived.clear();
        Some(applied)
    }

    /// What the engine believes is stored once its `Reset` write has committed.
    pub(crate) fn reset_stored(&mut self) {
        let count = self.stored.as_ref().map_or(0, |(_, count)| *count) + 1;
        self.stored = self
            .cursor
            .as_ref()
            .map(|cursor| (cursor.epoch.clone(), count));
        self.stored_oldest = self.oldest;
    }

    /// Takes messages right below the window. Returns the places, or `None` if they do not fit:
    /// the window moved, or a change of one of them was skipped after they were read.
    pub(crate) fn apply_history(&mut self, page: &HistoryPage) -> Option<Vec<SequenceNumber>> {
        let same_epoch = self
            .cursor
            .as_ref()
            .is_some_and(|cursor| cursor.epoch == page.epoch);
        let is_old = page.as_of < self.skipped_revision;
        #[cfg(feature = "mutants")]
        let is_old = is_old && !rejoinder_mutants::planted!(HistoryBelieved);
        if !same_epoch || is_old {
            return None;
        }
        let places = self.prepend(page.messages.clone())?;
        if places.is_empty() && !page.has_older {
            // The gateway knows of nothing older: there is nothing to wait for.
            self.oldest = SequenceNumber::ZERO.next();
        }
        Some(places)
    }

    /// Takes stored messages right below the window; `None` if they do not fit.
    pub(crate) fn prepend(&mut self, messages: Vec<Message>) -> Option<Vec<SequenceNumber>> {
        let Some(last) = messages.last() else {
            return Some(Vec::new());
        };
        let dense = messages
            .windows(2)
            .all(|pair| matches!(pair, [a, b] if a.sequence_number.next() == b.sequence_number));
        if last.sequence_number.next() != self.oldest || !dense {
            return None;
        }
        let places: Vec<SequenceNumber> = messages
            .iter()
            .map(|message| message.sequence_number)
            .collect();
        if let Some(first) = places.first() {
            self.oldest = *first;
        }
        for message in messages {
            self.put(message);
        }
        Some(places)
    }

    /// The newest change of a message below the window.
    pub(crate) fn skipped_revision(&self) -> Revision {
        self.skipped_revision
    }

    /// What was skipped before this log was loaded anew: an answer that was on its way then may
    /// still lack it.
    pub(crate) fn remember_skipped(&mut self, revision: Revision) {
        self.skipped_revision = self.skipped_revision.max(revision);
    }
}
