//! A page: the real engine, what it asks for, and what it shows.

use std::collections::BTreeSet;
use std::sync::Arc;

use rejoinder::engine::{
    AppInput, Attempt, Config, ConnectionState, DiscardOutcome, Effect, Engine, Input, Lifecycle,
    Notice, TokenInput, Transport,
};
use rejoinder_protocol::{ClientFrame, ServerFrame, ServerMsgId, Token, decode_server_frame};
use rejoinder_simulation::world::screen::Screen;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::Instant;

use super::link::Link;
use super::storage::{Job, SharedDisk, Storage};
use super::{Around, clock};
use crate::ledger::Sent;

/// From its loading to its end.
pub(super) struct Page {
    around: Arc<Around>,
    engine: Engine,
    door: UnboundedSender<Input>,
    pub(super) inputs: UnboundedReceiver<Input>,
    pub(super) storage: Storage,
    links: Vec<Link>,
    pub(super) screen: Screen,
    /// By which way it was last opened.
    transport: Transport,
    /// Messages that were announced.
    announced: BTreeSet<ServerMsgId>,
}

impl Page {
    /// Opens one, which shows all threads and connects.
    pub(super) fn open(around: Arc<Around>, disk: SharedDisk, seed: u64) -> Self {
        let (door, inputs) = unbounded_channel();
        let config = Config {
            user_id: around.device.user_id.clone(),
            skip_failed: false,
        };
        let mut page = Self {
            storage: Storage::open(disk, door.clone(), seed),
            engine: Engine::new(config, seed),
            around,
            door,
            inputs,
            links: Vec::new(),
            screen: Screen::default(),
            transport: Transport::WebSocket,
            announced: BTreeSet::new(),
        };
        page.open_threads();
        page.feed(Input::App(AppInput::Connect));
        page
    }

    fn open_threads(&mut self) {
        for thread_id in self.around.device.threads.clone() {
            self.feed(Input::App(AppInput::OpenThread { thread_id }));
        }
    }

    /// Its user does something.
    pub(super) fn ask(&mut self, input: AppInput) {
        match &input {
            AppInput::Send {
                thread_id,
                client_msg_id,
                body,
                ..
            } => {
                self.around.counts.queued.add(1);
                self.around.ledger.add(Sent {
                    device: self.around.device.number,
                    user_id: self.around.device.user_id.clone(),
                    thread_id: thread_id.clone(),
                    client_msg_id: *client_msg_id,
                    body: body.clone(),
                    was_transmitted: false,
                    answer: None,
                    is_orphan: false,
                    is_discarded: false,
                    outcome: None,
                });
            }
            AppInput::Discard { client_msg_id } => {
                self.around.counts.discards.add(1);
                let discard = |sent: &mut Sent| sent.is_discarded = true;
                self.around.ledger.update(*client_msg_id, discard);
            }
            AppInput::CloseThread { .. }
            | AppInput::Connect
            | AppInput::Disconnect
            | AppInput::LoadOlder { .. }
            | AppInput::Logout
            | AppInput::OpenThread { .. }
            | AppInput::Retry { .. }
            | AppInput::SetTyping { .. }
            | AppInput::WatchInbox => {}
        }
        self.feed(Input::App(input));
    }

    /// The network is back, and its user looks at everything and wants to be connected.
    pub(super) fn come_back(&mut self) {
        self.feed(Input::Lifecycle(Lifecycle::Online));
        self.open_threads();
        self.hurry();
    }

    /// Its user does not want to wait for the next attempt.
    pub(super) fn hurry(&mut self) {
        if self.screen.state() != Some(ConnectionState::Connected) {
            self.feed(Input::App(AppInput::Connect));
        }
    }

    /// When the engine wants to be woken.
    pub(super) fn wakes_at(&self) -> Option<Instant> {
        self.engine.next_wakeup().map(clock::instant)
    }

    /// Takes in what happened, and does what follows from it.
    pub(super) fn feed(&mut self, input: Input) {
        self.hear(&input);
        let mut effects = Vec::new();
        self.engine.handle(clock::now(), input, &mut effects);
        for effect in effects {
            self.execute(effect);
        }
    }

