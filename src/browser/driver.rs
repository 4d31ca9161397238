//! Runs the engine: the only caller of it, and the only one who does what it asks.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use js_sys::Function;
use rejoinder_protocol::{ClientMsgId, encode};
use uuid::Uuid;

use super::clock;
use super::door::Door;
use super::lifecycle::Lifecycle;
use super::notifier::Notifier;
use super::panic;
use super::socket::{NO_CLOSE_CODE, Socket};
use super::storage::{Job, Storage};
use super::timer::Timer;
use crate::engine::{self, Attempt, Config, Effect, Engine, Input};

/// One client in one page. Once dropped or disposed of, it holds nothing open and hears nothing.
pub(crate) struct Driver {
    url: String,
    engine: RefCell<Engine>,
    effects: RefCell<VecDeque<Effect>>,
    /// An outer [`Self::feed`] is executing effects.
    is_running: Cell<bool>,
    /// The connection is cut on purpose, for demos and tests.
    is_cut: Cell<bool>,
    notifier: Rc<Notifier>,
    door: Door,
    socket: RefCell<Option<Socket>>,
    /// `None` once disposed of.
    open: RefCell<Option<Open>>,
}

/// What is held from the first moment to [`Driver::dispose`].
struct Open {
    storage: Storage,
    timer: Timer,
    _lifecycle: Lifecycle,
}

impl Driver {
    /// Makes a client for the gateway at `url`, a normalised address.
    pub(crate) fn new(url: String, config: Config, listener: Function) -> Rc<Self> {
        let database = ["rejoinder:", &url, ":", config.user_id.as_str()].concat();
        Rc::new_cyclic(|driver| {
            let driver = driver.clone();
            let door = Door::new(move |input| {
                if let Some(driver) = driver.upgrade() {
                    Self::feed(&driver, input);
                }
            });
            let open = Open {
                storage: Storage::new(database, door.clone()),
                timer: Timer::new(door.clone()),
                _lifecycle: Lifecycle::new(&door),
            };
            Self {
                url,
                engine: RefCell::new(Engine::new(config, seed())),
                effects: RefCell::default(),
                is_running: Cell::new(false),
                is_cut: Cell::new(false),
                notifier: Notifier::new(listener),
                door,
                socket: RefCell::default(),
                open: RefCell::new(Some(open)),
            }
        })
    }

    /// Takes in what happened, and does what follows from it. Called while it runs, it only adds
    /// to what the outer call does.
    pub(crate) fn feed(&self, input: Input) {
        if self.is_disposed() || !panic::is_sound() {
            return;
        }
        let mut produced = Vec::new();
        self.engine
            .borrow_mut()
            .handle(clock::now(), input, &mut produced);
        self.effects.borrow_mut().extend(produced);
        if self.is_running.replace(true) {
            return;
        }
        while let Some(effect) = self.next_effect() {
            self.execute(effect);
        }
        self.is_running.set(false);
        let wakeup = self.engine.borrow().next_wakeup();
        if let Some(open) = self.open.borrow().as_ref() {
            open.timer.set(clock::now().monotonic, wakeup);
        }
    }

    fn next_effect(&self) -> Option<Effect> {
        self.effects.borrow_mut().pop_front()
    }

    fn execute(&self, effect: Effect) {
        match effect {
            Effect::CloseSocket { attempt } => drop(self.take_socket(attempt)),
            Effect::DeleteDatabase => self.ask_storage(Job::Delete),
            Effect::LoadOutbox => self.ask_storage(Job::LoadOutbox),
            Effect::LoadThread { thread_id, before } => {
                self.ask_storage(Job::LoadThread { thread_id, before });
            }
            Effect::Notify(notice) => self.notifier.notice(notice),
            Effect::OpenSocket { attempt } => self.open_socket(attempt),
            Effect::Persist { write_id, write } => {
                self.ask_storage(Job::Persist { write_id, write });
            }
            Effect::RequestToken { attempt } => self.notifier.token_wanted(attempt),
            Effect::Transmit { attempt, frame } => {
                let socket = self.socket.borrow();
                if let Some(socket) = socket.as_ref().filter(|one| one.attempt() == attempt) {
                    socket.send(&encode(&frame));
                }
            }
        }
    }

    fn ask_storage(&self, job: Job) {
        if let Some(open) = self.open.borrow().as_ref() {
            open.storage.ask(job);
        }
    }

    fn open_socket(&self, attempt: Attempt) {
        let opened = if self.is_cut.get() {
            None
        } else {
            Socket::open(&self.url, attempt, self.door.clone())
                // The page may not open this address, for example `ws:` from an `https:` page.
                .inspect_err(web_sys::console::error_1)
                .ok()
        };
        let is_open = opened.is_some();
        // The one before, if any, is given up by the engine.
        drop(self.socket.replace(opened));
        if !is_open {
            self.feed(Input::SocketClosed {
                attempt,
                code: NO_CLOSE_CODE,
            });
        }
    }

    fn take_socket(&self, attempt: Attempt) -> Option<Socket> {
        let mut socket = self.socket.borrow_mut();
        socket.take_if(|one| one.attempt() == attempt)
    }

    /// Cuts the connection as if the network broke, until it is mended again.
    pub(crate) fn cut(&self, is_cut: bool) {
        self.is_cut.set(is_cut);
        if !is_cut {
            self.feed(Input::Lifecycle(engine::Lifecycle::Online));
            return;
        }
        let socket = self.socket.take();
        if let Some(attempt) = socket.as_ref().map(Socket::attempt) {
            drop(socket);
            self.feed(Input::SocketClosed {
                attempt,
                code: NO_CLOSE_CODE,
            });
        }
    }

    pub(crate) fn is_disposed(&self) -> bool {
        self.open.borrow().is_none()
    }

    /// Closes everything. Writes that were asked for are still made; nothing more is told.
    pub(crate) fn dispose(&self) {
        self.notifier.close();
        drop(self.socket.take());
        drop(self.open.take());
        self.effects.take();
    }
}

/// Names a new message, so that names sort by their making.
#[expect(clippy::disallowed_methods, reason = "the engine gets its ids here")]
pub(crate) fn new_client_msg_id() -> ClientMsgId {
    ClientMsgId::new(Uuid::now_v7())
}

/// Sixty-two random bits of the browser's, so that no two clients choose the same delays.
fn seed() -> u64 {
    new_client_msg_id().uuid().as_u64_pair().1
}
