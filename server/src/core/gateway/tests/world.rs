//! A gateway with its real store and what its clients receive.

use std::collections::{BTreeMap, BTreeSet};

use rejoinder_protocol::{
    ClientMsgId, CloseCode, Epoch, Object, Revision, ServerFrame, UnixMillis, decode_client_frame,
    decode_server_frame,
};
use uuid::Uuid;

use crate::core::gateway::*;
use crate::core::{FromPeers, Identity, News, NextBatch, ReadDone, Refusal, dev_user};
use crate::store::{Answer, Applied, Command, NewMessage, Read, Sqlite, StoreError};

/// A message of somebody else's.
pub(super) fn message(thread_id: &str, sender: &str, number: u128) -> Command {
    Command::Send(NewMessage {
        thread_id: thread_id.parse().unwrap(),
        sender_id: sender.parse().unwrap(),
        client_msg_id: ClientMsgId::new(Uuid::from_u128(number)),
        server_msg_id: format!("other-{number}").parse().unwrap(),
        body: format!("other {number}"),
        attachments: Vec::new(),
        create_dev_pair: true,
    })
}

/// The messages that a client was told.
pub(super) fn bodies(frames: &[ServerFrame]) -> Vec<&str> {
    let objects = frames.iter().flat_map(|frame| match frame {
        ServerFrame::Page(page) => page.changes.iter().collect(),
        ServerFrame::Change(change) => vec![&change.object],
        _ => Vec::new(),
    });
    let messages = objects.filter_map(|object| match object {
        Object::Message(message) => Some(message.body.as_str()),
        Object::Participant(_) | Object::Unknown => None,
    });
    messages.collect()
}

/// One gateway, its store, and what each client has received.
pub(super) struct World {
    pub(super) now: Now,
    pub(super) gateway: Gateway,
    pub(super) store: Sqlite,
    effects: Vec<Effect>,
    pub(super) received: BTreeMap<SessionKey, Vec<ServerFrame>>,
    /// What requests from outside the sockets were answered.
    pub(super) answers: Vec<Answer>,
    /// What was to be counted.
    pub(super) measures: Vec<Measure>,
    /// What other gateways were to be told or asked.
    pub(super) to_peers: Vec<ToPeers>,
    pub(super) closed: BTreeMap<SessionKey, CloseCode>,
    /// Clients that take nothing.
    pub(super) stuck: BTreeSet<SessionKey>,
    waiting: BTreeSet<SessionKey>,
    /// The next commit is stored, but nobody learns of it.
    pub(super) lose_commit: bool,
    /// Reads are answered only when this is lifted.
    pub(super) hold_reads: bool,
    /// Commits are run only when this is lifted.
    pub(super) hold_commits: bool,
    /// The store does not answer.
    pub(super) fail_reads: bool,
    /// How often the gateway looked for what others wrote.
    pub(super) looks: u32,
    /// Tokens are looked at only when this is lifted.
    pub(super) hold_verify: bool,
    pub(super) held: Vec<Effect>,
}

pub(super) const ALICE: SessionKey = SessionKey(1);
pub(super) const BOB: SessionKey = SessionKey(2);

impl World {
    pub(super) fn new() -> Self {
        Self::with(false)
    }

    pub(super) fn with(others_write: bool) -> Self {
        Self::of(|config| config.others_write = others_write)
    }

    /// Other gateways use the store as well.
    pub(super) fn with_peers() -> Self {
        Self::of(|config| config.has_peers = true)
    }

    pub(super) fn of(choose: impl FnOnce(&mut Config)) -> Self {
        let epoch: Epoch = "e1".parse().unwrap();
        let mut config = Config::new(epoch.clone(), 7);
        config.dev_pairs = true;
        choose(&mut config);
        config.messages_burst = 10_000;
        let now = Now {
            monotonic: Millis(0),
            wall: UnixMillis::try_from(1_000_000).unwrap(),
        };
        Self {
            now,
            gateway: Gateway::new(config),
            store: Sqlite::memory(&epoch).unwrap(),
            effects: Vec::new(),
            received: BTreeMap::new(),
            answers: Vec::new(),
            measures: Vec::new(),
            to_peers: Vec::new(),
            closed: BTreeMap::new(),
            stuck: BTreeSet::new(),
            waiting: BTreeSet::new(),
            lose_commit: false,
            hold_reads: false,
            hold_commits: false,
            fail_reads: false,
            looks: 0,
            hold_verify: false,
            held: Vec::new(),
        }
    }

    /// Somebody else writes into the store.
    pub(super) fn others(&mut self, commands: &[Command]) -> Applied {
        let epoch = self.store.epoch().clone();
        self.store.apply(&epoch, self.now.wall, commands).unwrap()
    }

    /// Another gateway does something; returns what it tells of it.
    pub(super) fn elsewhere(&mut self, command: Command) -> News {
        let mut applied = self.others(&[command]);
        let outcome = applied.outcomes.remove(0).unwrap();
        News::Changed {
            epoch: applied.epoch,
            publication: outcome.publication.unwrap(),
        }
    }

    pub(super) fn heard(&mut self, heard: FromPeers) {
        self.input(Input::Peers(heard));
    }

    pub(super) fn input(&mut self, input: Input) {
        self.gateway.handle(self.now, input, &mut self.effects);
        self.run();
    }