    fn hear(&mut self, input: &Input) {
        match input {
            Input::OutboxLoaded(_) | Input::Stored { .. } | Input::ThreadLoaded { .. } => {
                self.storage.waiting = self.storage.waiting.saturating_sub(1);
            }
            Input::Answer { text, .. } | Input::Frame { text, .. } => {
                match decode_server_frame(text) {
                    Ok(ServerFrame::Ack(ack)) if ack.duplicate => {
                        self.around.counts.duplicates.add(1);
                    }
                    Ok(ServerFrame::Welcome(_)) => self.count_connection(),
                    Ok(_) | Err(_) => {}
                }
            }
            Input::App(_)
            | Input::Buffered { .. }
            | Input::Heard { .. }
            | Input::Lifecycle(_)
            | Input::Refused { .. }
            | Input::SocketClosed { .. }
            | Input::SocketOpened { .. }
            | Input::Token { .. }
            | Input::Unanswered { .. }
            | Input::Woke => {}
        }
    }

    fn count_connection(&self) {
        match self.transport {
            Transport::WebSocket => self.around.counts.sockets.add(1),
            Transport::Sse => self.around.counts.streams.add(1),
        }
    }

    fn execute(&mut self, effect: Effect) {
        match effect {
            Effect::CloseSocket { attempt } => {
                if let Some(at) = self.links.iter().position(|one| one.attempt == attempt) {
                    self.links.swap_remove(at).close();
                }
            }
            Effect::DeleteDatabase => self.nonsense("nobody logged out"),
            Effect::LoadOutbox => self.storage.ask(Job::LoadOutbox),
            Effect::LoadThread { thread_id, before } => {
                self.storage.ask(Job::LoadThread(thread_id, before));
            }
            Effect::Notify(notice) => self.show(notice),
            Effect::OpenSocket { attempt, transport } => {
                self.transport = transport;
                self.links.retain(|one| !one.is_over());
                self.links
                    .push(Link::open(self.around.port, attempt, transport, &self.door));
            }
            Effect::Persist { write_id, write } => self.storage.ask(Job::Persist(write_id, write)),
            Effect::RequestToken { attempt } => self.bring_token(attempt),
            Effect::Transmit { attempt, frame } => self.transmit(attempt, &frame),
        }
    }

    fn bring_token(&self, attempt: Attempt) {
        let token = TokenInput {
            token: Token::new(self.around.token.clone()),
            subject: Some(self.around.device.user_id.clone()),
        };
        let token = Some(token);
        let _ = self.door.send(Input::Token { attempt, token });
    }

    fn transmit(&mut self, attempt: Attempt, frame: &ClientFrame) {
        if let ClientFrame::Send(send) = frame {
            self.around.ledger.update(send.client_msg_id, |sent| {
                if std::mem::replace(&mut sent.was_transmitted, true) {
                    self.around.counts.resends.add(1);
                }
            });
        }
        if let Some(link) = self.links.iter_mut().find(|one| one.attempt == attempt) {
            link.send(frame);
        }
    }

    fn show(&mut self, notice: Notice) {
        match notice {
            Notice::Connection(connection) => self.screen.connection = Some(connection),
            Notice::Discarded {
                client_msg_id,
                outcome,
            } => {
                let is_last = match outcome {
                    DiscardOutcome::Discarded
                    | DiscardOutcome::Cancelled
                    | DiscardOutcome::Sent => true,
                    DiscardOutcome::MaybeSent | DiscardOutcome::Unknown => false,
                };
                let told =
                    |sent: &mut Sent| sent.outcome = is_last.then_some(outcome).or(sent.outcome);
                if !self.around.ledger.update(client_msg_id, told) {
                    self.nonsense(&format!("nobody discarded {client_msg_id}"));
                }
            }
            Notice::Inbox { .. } => {}
            Notice::Message { message, .. } => {
                let id = message.server_msg_id.clone();
                if !id.is_some_and(|id| self.announced.insert(id)) {
                    self.nonsense(&format!("{:?} is announced twice", message.body));
                }
            }
            Notice::Settled {
                client_msg_id,
                result,
            } => {
                let mut is_second = false;
                let answered = |sent: &mut Sent| is_second = sent.answer.replace(result).is_some();
                if !self.around.ledger.update(client_msg_id, answered) || is_second {
                    self.nonsense(&format!("{client_msg_id} is answered once more"));
                }
            }
            Notice::Thread(delta) => {
                let threads = &mut self.screen.threads;
                let timeline = threads.entry(delta.thread_id.clone()).or_default();
                if let Err(detail) = timeline.apply(&delta) {
                    self.nonsense(&detail);
                }
            }
        }
    }

    fn nonsense(&self, what: &str) {
        let client = self.around.device.number;
        self.around
            .ledger
            .nonsense(format!("client {client}: {what}"));
    }

    /// Ends it without warning.
    pub(super) async fn crash(self) {
        drop(self.links);
        self.storage.crash().await;
    }
}
