//! A tab without a browser: the real engine, a database, and a screen.

use std::collections::VecDeque;

use rejoinder::engine::{
    AppInput, Attempt, Config, Effect, Engine, Input, Millis, Now, TokenInput, Transport,
};
use rejoinder_protocol::{ClientFrame, ClientMsgId, ServerFrame, ThreadId, Token, UserId, encode};
use uuid::Uuid;

use super::screen::Screen;
use super::storage::Storage;

/// What a tab wants from the network.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Output {
    Open(Attempt),
    Close(Attempt),
    Frame(Attempt, ClientFrame),
}

/// One tab.
pub(crate) struct Browser {
    pub(crate) engine: Engine,
    pub(crate) storage: Storage,
    pub(crate) screen: Screen,
    pub(crate) outputs: VecDeque<Output>,
    /// By which way each attempt was to be made.
    pub(crate) ways: Vec<Transport>,
    /// Storage keeps its answers to itself until [`Browser::answer_storage`].
    pub(crate) is_storage_slow: bool,
    /// The application's token function does not answer; who asked it stands in `asked`.
    pub(crate) is_token_held: bool,
    pub(crate) asked: VecDeque<Attempt>,
    unanswered: VecDeque<Input>,
    pub(crate) now: Now,
    keys: u128,
}

/// A day in 2026.
pub(crate) const EPOCH_MS: u64 = 1_790_000_000_000;

pub(crate) fn at(ms: u64) -> Now {
    Now {
        monotonic: Millis(ms),
        wall: (EPOCH_MS + ms).try_into().unwrap(),
    }
}

impl Browser {
    pub(crate) fn new(user: &str, storage: Storage, now: Now, seed: u64) -> Self {
        let user_id: UserId = user.parse().unwrap();
        let engine = Engine::new(
            Config {
                user_id,
                skip_failed: false,
            },
            seed,
        );
        Self {
            engine,
            storage,
            screen: Screen::default(),
            outputs: VecDeque::new(),
            ways: Vec::new(),
            is_storage_slow: false,
            is_token_held: false,
            asked: VecDeque::new(),
            unanswered: VecDeque::new(),
            now,
            keys: u128::from(seed) << 64,
        }
    }

    /// The engine learns of something, and all that follows at once is done.
    pub(crate) fn feed(&mut self, input: Input) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            let mut effects = Vec::new();
            self.engine.handle(self.now, input, &mut effects);
            for effect in effects {
                if let Some(answer) = self.execute(effect) {
                    if self.is_storage_slow && !matches!(answer, Input::Token { .. }) {
                        self.unanswered.push_back(answer);
                    } else {
                        inputs.push_back(answer);
                    }
                }
            }
        }
    }

    fn execute(&mut self, effect: Effect) -> Option<Input> {
        match effect {
            Effect::CloseSocket { attempt } => self.outputs.push_back(Output::Close(attempt)),
            Effect::DeleteDatabase => self.storage = Storage::default(),
            Effect::LoadOutbox => return Some(Input::OutboxLoaded(self.storage.load_outbox())),
            Effect::LoadThread { thread_id, before } => {
                let result = self.storage.load_thread(&thread_id, before);
                return Some(Input::ThreadLoaded {
                    thread_id,
                    before,
                    result,
                });
            }
            Effect::Notify(notice) => self.screen.show(notice),
            Effect::OpenSocket { attempt, transport } => {
                self.ways.push(transport);
                self.outputs.push_back(Output::Open(attempt));
            }
            Effect::Persist { write_id, write } => {
                return Some(Input::Stored {
                    write_id,
                    result: self.storage.write(&write),
                });
            }
            Effect::RequestToken { attempt } if self.is_token_held => {
                self.asked.push_back(attempt);
            }
            Effect::RequestToken { attempt } => {
                let user_id = self.engine.user_id();
                let token = Token::new(format!("dev:{user_id}"));
                let token = TokenInput {
                    token,
                    subject: Some(user_id.clone()),
                };
                return Some(Input::Token {
                    attempt,
                    token: Some(token),
                });
            }
            Effect::Transmit { attempt, frame } => {
                self.outputs.push_back(Output::Frame(attempt, frame));
            }
        }
        None
    }

    pub(crate) fn answer_storage(&mut self) {
        self.is_storage_slow = false;
        while let Some(input) = self.unanswered.pop_front() {
            self.feed(input);
        }
    }

    pub(crate) fn app(&mut self, input: AppInput) {
        self.feed(Input::App(input));
    }

    pub(crate) fn open(&mut self, thread_id: &ThreadId) {
        self.app(AppInput::OpenThread {
            thread_id: thread_id.clone(),
        });
    }

    /// Sends a message under a new key.
    pub(crate) fn send(&mut self, thread_id: &ThreadId, body: &str) -> ClientMsgId {
        self.keys += 1;
        let client_msg_id = ClientMsgId::new(Uuid::from_u128(0x7000_8000 << 64 | self.keys));
        self.app(AppInput::Send {
            thread_id: thread_id.clone(),
            client_msg_id,
            body: body.to_owned(),
            attachments: Vec::new(),
        });
        client_msg_id
    }

    pub(crate) fn receive(&mut self, attempt: Attempt, frame: &ServerFrame) {
        self.feed(Input::Frame {
            attempt,
            text: encode(frame),
        });
    }

    /// Lets time pass; wakes the engine as often as it asks.
    pub(crate) fn pass(&mut self, ms: u64) {
        let end = self.now.monotonic.after(ms);
        let mut woken = 0;
        while let Some(due) = self.engine.next_wakeup().filter(|due| *due <= end) {
            self.set_time(due.max(self.now.monotonic));
            self.feed(Input::Woke);
            woken += 1;
            assert!(
                woken < 10_000,
                "the engine wakes for {due:?} again and again: {:#?}",
                self.engine
            );
        }
        self.set_time(end);
    }

    pub(crate) fn set_time(&mut self, monotonic: Millis) {
        let elapsed = monotonic.since(self.now.monotonic);
        let wall = (self.now.wall.get() + elapsed).try_into().unwrap();
        self.now = Now { monotonic, wall };
    }
}
