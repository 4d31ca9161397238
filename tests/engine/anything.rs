//! Whatever arrives, in whatever order: the engine does not panic, shows no message twice and keeps
//! nothing that nobody sees ([`crate::story::screen::Screen`] checks every delta).

use fastrand::Rng;
use rejoinder::engine::{
    AppInput, Attempt, Input, Lifecycle, StorageFailure, StoredResult, TokenInput, WriteId,
};
use rejoinder_protocol::{
    Ack, Authenticated, Cancelled, Change, ClientFrameType, ErrorCode, ErrorFrame, ErrorRef,
    Goodbye, HistoryPage, Live, Message, Object, Page, Removed, Reset, ServerFrame, Token,
    TypingNotice, UnixMillis,
};

use crate::script::{
    Script, bobs_key, cursor, epoch, from_bob, own, participants, rev, seq, user, welcome,
};
use crate::story::browser::Output;
use crate::story::storage::Storage;
use crate::story::thread;

struct Chaos {
    rng: Rng,
    alice: Script,
    keys: Vec<rejoinder_protocol::ClientMsgId>,
}

/// One key stands in one place: that much the store guarantees.
fn place_of(key: rejoinder_protocol::ClientMsgId) -> u64 {
    30 + (key.uuid().as_u128() % 1_000) as u64
}

impl Chaos {
    fn key(&mut self) -> rejoinder_protocol::ClientMsgId {
        let index = self.rng.usize(0..=self.keys.len());
        self.keys
            .get(index)
            .copied()
            .unwrap_or_else(|| bobs_key(self.rng.u64(0..20)))
    }

    fn message(&mut self) -> Message {
        let revision = rev(self.rng.u64(0..40));
        let message = if self.rng.bool() {
            from_bob(self.rng.u64(1..30))
        } else {
            let key = self.key();
            own(place_of(key), key, "mine")
        };
        Message {
            revision,
            deleted: self.rng.u8(0..9) == 0,
            ..message
        }
    }

    fn objects(&mut self) -> Vec<Object> {
        let count = self.rng.usize(0..6);
        let mut objects: Vec<Object> = (0..count)
            .map(|_| Object::Message(self.message()))
            .collect();
        if self.rng.bool() {
            objects.extend(participants());
        }
        objects
    }

    /// Any time that a gateway may tell.
    fn time(&mut self) -> UnixMillis {
        let largest = (1 << 53) - 1;
        let bits = self.rng.u32(0..54);
        let time = self.rng.u64(0..=largest) & ((1 << bits) - 1);
        time.try_into().unwrap()
    }

    fn frame(&mut self) -> ServerFrame {
        let thread_id = thread();
        let revision = rev(self.rng.u64(0..40));
        match self.rng.u8(0..15) {
            14 => ServerFrame::Authenticated(Authenticated {
                expires_at: self.time(),
            }),
            0 => ServerFrame::Live(Live {
                thread_id,
                revision,
            }),
            1 | 2 => ServerFrame::Change(Change {
                thread_id,
                revision,
                object: Object::Message(self.message()),
            }),
            3 | 4 => ServerFrame::Page(Page {
                thread_id,
                from_revision: revision,
                to_revision: rev(self.rng.u64(0..40)),
                head_revision: rev(self.rng.u64(0..40)),
                changes: self.objects(),
                more: self.rng.bool(),
            }),
            5 => ServerFrame::Reset(Reset {
                thread_id,
                epoch: if self.rng.u8(0..5) == 0 {
                    "e2".parse().unwrap()
                } else {
                    epoch()
                },
                head_revision: revision,
                window: self.objects(),
                has_older: self.rng.bool(),
                answers: self.rng.bool().then(|| cursor(self.rng.u64(0..40))),
            }),
            6 => {
                let mut messages: Vec<Message> =
                    (0..self.rng.usize(0..4)).map(|_| self.message()).collect();
                messages.sort_by_key(|message| message.sequence_number);
                ServerFrame::History(HistoryPage {
                    thread_id,
                    before_sequence_number: seq(self.rng.u64(0..30)),
                    epoch: epoch(),
                    as_of: revision,
                    messages,
                    has_older: self.rng.bool(),
                })
            }
            7 => ServerFrame::Removed(Removed { thread_id }),
            8 => ServerFrame::Cancelled(Cancelled {
                thread_id,
                client_msg_id: self.key(),
            }),
            9 => {
                let client_msg_id = self.key();
                let number = place_of(client_msg_id);
                ServerFrame::Ack(Ack {
                    thread_id,
                    client_msg_id,
                    server_msg_id: format!("m{number}").parse().unwrap(),
                    sequence_number: seq(number),
                    revision,
                    sent_at: 1.try_into().unwrap(),
                    duplicate: self.rng.bool(),
                })
            }
            10 => {
                let codes = [ErrorCode::Busy, ErrorCode::Invalid, ErrorCode::Gone];
                let types = [ClientFrameType::Send, ClientFrameType::Subscribe];
                ServerFrame::Error(ErrorFrame {
                    reference: Some(ErrorRef {
                        frame_type: self.rng.choice(types).unwrap(),
                        thread_id: Some(thread_id),
                        client_msg_id: Some(self.key()),
                    }),
                    code: self.rng.choice(codes).unwrap(),
                    retry_after_ms: self.rng.bool().then(|| self.rng.u64(0..5_000)),
                })
            }
            11 => ServerFrame::Typing(TypingNotice {
                thread_id,
                user_id: user("bob"),
                is_typing: self.rng.bool(),
            }),
            12 => ServerFrame::Goodbye(Goodbye {
                code: 4000,
                retry_after_ms: Some(100),
            }),
            _ => ServerFrame::Pong,
        }
    }

