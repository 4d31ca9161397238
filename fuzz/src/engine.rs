//! Whatever happens to a client, in whatever order: no message is shown twice, and nothing is kept
//! that nobody sees (the tests' screen checks every delta).

mod frames;

use std::collections::BTreeSet;

use rejoinder::engine::stored::{Answer, OrderNumber};
use rejoinder::engine::{
    AppInput, Attempt, Input, Lifecycle, StorageFailure, StoredResult, TokenInput, WriteId,
};
use rejoinder_protocol::{
    Attachment, ClientFrame, ClientMsgId, ServerFrame, ThreadId, Token, encode,
};

use crate::choices::Choices;
use crate::script::{Script, bobs_key, user};
use crate::story::browser::Output;
use crate::story::screen::Screen;
use crate::story::storage::Storage;
use crate::story::thread;

/// More of them find nothing new, and only take time.
const STEPS_MAX: usize = 300;

const FAILURES: [StorageFailure; 5] = [
    StorageFailure::Aborted,
    StorageFailure::Closed,
    StorageFailure::Quota,
    StorageFailure::Unavailable,
    StorageFailure::VersionTooNew,
];

/// A tab that anything happens to.
struct Tab<'a> {
    choices: Choices<'a>,
    alice: Script,
    /// Of the messages that were sent here, as often as they were.
    keys: Vec<ClientMsgId>,
    /// What it said to a gateway.
    said: Vec<ClientFrame>,
}

/// Lets a tab with an empty database live through whatever the bytes mean.
pub fn run(data: &[u8]) {
    live(Choices::new(data), Storage::default(), check_shown);
}

/// Lets a tab live through what is left of the choices, and checks what it shows after each step.
pub(crate) fn live(choices: Choices<'_>, storage: Storage, check: fn(&Screen)) {
    let mut tab = Tab {
        choices,
        alice: Script::with_storage(storage),
        keys: Vec::new(),
        said: Vec::new(),
    };
    tab.alice.browser.app(AppInput::Connect);
    tab.alice.attempt = Attempt(1);
    for _ in 0..STEPS_MAX {
        if tab.choices.is_over() {
            break;
        }
        tab.step();
        tab.take_outputs();
        check(&tab.alice.browser.screen);
    }
    tab.check_settled();
}

/// Every message is shown once, and what others wrote in their order.
fn check_shown(screen: &Screen) {
    for thread_id in [thread(), other_thread()] {
        let rows = screen.rows(&thread_id);
        let keys: BTreeSet<_> = rows
            .iter()
            .map(|row| (&row.sender_id, row.client_msg_id))
            .collect();
        assert_eq!(keys.len(), rows.len(), "a message is shown twice: {rows:?}");
        let theirs = rows.iter().filter(|row| !row.is_own);
        let places: Vec<_> = theirs.map(|row| row.sequence_number).collect();
        assert!(places.is_sorted(), "not in their order: {rows:?}");
    }
}

fn other_thread() -> ThreadId {
    "alice|carol".parse().unwrap()
}

