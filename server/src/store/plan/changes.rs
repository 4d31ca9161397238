//! Threads, participants, edits and deletions.

use rejoinder_protocol::{
    Change, ErrorCode, Message, Object, Participant, ServerMsgId, ThreadId, UserId, check_content,
};

use super::{Planner, ThreadState, Write};
use crate::store::{Answer, Outcome, SummaryChange};

/// People who ever took part in one thread: each is in the window of every `reset`, which has to fit
/// into a frame.
const PARTICIPANTS_MAX: usize = 64;

impl Planner {
    pub(super) fn create(&mut self, thread_id: &ThreadId, pair: &[UserId; 2]) -> Outcome {
        let changes = self.create_rows(thread_id, pair);
        if changes.is_empty() {
            // The same call again is a success, another pair must not learn that the id is taken.
            let thread = self.known.threads.get(thread_id);
            let same = thread.is_some_and(|thread| pair.iter().all(|one| thread.admits(one)));
            return if same {
                Outcome::unchanged(Answer::Done)
            } else {
                Outcome::refused(ErrorCode::NotFound)
            };
        }
        let publication = self.publication(thread_id, changes, SummaryChange::Known(None));
        Outcome::changed(Answer::Done, publication)
    }

    /// Creates a thread with its participants; nothing if it exists.
    pub(super) fn create_rows(&mut self, thread_id: &ThreadId, pair: &[UserId; 2]) -> Vec<Change> {
        if self.known.threads.contains_key(thread_id) {
            return Vec::new();
        }
        self.known
            .threads
            .insert(thread_id.clone(), ThreadState::default());
        pair.iter()
            .map(|user_id| {
                let participant = Participant {
                    revision: self.next_revision(thread_id),
                    user_id: user_id.clone(),
                    joined_at: self.now,
                    left_at: None,
                    read_sequence_number: None,
                };
                self.put_participant(thread_id, participant)
            })
            .collect()
    }

    pub(super) fn admit(&mut self, thread_id: &ThreadId, user_id: &UserId) -> Outcome {
        let Some(thread) = self.known.threads.get(thread_id) else {
            return Outcome::refused(ErrorCode::NotFound);
        };
        let found = thread
            .participants
            .iter()
            .find(|one| one.user_id == *user_id);
        if found.is_some_and(|one| one.left_at.is_none()) {
            return Outcome::unchanged(Answer::Done);
        }
        if found.is_none() && thread.participants.len() >= PARTICIPANTS_MAX {
            return Outcome::refused(ErrorCode::Limit);
        }
        let read_sequence_number = found.and_then(|one| one.read_sequence_number);
        let participant = Participant {
            revision: self.next_revision(thread_id),
            user_id: user_id.clone(),
            joined_at: self.now,
            left_at: None,
            read_sequence_number,
        };
        let change = self.put_participant(thread_id, participant);
        let publication = self.publication(thread_id, vec![change], SummaryChange::Unknown);
        Outcome::changed(Answer::Done, publication)
    }

    pub(super) fn remove(&mut self, thread_id: &ThreadId, user_id: &UserId) -> Outcome {
        let thread = self.known.threads.get(thread_id);
        let mut all = thread.iter().flat_map(|thread| &thread.participants);
        let found = all.find(|one| one.user_id == *user_id).cloned();
        let Some(participant) = found else {
            return Outcome::refused(ErrorCode::NotFound);
        };
        if participant.left_at.is_some() {
            return Outcome::unchanged(Answer::Done);
        }
        let participant = Participant {
            revision: self.next_revision(thread_id),
            left_at: Some(self.now),
            ..participant
        };
        let change = self.put_participant(thread_id, participant);
        let mut publication = self.publication(thread_id, vec![change], SummaryChange::Unknown);
        publication.removed = vec![user_id.clone()];
        Outcome::changed(Answer::Done, publication)
    }

    fn put_participant(&mut self, thread_id: &ThreadId, participant: Participant) -> Change {
        if let Some(thread) = self.known.threads.get_mut(thread_id) {
            thread
                .participants
                .retain(|one| one.user_id != participant.user_id);
            thread.participants.push(participant.clone());
        }
        self.writes.push(Write::PutParticipant(
            thread_id.clone(),
            participant.clone(),
        ));
        Change {
            thread_id: thread_id.clone(),
            revision: participant.revision,
            object: Object::Participant(participant),
        }
    }

    pub(super) fn edit(
        &mut self,
        thread_id: &ThreadId,
        user_id: &UserId,
        server_msg_id: &ServerMsgId,
        body: &str,
    ) -> Outcome {
        let message = match self.own_message(thread_id, user_id, server_msg_id) {
            Ok(message) => message,
            Err(code) => return Outcome::refused(code),
        };
        if message.deleted {
            return Outcome::refused(ErrorCode::Gone);
        }
        if let Err(error) = check_content(body, &message.attachments) {
            return Outcome::refused(error.code());
        }
        self.replace(
            thread_id,
            Message {
                body: body.to_owned(),
                edited_at: Some(self.now),
                ..message
            },
        )
    }

    pub(super) fn tombstone(
        &mut self,
        thread_id: &ThreadId,
        user_id: &UserId,
        server_msg_id: &ServerMsgId,
    ) -> Outcome {
        let message = match self.own_message(thread_id, user_id, server_msg_id) {
            Ok(message) => message,
            Err(code) => return Outcome::refused(code),
        };
        if message.deleted {
            return Outcome::unchanged(Answer::Done);
        }
        self.replace(
            thread_id,
            Message {
                body: String::new(),
                attachments: Vec::new(),
                deleted: true,
                ..message
            },
        )
    }

    fn own_message(
        &self,
        thread_id: &ThreadId,
        user_id: &UserId,
        server_msg_id: &ServerMsgId,
    ) -> Result<Message, ErrorCode> {
        let thread = self.known.threads.get(thread_id);
        if !thread.is_some_and(|thread| thread.admits(user_id)) {
            return Err(ErrorCode::NotFound);
        }
        let name = (thread_id.clone(), server_msg_id.clone());
        match self.known.messages.get(&name) {
            None => Err(ErrorCode::NotFound),
            Some(message) if message.sender_id != *user_id => Err(ErrorCode::Forbidden),
            Some(message) => Ok(message.clone()),
        }
    }

    fn replace(&mut self, thread_id: &ThreadId, message: Message) -> Outcome {
        let revision = self.next_revision(thread_id);
        #[cfg(feature = "mutants")]
        let revision = match rejoinder_mutants::planted!(EditKeepsRevision) {
            true => message.revision,
            false => revision,
        };
        let message = Message {
            revision,
            ..message
        };
        self.known.messages.insert(
            (thread_id.clone(), message.server_msg_id.clone()),
            message.clone(),
        );
        self.writes
            .push(Write::ReplaceMessage(thread_id.clone(), message.clone()));
        let change = Change {
            thread_id: thread_id.clone(),
            revision: message.revision,
            object: Object::Message(message),
        };
        let publication = self.publication(thread_id, vec![change], SummaryChange::Unknown);
        Outcome::changed(Answer::Done, publication)
    }
}