    fn run(&mut self) {
        while !self.effects.is_empty() {
            match self.effects.remove(0) {
                Effect::Answer { answer, .. } => self.answers.push(answer),
                effect @ Effect::Commit(_) if self.hold_commits => self.held.push(effect),
                Effect::Commit(NextBatch {
                    batch,
                    asked_in,
                    commands,
                    ..
                }) => {
                    let mut result = self.store.apply(&asked_in, self.now.wall, &commands);
                    if std::mem::take(&mut self.lose_commit) {
                        result = Err(StoreError::UnknownFate("lost".to_owned()));
                    }
                    let input = Input::Committed { batch, result };
                    self.gateway.handle(self.now, input, &mut self.effects);
                }
                Effect::Flush { session } => {
                    if self.stuck.contains(&session) {
                        self.waiting.insert(session);
                    } else {
                        self.flush(session);
                    }
                }
                Effect::Measure(one) => self.measures.push(one),
                Effect::Peers(order) => self.to_peers.push(order),
                effect @ Effect::Read { .. } if self.hold_reads => self.held.push(effect),
                Effect::Read { read, question } => {
                    self.looks += u32::from(matches!(question, Read::Overview { .. }));
                    let mut result = self.store.read(&question).map(ReadDone::from);
                    if self.fail_reads {
                        result = Err(StoreError::Unavailable("gone".to_owned()));
                    }
                    let input = Input::Read { read, result };
                    self.gateway.handle(self.now, input, &mut self.effects);
                }
                effect @ Effect::Verify { .. } if self.hold_verify => self.held.push(effect),
                Effect::Verify { session, token } => {
                    let user_id = dev_user(&token).ok_or(Refusal::Invalid);
                    let expires_at = UnixMillis::try_from(2_000_000).ok();
                    let result = user_id.map(|user_id| Identity {
                        user_id,
                        expires_at,
                    });
                    let input = Input::Verified { session, result };
                    self.gateway.handle(self.now, input, &mut self.effects);
                }
            }
        }
    }

    fn flush(&mut self, session: SessionKey) {
        while let Some(batch) = self.gateway.take(self.now, session, &mut self.effects) {
            let received = self.received.entry(session).or_default();
            for frame in batch.frames {
                received.push(decode_server_frame(&frame).unwrap());
            }
            if let Some(code) = batch.close {
                self.closed.insert(session, code);
            }
        }
    }

    pub(super) fn unstick(&mut self, session: SessionKey) {
        self.stuck.remove(&session);
        self.waiting.remove(&session);
        self.flush(session);
        self.run();
    }

    pub(super) fn release(&mut self) {
        self.hold_reads = false;
        self.hold_commits = false;
        self.hold_verify = false;
        self.effects.append(&mut self.held);
        self.run();
    }

    pub(super) fn says(&mut self, session: SessionKey, text: &str) {
        let frame = decode_client_frame(text);
        let bytes = text.len();
        self.input(Input::Frame {
            session,
            bytes,
            frame,
        });
    }

    pub(super) fn join(&mut self, session: SessionKey, user: &str) {
        self.input(Input::Opened { session });
        self.says(
            session,
            &format!(r#"{{"type":"hello","protocol_version":1,"token":"dev:{user}"}}"#),
        );
    }

    pub(super) fn subscribe(&mut self, session: SessionKey) {
        self.says(session, r#"{"type":"subscribe","thread_id":"alice|bob"}"#);
    }

    pub(super) fn send(&mut self, session: SessionKey, number: u32, body: &str) {
        let text = format!(
            r#"{{"type":"send","thread_id":"alice|bob","client_msg_id":"00000000-0000-7000-8000-{number:012}","body":"{body}"}}"#
        );
        self.says(session, &text);
    }

    /// Both are there and live.
    pub(super) fn pair() -> Self {
        Self::pair_in(Self::new())
    }

    pub(super) fn pair_in(mut world: Self) -> Self {
        for (session, user) in [(ALICE, "alice"), (BOB, "bob")] {
            world.join(session, user);
            world.subscribe(session);
        }
        world.received.clear();
        world
    }

    pub(super) fn pass(&mut self, duration_ms: u64) {
        let end = self.now.monotonic.after(duration_ms);
        while let Some(at) = self.gateway.next_wakeup().filter(|at| *at <= end) {
            self.clock(at);
            self.input(Input::Tick);
        }
        self.clock(end);
    }

    fn clock(&mut self, at: Millis) {
        let ahead = at.since(self.now.monotonic);
        self.now.monotonic = at;
        self.now.wall = UnixMillis::try_from(self.now.wall.get() + ahead).unwrap();
    }

    pub(super) fn taken(&mut self, session: SessionKey) -> Vec<ServerFrame> {
        self.received.remove(&session).unwrap_or_default()
    }

    /// The bodies that a client's log would hold, applied as a client applies them.
    pub(super) fn log(frames: &[ServerFrame]) -> Vec<String> {
        let mut cursor = Revision::ZERO;
        let mut bodies = BTreeMap::new();
        let mut apply = |object: &Object| {
            if let Object::Message(message) = object {
                bodies.insert(message.sequence_number, message.body.clone());
            }
        };
        for frame in frames {
            match frame {
                ServerFrame::Reset(reset) => {
                    reset.window.iter().for_each(&mut apply);
                    cursor = reset.head_revision;
                }
                ServerFrame::Page(page) => {
                    assert!(page.from_revision <= cursor, "pages abut");
                    page.changes.iter().for_each(&mut apply);
                    cursor = cursor.max(page.to_revision);
                }
                ServerFrame::Change(change) if change.revision > cursor => {
                    assert_eq!(change.revision, cursor.next(), "live changes rise by one");
                    apply(&change.object);
                    cursor = change.revision;
                }
                _ => {}
            }
        }
        bodies.into_values().collect()
    }
}

pub(super) fn kinds(frames: &[ServerFrame]) -> Vec<String> {
    let kind = |frame| serde_json::to_value(frame).unwrap()["type"].clone();
    frames
        .iter()
        .map(|frame| kind(frame).as_str().unwrap().to_owned())
        .collect()
}
