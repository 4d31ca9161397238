//! Whatever several users, the application's back end and other gateways do to one gateway, in
//! whatever order: nobody is told of a thread that they are not in; a witness checks every frame.

mod frames;
mod others;
mod witness;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use rejoinder_gateway::core::{
    Config, Effect, Gateway, Identity, Input, Millis, News, NextBatch, Now, ReadDone, Refusal,
    SessionKey, dev_user,
};
use rejoinder_gateway::store::{Applied, Command, Sqlite, StoreError};
use rejoinder_protocol::{Epoch, ThreadId, UnixMillis, UserId, decode_client_frame};

use crate::choices::Choices;
use witness::Witness;

/// More of them find nothing new, and only take time.
const STEPS_MAX: usize = 200;
const SESSIONS: u64 = 5;

/// A gateway, its real store, and those who watch what it tells whom.
struct World<'a> {
    choices: Choices<'a>,
    now: Now,
    gateway: Gateway,
    store: Sqlite,
    effects: VecDeque<Effect>,
    /// Effects of these kinds are answered later, in any order.
    hold_commits: bool,
    hold_reads: bool,
    hold_verify: bool,
    held: Vec<Effect>,
    /// By the place of a client: its newest session.
    clients: BTreeMap<u64, SessionKey>,
    /// Clients that read nothing.
    stuck: BTreeSet<SessionKey>,
    last: u64,
    /// What other gateways have to tell.
    news: Vec<News>,
    witness: Witness,
}

/// Lets a gateway live through whatever the bytes mean.
pub fn run(data: &[u8]) {
    let mut world = World::new(Choices::new(data));
    for _ in 0..STEPS_MAX {
        if world.choices.is_over() {
            break;
        }
        world.step();
        world.work();
    }
    world.end();
}

impl<'a> World<'a> {
    fn new(mut choices: Choices<'a>) -> Self {
        let epoch: Epoch = "e1".parse().unwrap();
        let mut config = Config::new(epoch.clone(), 7);
        config.dev_pairs = !choices.one_in(4);
        config.others_write = choices.one_in(3);
        config.has_peers = choices.one_in(3);
        Self {
            choices,
            now: Now {
                monotonic: Millis(0),
                wall: UnixMillis::try_from(1_000_000).unwrap(),
            },
            gateway: Gateway::new(config),
            store: Sqlite::memory(&epoch).unwrap(),
            effects: VecDeque::new(),
            hold_commits: false,
            hold_reads: false,
            hold_verify: false,
            held: Vec::new(),
            clients: BTreeMap::new(),
            stuck: BTreeSet::new(),
            last: 0,
            news: Vec::new(),
            witness: Witness::default(),
        }
    }

    fn user(&mut self) -> UserId {
        let name = self.choices.of(&["alice", "bob", "carol"]);
        name.parse().unwrap()
    }

    fn thread(&mut self) -> ThreadId {
        let name = self.choices.of(&["alice|bob", "bob|carol", "t", "none"]);
        name.parse().unwrap()
    }

    fn client(&mut self) -> Option<SessionKey> {
        let place = self.choices.below(SESSIONS);
        self.clients.get(&place).copied()
    }

