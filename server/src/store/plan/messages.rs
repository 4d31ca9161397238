//! Sending and cancelling: the rules of the key.

use rejoinder_protocol::{
    Ack, Change, ClientMsgId, ErrorCode, Message, Object, Preview, ThreadId, UserId, check_content,
    encode,
};
use ring::digest::{Context, SHA256};

use super::{Key, Planner, StoredKey, ThreadState, Write};
use crate::store::{Answer, NewMessage, Outcome, Publication, SummaryChange, dev_pair};

impl Planner {
    pub(super) fn send(&mut self, new: &NewMessage) -> Outcome {
        let name = new.key_name();
        let payload_hash = payload_hash(new);
        #[cfg(feature = "mutants")]
        self.forget_old_keys();
        // The key comes before everything else: whoever was removed since still learns the fate of
        // what they sent before.
        match self.known.keys.get(&name) {
            Some(Key::Void) => return Outcome::refused(ErrorCode::Gone),
            Some(Key::Stored(stored))
                if stored.payload_hash.is_none_or(|hash| hash == payload_hash) =>
            {
                let ack = ack(&new.thread_id, new.client_msg_id, stored, true);
                #[cfg(feature = "mutants")]
                let ack = self.spoil_duplicate(ack);
                let thread = self.known.threads.get(&new.thread_id);
                return Outcome {
                    participants: thread.map(ThreadState::active).unwrap_or_default(),
                    ..Outcome::unchanged(Answer::Stored(ack))
                };
            }
            Some(Key::Stored(_)) => return Outcome::refused(ErrorCode::IdConflict),
            None => {}
        }
        if let Err(error) = check_content(&new.body, &new.attachments) {
            return Outcome::refused(error.code());
        }
        let mut changes = Vec::new();
        if new.create_dev_pair
            && let Some(pair) = dev_pair(&new.thread_id)
            && pair.contains(&new.sender_id)
        {
            changes = self.create_rows(&new.thread_id, &pair);
        }
        match self.known.threads.get(&new.thread_id) {
            Some(thread) if thread.admits(&new.sender_id) => {}
            Some(_) | None => return Outcome::refused(ErrorCode::NotFound),
        }
        let message = self.number(new);
        let stored = StoredKey {
            payload_hash: Some(payload_hash),
            server_msg_id: message.server_msg_id.clone(),
            sequence_number: message.sequence_number,
            revision: message.revision,
            sent_at: message.sent_at,
        };
        let answer = Answer::Stored(ack(&new.thread_id, new.client_msg_id, &stored, false));
        self.known.keys.insert(name, Key::Stored(stored));
        self.known.messages.insert(
            (new.thread_id.clone(), message.server_msg_id.clone()),
            message.clone(),
        );
        self.writes.push(Write::AddMessage(
            new.thread_id.clone(),
            message.clone(),
            payload_hash,
        ));
        let summary = SummaryChange::Known(Preview::of(&message));
        changes.push(Change {
            thread_id: new.thread_id.clone(),
            revision: message.revision,
            object: Object::Message(message),
        });
        let publication = self.publication(&new.thread_id, changes, summary);
        Outcome::changed(answer, publication)
    }

    #[cfg(feature = "mutants")]
    fn forget_old_keys(&mut self) {
        let now = self.now.get();
        self.known.keys.retain(|_, key| match key {
            Key::Stored(stored) if rejoinder_mutants::planted!(KeyWindow) => {
                stored.sent_at.get() + 20_000 > now
            }
            Key::Stored(_) | Key::Void => true,
        });
    }

    #[cfg(feature = "mutants")]
    fn spoil_duplicate(&mut self, ack: Ack) -> Ack {
        if rejoinder_mutants::planted!(DuplicateBurnsRevision) {
            self.next_revision(&ack.thread_id);
        }
        match rejoinder_mutants::planted!(DuplicateNewTime) {
            true => Ack {
                sent_at: self.now,
                ..ack
            },
            false => ack,
        }
    }

    /// Makes the message, with the next numbers of its thread.
    fn number(&mut self, new: &NewMessage) -> Message {
        let revision = self.next_revision(&new.thread_id);
        let thread = self.known.threads.entry(new.thread_id.clone()).or_default();
        thread.head.sequence_number = thread.head.sequence_number.next();
        Message {
            revision,
            server_msg_id: new.server_msg_id.clone(),
            client_msg_id: new.client_msg_id,
            sender_id: new.sender_id.clone(),
            sequence_number: thread.head.sequence_number,
            sent_at: self.now,
            body: new.body.clone(),
            attachments: new.attachments.clone(),
            edited_at: None,
            deleted: false,
        }
    }

    pub(super) fn cancel(
        &mut self,
        thread_id: &ThreadId,
        sender_id: &UserId,
        client_msg_id: ClientMsgId,
    ) -> Outcome {
        let name = (thread_id.clone(), sender_id.clone(), client_msg_id);
        match self.known.keys.get(&name) {
            Some(Key::Void) => return Outcome::unchanged(Answer::Cancelled),
            Some(Key::Stored(stored)) => {
                let ack = ack(thread_id, client_msg_id, stored, true);
                return Outcome::unchanged(Answer::Stored(ack));
            }
            None => {}
        }
        // Who left may still void: they might be let in again, and a copy of the message may still
        // be on its way.
        let thread = self.known.threads.get(thread_id);
        let mut all = thread.iter().flat_map(|thread| &thread.participants);
        if !all.any(|one| one.user_id == *sender_id) {
            return Outcome::refused(ErrorCode::NotFound);
        }
        self.known.keys.insert(name.clone(), Key::Void);
        self.writes.push(Write::VoidKey(name));
        Outcome::unchanged(Answer::Cancelled)
    }

    pub(super) fn publication(
        &self,
        thread_id: &ThreadId,
        changes: Vec<Change>,
        summary: SummaryChange,
    ) -> Publication {
        let thread = self.known.threads.get(thread_id);
        Publication {
            thread_id: thread_id.clone(),
            changes,
            participants: thread.map(|thread| thread.active()).unwrap_or_default(),
            removed: Vec::new(),
            sequence_number: thread
                .map(|thread| thread.head.sequence_number)
                .unwrap_or_default(),
            summary,
        }
    }
}

fn ack(
    thread_id: &ThreadId,
    client_msg_id: ClientMsgId,
    stored: &StoredKey,
    duplicate: bool,
) -> Ack {
    Ack {
        thread_id: thread_id.clone(),
        client_msg_id,
        server_msg_id: stored.server_msg_id.clone(),
        sequence_number: stored.sequence_number,
        revision: stored.revision,
        sent_at: stored.sent_at,
        duplicate,
    }
}

/// SHA-256 of what the sender wrote. The body's length stands before it, so that no body and
/// attachments can be shifted into another pair of the same bytes.
fn payload_hash(new: &NewMessage) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    context.update(&(new.body.len() as u64).to_be_bytes());
    context.update(new.body.as_bytes());
    context.update(encode(&new.attachments).as_bytes());
    let mut hash = [0; 32];
    for (to, from) in hash.iter_mut().zip(context.finish().as_ref()) {
        *to = *from;
    }
    hash
}
