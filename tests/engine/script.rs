//! A gateway that says what the test tells it to.

use rejoinder::engine::{AppInput, Attempt, Input};
use rejoinder_protocol::{
    Ack, Change, ClientFrame, ClientMsgId, Cursor, Epoch, Heartbeat, Limits, Live, Message, Object,
    Participant, Reset, Revision, SequenceNumber, ServerFrame, UserId, Welcome,
};
use uuid::Uuid;

use crate::story::browser::{Browser, Output, at};
use crate::story::storage::Storage;
use crate::story::thread;

pub(crate) fn rev(number: u64) -> Revision {
    number.try_into().unwrap()
}

pub(crate) fn seq(number: u64) -> SequenceNumber {
    number.try_into().unwrap()
}

pub(crate) fn user(name: &str) -> UserId {
    name.parse().unwrap()
}

pub(crate) fn epoch() -> Epoch {
    "e1".parse().unwrap()
}

pub(crate) fn cursor(revision: u64) -> Cursor {
    Cursor {
        epoch: epoch(),
        revision: rev(revision),
    }
}

pub(crate) fn bobs_key(number: u64) -> ClientMsgId {
    ClientMsgId::new(Uuid::from_u128(0xb0b << 64 | u128::from(number)))
}

/// Bob's message `number`, in a thread whose first two changes are the participants.
pub(crate) fn from_bob(number: u64) -> Message {
    Message {
        revision: rev(number + 2),
        server_msg_id: format!("m{number}").parse().unwrap(),
        client_msg_id: bobs_key(number),
        sender_id: user("bob"),
        sequence_number: seq(number),
        sent_at: number.try_into().unwrap(),
        body: format!("bob {number}"),
        attachments: vec![],
        edited_at: None,
        deleted: false,
    }
}

pub(crate) fn own(number: u64, client_msg_id: ClientMsgId, body: &str) -> Message {
    let sender_id = user("alice");
    Message {
        client_msg_id,
        sender_id,
        body: body.into(),
        ..from_bob(number)
    }
}

pub(crate) fn participants() -> Vec<Object> {
    ["alice", "bob"]
        .into_iter()
        .zip(1..)
        .map(|(name, revision)| {
            Object::Participant(Participant {
                revision: rev(revision),
                user_id: user(name),
                joined_at: 0.try_into().unwrap(),
                left_at: None,
                read_sequence_number: None,
            })
        })
        .collect()
}

pub(crate) fn welcome(name: &str) -> ServerFrame {
    ServerFrame::Welcome(Welcome {
        user_id: user(name),
        session_id: "s1".parse().unwrap(),
        epoch: epoch(),
        server_time: 0.try_into().unwrap(),
        token_expires_at: None,
        heartbeat: Heartbeat {
            interval_ms: 25_000,
            idle_ms: 90_000,
        },
        limits: Limits::default(),
    })
}

/// The newest messages up to `newest`, beginning at `oldest`.
pub(crate) fn reset(oldest: u64, newest: u64) -> ServerFrame {
    let messages = (oldest..=newest).map(|number| Object::Message(from_bob(number)));
    ServerFrame::Reset(Reset {
        thread_id: thread(),
        epoch: epoch(),
        head_revision: rev(newest + 2),
        window: participants().into_iter().chain(messages).collect(),
        has_older: oldest > 1,
        answers: None,
    })
}

pub(crate) fn live(revision: u64) -> ServerFrame {
    ServerFrame::Live(Live {
        thread_id: thread(),
        revision: rev(revision),
    })
}

pub(crate) fn change(message: Message) -> ServerFrame {
    ServerFrame::Change(Change {
        thread_id: thread(),
        revision: message.revision,
        object: Object::Message(message),
    })
}

pub(crate) fn ack(number: u64, client_msg_id: ClientMsgId) -> ServerFrame {
    ServerFrame::Ack(Ack {
        thread_id: thread(),
        client_msg_id,
        server_msg_id: format!("m{number}").parse().unwrap(),
        sequence_number: seq(number),
        revision: rev(number + 2),
        sent_at: number.try_into().unwrap(),
        duplicate: false,
    })
}

/// Alice's tab and what it says.
pub(crate) struct Script {
    pub(crate) browser: Browser,
    pub(crate) attempt: Attempt,
}

impl Script {
    /// Alice, who shows her thread and is not connected.
    pub(crate) fn offline() -> Self {
        Self::with_storage(Storage::default())
    }

    pub(crate) fn with_storage(storage: Storage) -> Self {
        let mut browser = Browser::new("alice", storage, at(0), 1);
        browser.open(&thread());
        Self {
            browser,
            attempt: Attempt(0),
        }
    }

    /// Alice, connected, live in a thread of `messages` messages by Bob.
    pub(crate) fn live(messages: u64) -> Self {
        let mut script = Self::offline();
        script.go_live(messages);
        script
    }

    pub(crate) fn go_live(&mut self, messages: u64) {
        self.connect();
        self.say(&reset(1, messages));
        self.say(&live(messages + 2));
        self.take();
    }

    /// Connects up to `welcome`.
    pub(crate) fn connect(&mut self) {
        self.browser.app(AppInput::Connect);
        self.accept();
    }

    /// Lets the attempt that is under way succeed.
    pub(crate) fn accept(&mut self) {
        let outputs: Vec<Output> = self.browser.outputs.drain(..).collect();
        let opened = outputs.iter().rev().find_map(|output| match output {
            Output::Open(attempt) => Some(*attempt),
            Output::Close(_) | Output::Frame(..) => None,
        });
        self.attempt = opened.expect("an attempt is under way");
        self.browser.feed(Input::SocketOpened {
            attempt: self.attempt,
        });
        self.say(&welcome("alice"));
    }

    /// The socket is lost, and the next attempt succeeds.
    pub(crate) fn reconnect(&mut self) {
        self.lose();
        self.wait_for_attempt();
        self.accept();
    }

    pub(crate) fn wait_for_attempt(&mut self) {
        while !self
            .browser
            .outputs
            .iter()
            .any(|output| matches!(output, Output::Open(_)))
        {
            self.browser.pass(100);
        }
    }

    pub(crate) fn lose(&mut self) {
        self.close(1006);
    }

    pub(crate) fn close(&mut self, code: u16) {
        self.browser.outputs.clear();
        self.browser.feed(Input::SocketClosed {
            attempt: self.attempt,
            code,
            retry_after_ms: None,
        });
    }

    pub(crate) fn say(&mut self, frame: &ServerFrame) {
        self.browser.receive(self.attempt, frame);
    }

    pub(crate) fn send(&mut self, body: &str) -> ClientMsgId {
        self.browser.send(&thread(), body)
    }

    pub(crate) fn bodies(&self) -> Vec<String> {
        self.browser.screen.bodies(&thread())
    }

    /// Returns the frames said since the last call, without `hello`.
    pub(crate) fn take(&mut self) -> Vec<ClientFrame> {
        self.browser
            .outputs
            .drain(..)
            .filter_map(|output| match output {
                Output::Frame(_, ClientFrame::Hello(_)) => None,
                Output::Frame(_, frame) => Some(frame),
                Output::Open(_) | Output::Close(_) => None,
            })
            .collect()
    }

    /// Returns the keys of the `send` frames said since the last call.
    pub(crate) fn sent(&mut self) -> Vec<ClientMsgId> {
        let sends = self.take().into_iter().filter_map(|frame| match frame {
            ClientFrame::Send(send) => Some(send.client_msg_id),
            _ => None,
        });
        sends.collect()
    }
}