    fn next(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    fn step(&mut self) {
        match self.choices.below(28) {
            0..3 => self.join(),
            3..14 => {
                let text = self.frame();
                self.say(&text);
            }
            14 => {
                let text = self.choices.text(200);
                self.say(&text);
            }
            15..18 => self.command(),
            18..21 => self.others(),
            21 => {
                let place = self.choices.below(SESSIONS);
                if let Some(session) = self.clients.remove(&place) {
                    self.input(Input::Closed { session });
                    self.witness.left(session);
                }
            }
            22 => self.stick(),
            23 => self.hold(),
            24 | 25 => self.release(),
            _ => self.pass(),
        }
    }

    /// A client comes, or comes back.
    fn join(&mut self) {
        let place = self.choices.below(SESSIONS);
        let session = SessionKey(self.next());
        if let Some(before) = self.clients.insert(place, session) {
            self.input(Input::Closed { session: before });
            self.witness.left(before);
        }
        self.input(Input::Opened { session });
        if !self.choices.one_in(6) {
            let hello = self.hello();
            self.speak(session, &hello);
        }
    }

    fn say(&mut self, text: &str) {
        if let Some(session) = self.client() {
            self.speak(session, text);
        }
    }

    fn speak(&mut self, session: SessionKey, text: &str) {
        // A real client's next frame is read only when the gateway wants it.
        if !self.gateway.may_read(session) {
            return;
        }
        let frame = decode_client_frame(text);
        if let Ok(frame) = &frame {
            self.witness.says(session, frame);
        }
        self.input(Input::Frame {
            session,
            bytes: text.len(),
            frame,
        });
    }

    fn stick(&mut self) {
        let Some(session) = self.client() else { return };
        if self.stuck.remove(&session) {
            self.flush(session);
        } else {
            self.stuck.insert(session);
        }
    }

    fn hold(&mut self) {
        match self.choices.below(3) {
            0 => self.hold_commits = true,
            1 => self.hold_reads = true,
            _ => self.hold_verify = true,
        }
    }

    /// Answers one effect that was held, or all of them.
    fn release(&mut self) {
        if self.choices.bool() && !self.held.is_empty() {
            let index = self.choices.below(self.held.len() as u64);
            let effect = self.held.swap_remove(usize::try_from(index).unwrap());
            self.execute(effect);
        } else {
            (self.hold_commits, self.hold_reads, self.hold_verify) = (false, false, false);
            self.effects.extend(self.held.drain(..));
        }
    }

    fn pass(&mut self) {
        let most = self.choices.of(&[100, 10_000, 100_000]);
        let end = self.now.monotonic.after(self.choices.below(most));
        while let Some(at) = self.gateway.next_wakeup().filter(|at| *at <= end) {
            self.clock(at);
            self.input(Input::Tick);
            self.work();
        }
        self.clock(end);
    }

    fn clock(&mut self, at: Millis) {
        let ahead = at.since(self.now.monotonic);
        self.now.monotonic = self.now.monotonic.max(at);
        self.now.wall = UnixMillis::try_from(self.now.wall.get() + ahead).unwrap();
    }

    fn input(&mut self, input: Input) {
        let mut effects = Vec::new();
        self.gateway.handle(self.now, input, &mut effects);
        self.effects.extend(effects);
    }

    /// Does what the gateway wants, until it wants nothing that may be done now.
    fn work(&mut self) {
        while let Some(effect) = self.effects.pop_front() {
            let is_held = match effect {
                Effect::Commit(_) => self.hold_commits,
                Effect::Read { .. } => self.hold_reads,
                Effect::Verify { .. } => self.hold_verify,
                Effect::Answer { .. }
                | Effect::Flush { .. }
                | Effect::Measure(_)
                | Effect::Peers(_) => false,
            };
            if is_held {
                self.held.push(effect);
            } else {
                self.execute(effect);
            }
        }
    }

    fn execute(&mut self, effect: Effect) {
        match effect {
            Effect::Answer { .. } | Effect::Measure(_) => {}
            Effect::Commit(NextBatch {
                batch,
                asked_in,
                commands,
                ..
            }) => {
                let result = self.commit(&asked_in, &commands);
                self.input(Input::Committed { batch, result });
            }
            Effect::Flush { session } => {
                if !self.stuck.contains(&session) {
                    self.flush(session);
                }
            }
            Effect::Peers(order) => self.peers(order),
            Effect::Read { read, question } => {
                let result = if self.choices.one_in(16) {
                    Err(StoreError::Unavailable("gone".to_owned()))
                } else {
                    self.store.read(&question).map(ReadDone::from)
                };
                self.input(Input::Read { read, result });
            }
            Effect::Verify { session, token } => {
                let user_id = dev_user(&token).ok_or(Refusal::Invalid);
                if let Ok(user_id) = &user_id {
                    self.witness.verified(session, user_id);
                }
                let expires_at = self.now.wall.get() + 50_000;
                let result = user_id.map(|user_id| Identity {
                    user_id,
                    expires_at: UnixMillis::try_from(expires_at).ok(),
                });
                self.input(Input::Verified { session, result });
            }
        }
    }

    /// Commits, or does not, and says so, or does not.
    fn commit(&mut self, asked_in: &Epoch, commands: &[Command]) -> Result<Applied, StoreError> {
        let trouble = self.choices.below(16);
        if trouble == 15 {
            return Err(StoreError::Unavailable("gone".to_owned()));
        }
        let applied = self.store.apply(asked_in, self.now.wall, commands);
        if let Ok(applied) = &applied {
            self.witness.committed(applied);
        }
        if trouble == 14 {
            return Err(StoreError::UnknownFate("lost".to_owned()));
        }
        applied
    }

    fn flush(&mut self, session: SessionKey) {
        let mut effects = Vec::new();
        while let Some(batch) = self.gateway.take(self.now, session, &mut effects) {
            for text in &batch.frames {
                self.witness.hears(session, text);
            }
            if batch.close.is_some() {
                self.witness.left(session);
            }
        }
        self.effects.extend(effects);
    }

    /// Everything is answered, and everybody leaves: nothing is left behind.
    fn end(&mut self) {
        (self.hold_commits, self.hold_reads, self.hold_verify) = (false, false, false);
        self.effects.extend(self.held.drain(..));
        self.work();
        for session in std::mem::take(&mut self.stuck) {
            self.flush(session);
        }
        self.work();
        for session in std::mem::take(&mut self.clients).into_values() {
            self.input(Input::Closed { session });
            self.witness.left(session);
        }
        self.work();
        assert_eq!(self.gateway.session_count(), 0, "a session stayed");
    }
}
