//! The client without I/O: a state machine that is told what happened and says what to do.
//!
//! [`Engine::handle`] takes one [`Input`] and appends [`Effect`]s; [`Engine::next_wakeup`] says
//! when it wants to be woken by [`Input::Woke`]. There is no clock, socket, storage, randomness or
//! waiting in here, so the same code runs in a browser, in native tests and in a simulation under
//! a virtual clock, and the same seed and inputs give the same effects.
//!
//! A panic in here means a bug, never bad input: what a gateway, the browser's storage or an
//! application may bring is checked and answered.

mod adopting;
mod backoff;
mod clock;
pub mod config;
mod connecting;
mod connection;
mod discarding;
mod effect;
mod inbox;
mod input;
mod notice;
mod outbox;
mod presence;
mod publish;
mod receiving;
mod refreshing;
mod requesting;
mod sending;
pub mod stored;
mod storing;
mod succeeding;
mod syncing;
mod thread;
mod thread_log;
mod threads;
mod time;
mod transport;

use std::collections::BTreeMap;

use rejoinder_protocol::{SequenceNumber, ThreadId, UserId};

pub use self::config::Config;
pub use self::effect::Effect;
pub use self::input::{
    AppInput, Attempt, Input, Lifecycle, NO_CLOSE_CODE, OutboxLoad, StorageFailure, StoredResult,
    TokenInput, WriteId,
};
pub use self::notice::{
    ConnectionNotice, ConnectionState, Delivery, DiscardOutcome, Durability, InboxPreview,
    InboxThread, Notice, Partner, PartnerPresence, Reason, Row, SendRefusal, SendResult, Splice,
    SyncState, ThreadDelta, ThreadMeta,
};
pub use self::time::{Millis, Now};
pub use self::transport::Transport;

use self::clock::Clock;
use self::connection::Connection;
use self::inbox::Inbox;
use self::outbox::Outbox;
use self::presence::PresenceTable;
use self::storing::{Boot, Storage};
use self::thread::ThreadState;

/// The client of one user.
#[derive(Debug)]
pub struct Engine {
    config: Config,
    clock: Clock,
    connection: Connection,
    outbox: Outbox,
    threads: BTreeMap<ThreadId, ThreadState>,
    /// Up to where messages of threads that are closed now were announced.
    announced: BTreeMap<ThreadId, SequenceNumber>,
    presence: PresenceTable,
    inbox: Inbox,
    storage: Storage,
    is_logged_out: bool,
    last_connection_notice: Option<ConnectionNotice>,
}

impl Engine {
    /// Makes an engine that has not asked for anything yet. Equal seeds choose equal delays.
    #[must_use]
    pub fn new(config: Config, seed: u64) -> Self {
        Self {
            config,
            clock: Clock::default(),
            connection: Connection::new(seed),
            outbox: Outbox::default(),
            threads: BTreeMap::new(),
            announced: BTreeMap::new(),
            presence: PresenceTable::default(),
            inbox: Inbox::default(),
            storage: Storage::default(),
            is_logged_out: false,
            last_connection_notice: None,
        }
    }

    /// Returns whose engine this is.
    #[must_use]
    pub fn user_id(&self) -> &UserId {
        &self.config.user_id
    }

