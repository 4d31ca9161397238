//! Runs the engine: the only caller of it, and the only one who does what it asks.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use js_sys::Function;
use rejoinder_protocol::ClientMsgId;
use uuid::Uuid;

use super::clock;
use super::door::Door;
use super::lifecycle::Lifecycle;
use super::link::Link;
use super::notifier::Notifier;
use super::panic;
use super::storage::{Job, Storage};
use super::timer::Timer;
use crate::engine::{self, Attempt, Config, Effect, Engine, Input, NO_CLOSE_CODE, Transport};

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
    /// The connection, and perhaps one that is to follow it.
    links: RefCell<Vec<Link>>,
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
                links: RefCell::default(),
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
            Effect::CloseSocket { attempt } => drop(self.take_link(attempt)),
            Effect::DeleteDatabase => self.ask_storage(Job::Delete),
            Effect::LoadOutbox => self.ask_storage(Job::LoadOutbox),
            Effect::LoadThread { thread_id, before } => {
                self.ask_storage(Job::LoadThread { thread_id, before });
            }
            Effect::Notify(notice) => self.notifier.notice(notice),
            Effect::OpenSocket { attempt, transport } => self.open_link(attempt, transport),
            Effect::Persist { write_id, write } => {
                self.ask_storage(Job::Persist { write_id, write });
            }
            Effect::RequestToken { attempt } => self.notifier.token_wanted(attempt),
            Effect::Transmit { attempt, frame } => {
                let links = self.links.borrow();
                if let Some(link) = links.iter().find(|one| one.attempt() == attempt) {
                    link.send(&frame);
                }
            }
        }
    }

    fn ask_storage(&self, job: Job) {
        if let Some(open) = self.open.borrow().as_ref() {
            open.storage.ask(job);
        }
    }

    fn open_link(&self, attempt: Attempt, transport: Transport) {
        // Those that ended by themselves could not be dropped while they told so.
        self.links.borrow_mut().retain(|one| !one.is_over());
        let opened = if self.is_cut.get() {
            None
        } else {
            Link::open(&self.url, attempt, transport, self.door.clone())
                // The page may not open this address, for example `ws:` from an `https:` page.
                .inspect_err(web_sys::console::error_1)
                .ok()
        };
        let Some(link) = opened else {
            return self.feed(Input::SocketClosed {
                attempt,
                code: NO_CLOSE_CODE,
                retry_after_ms: None,
            });
        };
        self.links.borrow_mut().push(link);
        match transport {
            Transport::WebSocket => {}
            // Nothing is on the way before its greeting.
            Transport::Sse => self.feed(Input::SocketOpened { attempt }),
        }
    }

    fn take_link(&self, attempt: Attempt) -> Option<Link> {
        let mut links = self.links.borrow_mut();
        let at = links.iter().position(|one| one.attempt() == attempt)?;
        Some(links.swap_remove(at))
    }

    /// Cuts the connection as if the network broke, until it is mended again.
    pub(crate) fn cut(&self, is_cut: bool) {
        self.is_cut.set(is_cut);
        if !is_cut {
            self.feed(Input::Lifecycle(engine::Lifecycle::Online));
            return;
        }
        for link in self.links.take() {
            let attempt = link.attempt();
            drop(link);
            self.feed(Input::SocketClosed {
                attempt,
                code: NO_CLOSE_CODE,
                retry_after_ms: None,
            });
        }
    }

    pub(crate) fn is_disposed(&self) -> bool {
        self.open.borrow().is_none()
    }

    /// Closes everything. Writes that were asked for are still made; nothing more is told.
    pub(crate) fn dispose(&self) {
        self.notifier.close();
        drop(self.links.take());
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
