//! Whatever a gateway may say.

use rejoinder_protocol::{
    Ack, Authenticated, Cancelled, Change, ClientFrameType, ClientMsgId, Cursor, Epoch, ErrorCode,
    ErrorFrame, ErrorRef, Goodbye, HistoryPage, InboxPage, Live, Message, Object, Page, Presence,
    PresenceState, Preview, Removed, Reset, ServerFrame, ThreadSummary, TypingNotice, UnixMillis,
    UserId, Welcome,
};

use super::Tab;
use crate::script::{cursor, epoch, from_bob, own, participants, rev, seq, user, welcome};

/// One key stands in one place: that much the store guarantees.
fn place_of(key: ClientMsgId) -> u64 {
    30 + u64::try_from(key.uuid().as_u128() % 1_000).unwrap()
}

impl Tab<'_> {
    fn message(&mut self) -> Message {
        let revision = rev(self.choices.below(40));
        let message = if self.choices.bool() {
            from_bob(self.choices.below(29) + 1)
        } else {
            let key = self.key();
            own(place_of(key), key, "mine")
        };
        Message {
            revision,
            deleted: self.choices.one_in(9),
            ..message
        }
    }

    fn objects(&mut self) -> Vec<Object> {
        let mut objects = Vec::new();
        for _ in 0..self.choices.below(6) {
            objects.push(if self.choices.one_in(12) {
                Object::Unknown
            } else {
                Object::Message(self.message())
            });
        }
        if self.choices.bool() {
            objects.extend(participants());
        }
        objects
    }

    /// Any time that a gateway may tell.
    fn time(&mut self) -> UnixMillis {
        self.choices.number().try_into().unwrap()
    }

    fn epoch(&mut self) -> Epoch {
        if self.choices.one_in(6) {
            "e2".parse().unwrap()
        } else {
            epoch()
        }
    }

    fn person(&mut self) -> UserId {
        let name = self.choices.of(&["bob", "alice", "carol"]);
        user(name)
    }

    pub(super) fn welcome(&mut self) -> Welcome {
        let name = if self.choices.one_in(16) {
            "bob"
        } else {
            "alice"
        };
        let ServerFrame::Welcome(welcome) = welcome(name) else {
            unreachable!("a welcome is one");
        };
        Welcome {
            epoch: self.epoch(),
            server_time: self.time(),
            token_expires_at: self.choices.bool().then(|| self.time()),
            ..welcome
        }
    }

    fn summary(&mut self) -> ThreadSummary {
        ThreadSummary {
            thread_id: self.thread(),
            participants: vec![user("alice"), self.person()],
            revision: rev(self.choices.below(40)),
            sequence_number: seq(self.choices.below(40)),
            preview: self.choices.bool().then(|| Preview {
                sender_id: self.person(),
                body: "preview".to_owned(),
                sent_at: self.time(),
            }),
        }
    }

    /// Any frame.
    pub(super) fn frame(&mut self) -> ServerFrame {
        match self.choices.below(26) {
            0..14 => self.log_frame(),
            14..20 => self.outbox_frame(),
            _ => self.other_frame(),
        }
    }

    fn log_frame(&mut self) -> ServerFrame {
        let thread_id = self.thread();
        let revision = rev(self.choices.below(40));
        match self.choices.below(14) {
            0..2 => ServerFrame::Live(Live {
                thread_id,
                revision,
            }),
            2..5 => ServerFrame::Change(Change {
                thread_id,
                revision,
                object: Object::Message(self.message()),
            }),
            5..8 => ServerFrame::Page(Page {
                thread_id,
                from_revision: revision,
                to_revision: rev(self.choices.below(40)),
                head_revision: rev(self.choices.below(40)),
                changes: self.objects(),
                more: self.choices.bool(),
            }),
            8..11 => ServerFrame::Reset(Reset {
                thread_id,
                epoch: self.epoch(),
                head_revision: revision,
                window: self.objects(),
                has_older: self.choices.bool(),
                answers: self.choices.bool().then(|| Cursor {
                    epoch: self.epoch(),
                    ..cursor(self.choices.below(40))
                }),
            }),
            11..13 => {
                let mut messages = Vec::new();
                for _ in 0..self.choices.below(4) {
                    messages.push(self.message());
                }
                messages.sort_by_key(|message| message.sequence_number);
                ServerFrame::History(HistoryPage {
                    thread_id,
                    before_sequence_number: seq(self.choices.below(40)),
                    epoch: self.epoch(),
                    as_of: revision,
                    messages,
                    has_older: self.choices.bool(),
                })
            }
            _ => ServerFrame::Removed(Removed { thread_id }),
        }
    }

    fn outbox_frame(&mut self) -> ServerFrame {
        let thread_id = self.thread();
        let client_msg_id = self.key();
        match self.choices.below(6) {
            0..3 => {
                let place = place_of(client_msg_id);
                ServerFrame::Ack(Ack {
                    thread_id,
                    client_msg_id,
                    server_msg_id: format!("m{place}").parse().unwrap(),
                    sequence_number: seq(place),
                    revision: rev(self.choices.below(40)),
                    sent_at: self.time(),
                    duplicate: self.choices.bool(),
                })
            }
            3 => ServerFrame::Cancelled(Cancelled {
                thread_id,
                client_msg_id,
            }),
            _ => self.error(),
        }
    }

    fn error(&mut self) -> ServerFrame {
        let frame_type = self.choices.of(&[
            ClientFrameType::Send,
            ClientFrameType::Cancel,
            ClientFrameType::Subscribe,
            ClientFrameType::Sync,
            ClientFrameType::History,
            ClientFrameType::Inbox,
            ClientFrameType::Auth,
            ClientFrameType::Unknown,
        ]);
        let reference = (!self.choices.one_in(8)).then(|| ErrorRef {
            frame_type,
            thread_id: (!self.choices.one_in(8)).then(|| self.thread()),
            client_msg_id: (!self.choices.one_in(8)).then(|| self.key()),
        });
        ServerFrame::Error(ErrorFrame {
            reference,
            code: self.choices.of(&[
                ErrorCode::Busy,
                ErrorCode::Invalid,
                ErrorCode::Gone,
                ErrorCode::NotFound,
                ErrorCode::BadJson,
                ErrorCode::UnknownType,
                ErrorCode::RateLimited,
                ErrorCode::Limit,
                ErrorCode::Unknown,
            ]),
            retry_after_ms: self.choices.bool().then(|| self.choices.number()),
        })
    }

    fn other_frame(&mut self) -> ServerFrame {
        match self.choices.below(9) {
            0 => ServerFrame::Authenticated(Authenticated {
                expires_at: self.time(),
            }),
            1 => ServerFrame::Typing(TypingNotice {
                thread_id: self.thread(),
                user_id: self.person(),
                is_typing: self.choices.bool(),
            }),
            2 => ServerFrame::Presence(Presence {
                user_id: self.person(),
                state: self.choices.of(&[
                    PresenceState::Online,
                    PresenceState::Offline,
                    PresenceState::Unknown,
                ]),
                last_seen_at: self.choices.bool().then(|| self.time()),
            }),
            3 => ServerFrame::Goodbye(Goodbye {
                code: self.choices.of(&[4000, 4003, 4101, 4500, 7]),
                retry_after_ms: self.choices.bool().then(|| self.choices.number()),
            }),
            4 => ServerFrame::Thread(self.summary()),
            5 => {
                let mut threads = Vec::new();
                for _ in 0..self.choices.below(3) {
                    threads.push(self.summary());
                }
                ServerFrame::Inbox(InboxPage {
                    threads,
                    next: self.choices.bool().then(|| "next".to_owned()),
                })
            }
            6 => ServerFrame::Welcome(self.welcome()),
            7 => ServerFrame::Ping,
            _ => ServerFrame::Pong,
        }
    }
}
