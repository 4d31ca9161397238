//! Who may know what: every frame that a client hears must be about a thread in which its user took
//! part at the change that the frame tells of.

use std::collections::{BTreeMap, BTreeSet};

use rejoinder_gateway::core::SessionKey;
use rejoinder_gateway::store::Applied;
use rejoinder_protocol::{
    ClientFrame, ClientMsgId, Message, Object, Revision, ServerFrame, ServerMsgId, ThreadId,
    ThreadSummary, UserId, decode_server_frame,
};

/// What is known beside the gateway.
#[derive(Default)]
pub(super) struct Witness {
    /// Who took part in a thread after each of its changes.
    members: BTreeMap<(ThreadId, Revision), BTreeSet<UserId>>,
    /// Who ever took part.
    ever: BTreeSet<(ThreadId, UserId)>,
    /// Messages that exist, each by its first change.
    messages: BTreeMap<ServerMsgId, (ThreadId, UserId, ClientMsgId)>,
    /// Keys that were used or voided, by whom and where.
    keys: BTreeSet<(UserId, ThreadId, ClientMsgId)>,
    /// Whom a session's token named.
    users: BTreeMap<SessionKey, UserId>,
    gone: BTreeSet<SessionKey>,
}

impl Witness {
    /// A session's token names a user; a later one of another user changes nothing.
    pub(super) fn verified(&mut self, session: SessionKey, user_id: &UserId) {
        self.users.entry(session).or_insert_with(|| user_id.clone());
    }

    pub(super) fn says(&mut self, session: SessionKey, frame: &ClientFrame) {
        let (thread_id, key) = match frame {
            ClientFrame::Send(send) => (&send.thread_id, send.client_msg_id),
            ClientFrame::Cancel(cancel) => (&cancel.thread_id, cancel.client_msg_id),
            _ => return,
        };
        if let Some(user_id) = self.users.get(&session) {
            self.key(user_id.clone(), thread_id.clone(), key);
        }
    }

    pub(super) fn key(&mut self, user_id: UserId, thread_id: ThreadId, key: ClientMsgId) {
        self.keys.insert((user_id, thread_id, key));
    }

    pub(super) fn committed(&mut self, applied: &Applied) {
        let outcomes = applied.outcomes.iter().flatten();
        for publication in outcomes.filter_map(|outcome| outcome.publication.as_ref()) {
            let thread_id = &publication.thread_id;
            for user_id in &publication.participants {
                self.ever.insert((thread_id.clone(), user_id.clone()));
            }
            for change in &publication.changes {
                let place = (thread_id.clone(), change.revision);
                let members = publication.participants.iter().cloned().collect();
                let before = self.members.insert(place, members);
                assert_eq!(before, None, "{thread_id} has two changes of one number");
                if let Object::Message(message) = &change.object {
                    self.check_sender(thread_id, message);
                    self.messages
                        .entry(message.server_msg_id.clone())
                        .or_insert((
                            thread_id.clone(),
                            message.sender_id.clone(),
                            message.client_msg_id,
                        ));
                }
            }
        }
    }

    /// Messages by rising id.
    pub(super) fn message(&self, index: u64) -> Option<(ServerMsgId, ThreadId, UserId)> {
        let count = self.messages.len() as u64;
        let index = usize::try_from(index.checked_rem(count)?).unwrap();
        let (id, (thread_id, sender_id, _)) = self.messages.iter().nth(index)?;
        Some((id.clone(), thread_id.clone(), sender_id.clone()))
    }

    pub(super) fn left(&mut self, session: SessionKey) {
        self.gone.insert(session);
    }

    /// A client is told something.
    pub(super) fn hears(&self, session: SessionKey, text: &str) {
        let frame = decode_server_frame(text).expect("what a gateway says is a frame");
        assert!(!self.gone.contains(&session), "told after the end: {text}");
        match &frame {
            ServerFrame::Error(_)
            | ServerFrame::Goodbye(_)
            | ServerFrame::Ping
            | ServerFrame::Pong => return,
            ServerFrame::Unknown => panic!("not of this version: {text}"),
            _ => {}
        }
        let user_id = self.users.get(&session);
        let user_id = user_id.unwrap_or_else(|| panic!("told to a stranger: {text}"));
        self.check(user_id, &frame);
    }