    /// Takes in what happened at `now` and appends what is to be done, in that order.
    pub fn handle(&mut self, now: Now, input: Input, effects: &mut Vec<Effect>) {
        if self.is_logged_out {
            self.refuse_after_logout(&input, effects);
            return;
        }
        let due = self.next_wakeup();
        let slept = self.clock.advance(now);
        if self.storage.boot == Boot::NotAsked {
            self.storage.boot = Boot::Asked;
            effects.push(Effect::LoadOutbox);
        }
        if slept {
            self.network_may_be_new(effects);
        }
        match input {
            Input::Answer { attempt, text } => self.handle_answer(attempt, &text, effects),
            Input::App(input) => self.handle_app(input, effects),
            Input::Buffered { attempt, bytes } => self.handle_buffered(attempt, bytes),
            Input::Frame { attempt, text } => self.handle_text(attempt, &text, effects),
            Input::Heard { attempt } => self.handle_heard(attempt),
            Input::Lifecycle(lifecycle) => self.handle_lifecycle(lifecycle, effects),
            Input::OutboxLoaded(result) => self.handle_outbox_loaded(result, effects),
            Input::Refused {
                attempt,
                frame,
                retry_after_ms,
            } => self.handle_refused(attempt, &frame, retry_after_ms, effects),
            Input::SocketClosed {
                attempt,
                code,
                retry_after_ms,
            } => self.handle_closed(attempt, code, retry_after_ms, effects),
            Input::SocketOpened { attempt } => self.handle_opened(attempt, effects),
            Input::Stored { write_id, result } => self.handle_stored(write_id, result, effects),
            Input::ThreadLoaded {
                thread_id,
                before,
                result,
            } => {
                self.handle_thread_loaded(&thread_id, before, result, effects);
            }
            Input::Token { attempt, token } => self.handle_token(attempt, token, effects),
            Input::Unanswered { attempt, frame } => {
                self.handle_unanswered(attempt, &frame, effects);
            }
            Input::Woke => self.handle_woke(due, effects),
        }
        self.drop_idle_threads(effects);
        self.pump_threads(effects);
        self.check_succession(effects);
        self.pump_outbox(effects);
        self.publish(effects);
    }

    fn handle_app(&mut self, input: AppInput, effects: &mut Vec<Effect>) {
        match input {
            AppInput::CloseThread { thread_id } => self.close_thread(&thread_id),
            AppInput::Connect => self.connect(effects),
            AppInput::Discard { client_msg_id } => self.discard(client_msg_id, effects),
            AppInput::Disconnect => self.disconnect(effects),
            AppInput::LoadOlder { thread_id } => self.load_older(&thread_id, effects),
            AppInput::Logout => self.logout(effects),
            AppInput::OpenThread { thread_id } => self.open_thread(&thread_id, effects),
            AppInput::Retry { client_msg_id } => self.retry(client_msg_id, effects),
            AppInput::Send {
                thread_id,
                client_msg_id,
                body,
                attachments,
            } => {
                self.send(thread_id, client_msg_id, body, attachments, effects);
            }
            AppInput::SetTyping {
                thread_id,
                is_typing,
            } => {
                self.set_typing(&thread_id, is_typing, effects);
            }
            AppInput::WatchInbox => self.watch_inbox(effects),
        }
    }

    fn handle_woke(&mut self, due: Option<Millis>, effects: &mut Vec<Effect>) {
        if self.clock.is_suspect(due) {
            // What arrived while the timer was late comes first; a second look decides.
            self.probe_or_hurry(effects);
            return;
        }
        self.check_connection(effects);
        self.check_refresh(effects);
        self.check_outbox(effects);
        self.check_storage(effects);
        self.check_threads();
        self.check_inbox(effects);
    }

    /// Returns when [`Input::Woke`] is wanted; `None` if nothing but an event can matter.
    #[must_use]
    pub fn next_wakeup(&self) -> Option<Millis> {
        if self.is_logged_out {
            return None;
        }
        if let Some(grace) = self.clock.grace_until {
            return Some(grace);
        }
        let now = self.clock.now.monotonic;
        let is_live = self.connection.live().is_some();
        let threads = self.threads.values().filter(|_| is_live);
        threads
            .filter_map(|thread| thread.next_deadline(config::SUBSCRIBE_TIMEOUT_MS))
            .chain(self.connection.next_deadline())
            .chain(
                self.connection
                    .live()
                    .and_then(|live| live.refresh.next_deadline()),
            )
            .chain(self.connection.next_succession())
            .chain(self.outbox.next_deadline(is_live, now))
            .chain(self.storage.next_deadline().filter(|_| is_live))
            .chain(self.inbox.next_deadline().filter(|_| is_live))
            .min()
    }
}