    fn app(&mut self) -> AppInput {
        let thread_id = thread();
        match self.rng.u8(0..9) {
            0 => AppInput::Connect,
            1 => AppInput::Disconnect,
            2 => AppInput::CloseThread { thread_id },
            3 => AppInput::Discard {
                client_msg_id: self.key(),
            },
            4 => AppInput::Retry {
                client_msg_id: self.key(),
            },
            5 => AppInput::LoadOlder { thread_id },
            6 => AppInput::SetTyping {
                thread_id,
                is_typing: self.rng.bool(),
            },
            7 => AppInput::WatchInbox,
            _ => AppInput::OpenThread { thread_id },
        }
    }

    fn step(&mut self) {
        match self.rng.u8(0..20) {
            0..8 => {
                let frame = self.frame();
                self.alice.say(&frame);
            }
            8..10 => self.keys.push(self.alice.send("mine")),
            10..13 => {
                let input = self.app();
                self.alice.browser.app(input);
            }
            13 => {
                let code = self.rng.choice([1006, 4000, 4101]).unwrap();
                let attempt = self.alice.attempt;
                self.alice
                    .browser
                    .feed(Input::SocketClosed { attempt, code });
            }
            14 => self.alice.browser.is_storage_slow = true,
            15 => self.alice.browser.answer_storage(),
            16 if self.rng.u8(0..10) == 0 => {
                self.alice.browser.storage.break_down(StorageFailure::Quota);
            }
            16 => self.alice.browser.feed(Input::Stored {
                write_id: WriteId(self.rng.u64(0..50)),
                result: StoredResult::Refused,
            }),
            17 if self.rng.bool() => self.alice.browser.feed(Input::Token {
                attempt: self.alice.attempt,
                token: self.rng.bool().then(|| TokenInput {
                    token: Token::new(self.rng.u8(..).to_string()),
                    subject: self.rng.bool().then(|| user("alice")),
                }),
            }),
            17 => self
                .alice
                .browser
                .feed(Input::Lifecycle(Lifecycle::Visible)),
            _ => {
                let ms = self.rng.u64(0..9_000);
                self.alice.browser.pass(ms);
            }
        }
        let opened = self
            .alice
            .browser
            .outputs
            .drain(..)
            .rev()
            .find_map(|output| match output {
                Output::Open(attempt) => Some(attempt),
                _ => None,
            });
        if let Some(attempt) = opened {
            self.alice.attempt = attempt;
            if self.rng.u8(0..4) > 0 {
                self.alice.browser.feed(Input::SocketOpened { attempt });
                let ServerFrame::Welcome(mut welcome) = welcome("alice") else {
                    panic!()
                };
                welcome.server_time = self.time();
                welcome.token_expires_at = self.rng.bool().then(|| self.time());
                self.alice.say(&ServerFrame::Welcome(welcome));
            }
        }
    }
}

#[test]
fn whatever_arrives_nothing_panics_and_nothing_is_shown_twice() {
    for seed in 0..400 {
        let alice = Script::with_storage(Storage::default());
        let mut chaos = Chaos {
            rng: Rng::with_seed(seed),
            alice,
            keys: Vec::new(),
        };
        chaos.alice.browser.app(AppInput::Connect);
        chaos.alice.attempt = Attempt(1);
        for _ in 0..150 {
            chaos.step();
        }
    }
}