impl Tab<'_> {
    fn thread(&mut self) -> ThreadId {
        if self.choices.one_in(8) {
            other_thread()
        } else {
            thread()
        }
    }

    fn key(&mut self) -> ClientMsgId {
        let index = self.choices.below(self.keys.len() as u64 + 1);
        let index = usize::try_from(index).unwrap();
        let own = self.keys.get(index).copied();
        own.unwrap_or_else(|| bobs_key(self.choices.below(20)))
    }

    /// Mostly the one that counts.
    fn attempt(&mut self) -> Attempt {
        if self.choices.one_in(8) {
            Attempt(self.choices.below(self.alice.attempt.0 + 2))
        } else {
            self.alice.attempt
        }
    }

    fn step(&mut self) {
        match self.choices.below(24) {
            0..9 => {
                let frame = self.frame();
                let attempt = self.attempt();
                self.alice.browser.receive(attempt, &frame);
            }
            9 => {
                let (attempt, text) = (self.attempt(), self.choices.text(200));
                self.alice.browser.feed(Input::Frame { attempt, text });
            }
            10..12 => self.send(),
            12..15 => {
                let input = self.app();
                self.alice.browser.app(input);
            }
            15 => {
                let code = [1000, 1006, 4000, 4003, 4100, 4101, 4500, 4502];
                let (attempt, code) = (self.attempt(), self.choices.of(&code));
                let closed = Input::SocketClosed {
                    attempt,
                    code,
                    retry_after_ms: None,
                };
                self.alice.browser.feed(closed);
            }
            16 => self.disturb_storage(),
            17 => {
                let write_id = WriteId(self.choices.below(50));
                let result = self.stored();
                let stored = Input::Stored { write_id, result };
                self.alice.browser.feed(stored);
            }
            18 => self.token(),
            19 => {
                let lifecycle = self.choices.of(&[
                    Lifecycle::Hidden,
                    Lifecycle::Offline,
                    Lifecycle::Online,
                    Lifecycle::Visible,
                ]);
                self.alice.browser.feed(Input::Lifecycle(lifecycle));
            }
            20 => {
                let bytes = u32::try_from(self.choices.below(1 << 21)).unwrap();
                let attempt = self.attempt();
                self.alice.browser.feed(Input::Buffered { attempt, bytes });
            }
            21 => {
                let input = self.of_requests();
                self.alice.browser.feed(input);
            }
            _ => self.pass(),
        }
    }

    /// What a connection without a socket tells.
    fn of_requests(&mut self) -> Input {
        let (attempt, kind) = (self.attempt(), self.choices.below(4));
        if kind == 1 {
            let text = encode(&self.frame());
            return Input::Answer { attempt, text };
        }
        if kind == 0 || self.said.is_empty() {
            return Input::Heard { attempt };
        }
        let frame = self.choices.of(&self.said);
        if kind == 3 {
            return Input::Unanswered { attempt, frame };
        }
        Input::Refused {
            attempt,
            frame,
            retry_after_ms: self.choices.bool().then(|| self.choices.number()),
        }
    }

    fn send(&mut self) {
        let thread_id = self.thread();
        if self.choices.one_in(4) {
            let attachment = Attachment {
                name: self.choices.text(8),
                mime_type: "image/png".to_owned(),
                size_bytes: self.choices.number(),
                url: self.choices.text(8),
            };
            // A key that was used before is somebody's mistake, and must harm nothing.
            let client_msg_id = self.key();
            self.keys.push(client_msg_id);
            self.alice.browser.app(AppInput::Send {
                thread_id,
                client_msg_id,
                body: self.choices.text(20),
                attachments: vec![attachment; usize::try_from(self.choices.below(18)).unwrap()],
            });
        } else {
            self.keys.push(self.alice.browser.send(&thread_id, "mine"));
        }
    }

    fn app(&mut self) -> AppInput {
        let thread_id = self.thread();
        match self.choices.below(10) {
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
                is_typing: self.choices.bool(),
            },
            7 => AppInput::WatchInbox,
            8 if self.choices.one_in(8) => AppInput::Logout,
            _ => AppInput::OpenThread { thread_id },
        }
    }

    fn disturb_storage(&mut self) {
        let browser = &mut self.alice.browser;
        match self.choices.below(8) {
            0..3 => browser.is_storage_slow = true,
            3..5 => browser.answer_storage(),
            5 => browser.storage.break_down(self.choices.of(&FAILURES)),
            6 => browser.storage.repair(),
            _ if self.choices.bool() => browser.storage.damage_outbox(),
            _ => browser.storage.damage_buckets(),
        }
    }

    /// What became of some write, true or not.
    fn stored(&mut self) -> StoredResult {
        let answer = match self.choices.below(8) {
            0..3 => return StoredResult::Refused,
            3 => return StoredResult::Failed(self.choices.of(&FAILURES)),
            4 => Answer::Absent,
            5 => Answer::Deleted,
            6 => Answer::MaybeSent,
            _ => Answer::Attempted {
                present: self.choices.bool(),
                earlier: Vec::new(),
            },
        };
        let added = self
            .choices
            .bool()
            .then(|| OrderNumber(self.choices.below(9)));
        StoredResult::Committed { answer, added }
    }

    fn token(&mut self) {
        if self.choices.one_in(4) {
            self.alice.browser.is_token_held = self.choices.bool();
            return;
        }
        let attempt = self.attempt();
        let token = self.choices.bool().then(|| TokenInput {
            token: Token::new(self.choices.below(4).to_string()),
            subject: self.choices.bool().then(|| {
                let name = self.choices.of(&["alice", "bob"]);
                user(name)
            }),
        });
        self.alice.browser.feed(Input::Token { attempt, token });
    }

    fn pass(&mut self) {
        let browser = &mut self.alice.browser;
        match self.choices.below(8) {
            0..6 => browser.pass(self.choices.below(9_000)),
            6 => browser.pass(self.choices.below(600_000)),
            _ => {
                // The device slept: all timers are late.
                let wakes = browser.now.monotonic.after(self.choices.below(1 << 36));
                browser.set_time(wakes);
                browser.feed(Input::Woke);
            }
        }
    }

    /// The network takes what the tab says, and opens what it wants to open, mostly.
    fn take_outputs(&mut self) {
        let mut opened = None;
        for output in self.alice.browser.outputs.drain(..) {
            match output {
                Output::Open(attempt) => opened = Some(attempt),
                Output::Frame(_, frame) => self.said.push(frame),
                Output::Close(_) => {}
            }
        }
        let Some(attempt) = opened else { return };
        self.alice.attempt = attempt;
        if self.choices.one_in(4) {
            return;
        }
        self.alice.browser.feed(Input::SocketOpened { attempt });
        let welcome = ServerFrame::Welcome(self.welcome());
        self.alice.say(&welcome);
    }

    fn check_settled(&self) {
        let settled = &self.alice.browser.screen.settled;
        for key in &self.keys {
            let asked = self.keys.iter().filter(|one| *one == key).count();
            let times = settled.iter().filter(|(one, _)| one == key).count();
            assert!(times <= asked, "{key} was settled {times} times");
        }
    }
}