    fn check(&self, user_id: &UserId, frame: &ServerFrame) {
        match frame {
            ServerFrame::Change(change) => {
                self.check_member(user_id, &change.thread_id, change.revision, frame);
                self.check_object(&change.thread_id, &change.object);
            }
            ServerFrame::Page(page) => {
                self.check_member(user_id, &page.thread_id, page.head_revision, frame);
                for object in &page.changes {
                    self.check_object(&page.thread_id, object);
                }
            }
            ServerFrame::Reset(reset) => {
                self.check_member(user_id, &reset.thread_id, reset.head_revision, frame);
                for object in &reset.window {
                    self.check_object(&reset.thread_id, object);
                }
            }
            ServerFrame::History(page) => {
                self.check_member(user_id, &page.thread_id, page.as_of, frame);
                for message in &page.messages {
                    self.check_sender(&page.thread_id, message);
                }
            }
            ServerFrame::Live(live) => {
                self.check_member(user_id, &live.thread_id, live.revision, frame);
            }
            ServerFrame::Thread(summary) => self.check_summary(user_id, summary, frame),
            ServerFrame::Inbox(page) => {
                for summary in &page.threads {
                    self.check_summary(user_id, summary, frame);
                }
            }
            ServerFrame::Ack(ack) => {
                self.check_key(user_id, &ack.thread_id, ack.client_msg_id, frame);
            }
            ServerFrame::Cancelled(cancelled) => {
                let key = cancelled.client_msg_id;
                self.check_key(user_id, &cancelled.thread_id, key, frame);
            }
            ServerFrame::Removed(removed) => {
                self.check_ever(user_id, &removed.thread_id, frame);
            }
            // A lease may be told a moment after its thread was left.
            ServerFrame::Typing(typing) => {
                self.check_ever(user_id, &typing.thread_id, frame);
                self.check_ever(&typing.user_id, &typing.thread_id, frame);
            }
            ServerFrame::Presence(presence) => {
                let mine = self.ever.iter().filter(|(_, one)| one == user_id);
                let is_shared = mine.map(|(thread_id, _)| thread_id).any(|thread_id| {
                    let other = (thread_id.clone(), presence.user_id.clone());
                    self.ever.contains(&other)
                });
                assert!(is_shared, "{user_id} shares no thread: {frame:?}");
            }
            ServerFrame::Welcome(welcome) => assert_eq!(&welcome.user_id, user_id),
            ServerFrame::Authenticated(_)
            | ServerFrame::Error(_)
            | ServerFrame::Goodbye(_)
            | ServerFrame::Ping
            | ServerFrame::Pong
            | ServerFrame::Unknown => {}
        }
    }

    fn check_member(
        &self,
        user_id: &UserId,
        thread_id: &ThreadId,
        revision: Revision,
        frame: &ServerFrame,
    ) {
        let members = self.members.get(&(thread_id.clone(), revision));
        let is_member = members.is_some_and(|all| all.contains(user_id));
        assert!(is_member, "{user_id} is not among {members:?}: {frame:?}");
    }

    fn check_summary(&self, user_id: &UserId, summary: &ThreadSummary, frame: &ServerFrame) {
        self.check_member(user_id, &summary.thread_id, summary.revision, frame);
    }

    fn check_ever(&self, user_id: &UserId, thread_id: &ThreadId, frame: &ServerFrame) {
        let place = (thread_id.clone(), user_id.clone());
        assert!(self.ever.contains(&place), "{user_id} never: {frame:?}");
    }

    fn check_key(
        &self,
        user_id: &UserId,
        thread_id: &ThreadId,
        key: ClientMsgId,
        frame: &ServerFrame,
    ) {
        let place = (user_id.clone(), thread_id.clone(), key);
        assert!(self.keys.contains(&place), "{user_id} said no: {frame:?}");
    }

    fn check_object(&self, thread_id: &ThreadId, object: &Object) {
        match object {
            Object::Message(message) => self.check_sender(thread_id, message),
            Object::Participant(one) => {
                let place = (thread_id.clone(), one.user_id.clone());
                assert!(self.ever.contains(&place), "{one:?} in {thread_id}");
            }
            Object::Unknown => panic!("not of this version, in {thread_id}"),
        }
    }

    /// Nobody speaks in another's name, and no message is in another thread than its own.
    fn check_sender(&self, thread_id: &ThreadId, message: &Message) {
        let key = (
            message.sender_id.clone(),
            thread_id.clone(),
            message.client_msg_id,
        );
        assert!(self.keys.contains(&key), "never sent here: {message:?}");
    }
}
