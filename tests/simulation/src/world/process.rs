//! A gateway's process: it starts, stands still, is killed, and does what its cores ask for.

use std::collections::{BTreeMap, VecDeque};

use fastrand::Rng;
use rejoinder_gateway::core::{
    Batch, Config, Effect, Gateway, Identity, Input, Millis, NextBatch, Now, ReadDone, ReadId,
    SessionKey,
};
use rejoinder_gateway::store::{Applied, Command, Locked, Read};
use rejoinder_protocol::UnixMillis;

use super::queue::Event;
use super::{FaultAt, World};
use crate::random::{delay, stream};
use crate::truth::Truth;

/// A gateway that was killed is started again after so long, in virtual milliseconds.
const RESTART_MS: u64 = 300;

/// A lock that somebody else holds is waited for so long, in virtual milliseconds …
const LOCK_TIMEOUT_MS: u64 = 2_000;
/// … and looked at so often.
const LOCK_POLL_MS: u64 = 20;

/// A place where a gateway runs, one process after another.
#[derive(Debug, Default)]
pub struct Place {
    process: Option<Process>,
    starts_at: Option<u64>,
}

/// A running gateway.
#[derive(Debug)]
pub struct Process {
    /// Which one; never used twice.
    pub number: u64,
    place: usize,
    /// It does nothing before this.
    pub paused_until: u64,
    /// It is being stopped properly.
    pub is_stopping: bool,
    /// It is killed after so many more effects, and started again after so long.
    pub kill_after: Option<(u32, u64)>,
    gateway: Gateway,
    /// What came while it stood still.
    waiting: VecDeque<Input>,
    links: BTreeMap<SessionKey, usize>,
    tick_at: Option<u64>,
    down_ms: u64,
    skew_ms: i64,
    rng: Rng,
}

impl Process {
    /// Returns whether a session is one of its.
    pub fn has(&self, session: SessionKey) -> bool {
        self.links.contains_key(&session)
    }

    /// Returns whether nothing of a session waits, here or in its gateway.
    pub fn is_answered(&self, session: SessionKey) -> bool {
        self.waiting.is_empty() && self.gateway.is_answered(session)
    }

    /// Returns whether another frame of a session may be read.
    pub fn may_read(&self, session: SessionKey) -> bool {
        self.gateway.may_read(session)
    }
}

impl World {
    /// Starts a gateway where none runs and it is time for one.
    pub(super) fn start_process(&mut self, place: usize) {
        let now = self.now;
        let Some(Place { process, starts_at }) = self.gateways.get_mut(place) else {
            return;
        };
        if process.is_some() || starts_at.is_none_or(|at| at > now) {
            return;
        }
        *starts_at = None;
        self.processes += 1;
        let number = self.processes;
        let mut rng = stream(self.seed, "process", number);
        let mut config = Config::new(self.records.epoch().clone(), rng.u64(..));
        config.dev_pairs = true;
        config.others_write = self.setting.others_write;
        config.has_peers = self.gateways.len() > 1;
        config.user_connections = self.setting.user_connections;
        let skew = self.setting.gateway_skew_ms;
        self.gateways[place].process = Some(Process {
            number,
            place,
            paused_until: 0,
            is_stopping: false,
            kill_after: None,
            gateway: Gateway::new(config),
            waiting: VecDeque::new(),
            links: BTreeMap::new(),
            tick_at: None,
            down_ms: 0,
            skew_ms: if number.is_multiple_of(2) { skew } else { 0 },
            rng,
        });
        self.trace.note(|| format!("gateway {number} starts"));
        self.hear(Some(number));
        self.meet_peers(Some(number));
    }

    /// Returns the processes that run.
    pub fn running(&self) -> impl Iterator<Item = &Process> {
        self.gateways.iter().filter_map(|one| one.process.as_ref())
    }

    /// Returns their numbers.
    pub(super) fn numbers(&self) -> Vec<u64> {
        self.running().map(|one| one.number).collect()
    }

    /// Returns a process, if it is still there.
    pub fn process(&self, number: u64) -> Option<&Process> {
        self.running().find(|one| one.number == number)
    }

    fn process_mut(&mut self, number: u64) -> Option<&mut Process> {
        let mut running = self
            .gateways
            .iter_mut()
            .filter_map(|one| one.process.as_mut());
        running.find(|one| one.number == number)
    }

    /// Returns one of the processes that a condition holds for.
    pub(super) fn any_process(&mut self, fits: impl Fn(&Process) -> bool) -> Option<u64> {
        let fitting = self.running().filter(|one| fits(one));
        let fitting: Vec<_> = fitting.map(|one| one.number).collect();
        match fitting[..] {
            [] | [_] => fitting.first().copied(),
            _ => Some(fitting[self.rng.usize(0..fitting.len())]),
        }
    }

    /// Lets a process take a connection; returns its number.
    pub(super) fn accept(&mut self, number: u64, session: SessionKey, link: usize) -> Option<u64> {
        self.process_mut(number)?.links.insert(session, link);
        Some(number)
    }

    /// The clocks of a process.
    pub(super) fn gateway_now(&self, number: u64) -> Now {
        let skew = self.process(number).map_or(0, |process| process.skew_ms);
        Now {
            monotonic: Millis(self.now),
            wall: self.wall(skew),
        }
    }

    /// Ends a process as a power cut would: nothing is finished, nobody is told by it.
    pub fn kill_process(&mut self, number: u64, down_ms: u64) {
        let Some(place) = self.process(number).map(|process| process.place) else {
            return;
        };
        self.trace.note(|| format!("gateway {number} is killed"));
        self.lose_links(number);
        self.gateways[place] = Place {
            process: None,
            starts_at: Some(self.now + down_ms),
        };
        self.queue.push(self.now + down_ms, Event::Start(place));
    }

    /// Kills a process after it has done so many more things.
    pub(super) fn kill_process_after(&mut self, number: u64, effects: u32, down_ms: u64) {
        if let Some(process) = self.process_mut(number) {
            process.kill_after = Some((effects, down_ms));
        }
    }

    /// Asks a process to end.
    pub fn drain_process(&mut self, number: u64, down_ms: u64) {
        let Some(process) = self.process_mut(number) else {
            return;
        };
        process.is_stopping = true;
        process.down_ms = down_ms;
        self.tell_gateway(number, Input::Drain);
        self.end_if_idle(number);
    }

    fn end_if_idle(&mut self, number: u64) {
        let is_over = |process: &&Process| process.is_stopping && process.gateway.is_idle();
        if let Some(process) = self.process(number).filter(is_over) {
            let down_ms = process.down_ms;
            self.coverage.see("state", "gateway drained to the end");
            self.kill_process(number, down_ms);
        }
    }

    /// Puts a backup in place of the database. Several gateways go on meanwhile.
    pub fn restore_backup(&mut self, batches: usize, down_ms: u64) {
        if let ([_], [number]) = (&self.gateways[..], &self.numbers()[..]) {
            self.kill_process(*number, down_ms);
        }
        self.void_processes = match self.gateways.len() {
            1 => self.processes,
            _ => 0,
        };
        let held = self.records.restore(batches);
        let mut truth = Truth::default();
        for (now, commands, applied) in held {
            let result = truth.apply(now, &commands, &applied.outcomes);
            self.check(result);
        }
        self.truths.insert(self.records.epoch().clone(), truth);
        self.trace
            .note(|| format!("the database lost its last {batches} batches"));
    }

    /// Lets a process stand still.
    pub(super) fn pause_process(&mut self, number: u64, ms: u64) {
        let until = self.now + ms;
        if let Some(process) = self.process_mut(number) {
            process.paused_until = process.paused_until.max(until);
            let until = process.paused_until;
            self.queue.push(until, Event::Resume(number));
        }
    }

    /// Nothing is wrong with a process any more; where none runs, one is started.
    pub(super) fn heal_place(&mut self, place: usize) {
        match &mut self.gateways[place] {
            Place {
                process: Some(process),
                ..
            } => {
                process.kill_after = None;
                process.paused_until = 0;
                let number = process.number;
                self.resume_process(number);
            }
            Place { starts_at, .. } => {
                *starts_at = Some(self.now);
                self.queue.push(self.now, Event::Start(place));
            }
        }
    }

    /// Lets a process go on, with what came meanwhile.
    pub(super) fn resume_process(&mut self, number: u64) {
        loop {
            let now = self.now;
            let process = self.process_mut(number);
            let Some(process) = process.filter(|one| one.paused_until <= now) else {
                return; // It is over, or stands still again.
            };
            let Some(input) = process.waiting.pop_front() else {
                break;
            };
            self.handle(number, input);
        }
        // Its sockets may be read before its timer fires.
        let links = self.process(number).map(|process| process.links.clone());
        for link in links.unwrap_or_default().into_values() {
            self.read_up(link);
        }
        self.set_tick(number);
    }

    /// Hands an input to a process, if it is still there.
    pub(super) fn tell_gateway(&mut self, number: u64, input: Input) {
        let now = self.now;
        let Some(process) = self.process_mut(number) else {
            return;
        };
        if process.paused_until > now || !process.waiting.is_empty() {
            process.waiting.push_back(input);
            return;
        }
        self.handle(number, input);
    }

    fn handle(&mut self, number: u64, input: Input) {
        let now = self.gateway_now(number);
        if let (Input::Closed { session }, Some(process)) = (&input, self.process_mut(number)) {
            process.links.remove(session);
        }
        if let Input::Verified {
            session,
            result: Ok(identity),
        } = &input
        {
            self.note_verified(number, *session, identity);
        }
        let Some(process) = self.process_mut(number) else {
            return;
        };
        let mut effects = Vec::new();
        process.gateway.handle(now, input, &mut effects);
        self.do_effects(number, effects);
        self.end_if_idle(number);
    }

    pub(super) fn note_verified(&mut self, number: u64, session: SessionKey, identity: &Identity) {
        let wall = self.gateway_now(number).wall.get();
        let ends_at = |at: UnixMillis| (at.get() + self.now).saturating_sub(wall);
        let ends_at = identity.expires_at.map(ends_at);
        let user_id = identity.user_id.clone();
        self.wire.verified(session, user_id, self.now, ends_at);
    }

    /// Takes what to write to a session next.
    pub(super) fn take_batch(&mut self, number: u64, session: SessionKey) -> Option<Batch> {
        let now = self.gateway_now(number);
        let process = self.process_mut(number)?;
        let mut effects = Vec::new();
        let batch = process.gateway.take(now, session, &mut effects);
        self.do_effects(number, effects);
        batch
    }

    fn do_effects(&mut self, number: u64, effects: Vec<Effect>) {
        // What is counted is nothing that a process could die at.
        let done = |effect: &Effect| !matches!(effect, Effect::Measure(_));
        let mut effects: VecDeque<Effect> = effects.into_iter().filter(done).collect();
        while let Some(effect) = effects.pop_front() {
            let Some(process) = self.process_mut(number) else {
                return;
            };
            if let Some((left, down_ms)) = process.kill_after {
                if left == 0 {
                    self.coverage.see("fault", "gateway killed at an effect");
                    return self.kill_process(number, down_ms);
                }
                process.kill_after = Some((left - 1, down_ms));
            }
            if self.fault == Some(FaultAt::GatewayEffect(self.effects.1)) {
                self.fault = None;
                return self.kill_process(number, RESTART_MS);
            }
            self.effects.1 += 1;
            self.do_effect(number, effect);
        }
        self.set_tick(number);
    }

    fn do_effect(&mut self, number: u64, effect: Effect) {
        let store_ms = self.setting.store_ms;
        let slow = self.slow_store.at(self.now);
        let now = self.now;
        let Some(process) = self.process_mut(number) else {
            return;
        };
        let at = now + slow + delay(&mut process.rng, store_ms);
        match effect {
            Effect::Answer { answer, .. } => {
                self.trace
                    .note(|| format!("the backend is answered {answer:?}"));
            }
            Effect::Commit(next) => {
                self.queue.push(at, Event::Commit(number, next, at));
            }
            Effect::Flush { session } => {
                if let Some(link) = process.links.get(&session) {
                    let link = *link;
                    self.want_pump(link);
                }
            }
            Effect::Measure(_) => {}
            Effect::Peers(order) => self.serve_peers(number, order),
            Effect::Read { read, question } => {
                self.queue.push(at, Event::Read(number, read, question));
            }
            Effect::Verify { session, token } => {
                let result = self.verify(number, &token);
                self.queue.push(
                    self.now,
                    Event::Gateway(number, Input::Verified { session, result }),
                );
            }
        }
    }

    /// Runs a batch. A process that was killed meanwhile may or may not have come so far.
    pub(super) fn run_commit(&mut self, number: u64, next: NextBatch, since: u64) {
        let NextBatch {
            batch,
            asked_in,
            commands,
            locked,
        } = next;
        let is_alive = self.process(number).is_some();
        let is_replaced = self.gateways.len() == 1 && self.running().next().is_some();
        let is_over = number <= self.void_processes || is_replaced || self.rng.bool();
        if !is_alive && is_over {
            return;
        }
        let held = |one: &Command| self.records.is_held(one.thread_id(), self.now);
        if locked == Locked::Wait && commands.iter().any(held) {
            self.coverage.see("state", "a lock of others waited for");
            if self.now < since + LOCK_TIMEOUT_MS {
                let next = NextBatch {
                    batch,
                    asked_in,
                    commands,
                    locked,
                };
                let again = Event::Commit(number, next, since);
                return self.queue.push(self.now + LOCK_POLL_MS, again);
            }
        }
        let wall = self.gateway_now(number).wall;
        let (result, stored) = self
            .records
            .apply(self.now, wall, &asked_in, &commands, locked);
        self.trace.note(|| format!("commit {commands:?}"));
        let is_of_another_history = |applied: &Applied| applied.epoch != asked_in;
        if stored
            .as_ref()
            .is_some_and(|(_, applied)| is_of_another_history(applied))
        {
            self.coverage.see("state", "asked in another history");
        } else if let Some((commands, applied)) = &stored {
            let truth = self.truths.entry(applied.epoch.clone()).or_default();
            let result = truth.apply(wall, commands, &applied.outcomes);
            self.check(result);
        }
        if let Err(error) = &result {
            let state = match stored {
                Some(_) => "commit unknown",
                None => "commit failed",
            };
            self.coverage.see("state", state);
            self.trace.note(|| format!("the gateway is told: {error}"));
        }
        let wait = self.store_wait(number);
        self.queue.push(
            self.now + wait,
            Event::Gateway(number, Input::Committed { batch, result }),
        );
    }

    pub(super) fn run_read(&mut self, number: u64, read: ReadId, question: &Read) {
        if self.process(number).is_none() {
            return;
        }
        let result = self.records.read(question).map(ReadDone::from);
        let wait = self.store_wait(number);
        self.queue.push(
            self.now + wait,
            Event::Gateway(number, Input::Read { read, result }),
        );
    }

    fn store_wait(&mut self, number: u64) -> u64 {
        let store_ms = self.setting.store_ms;
        let slow = self.slow_store.at(self.now);
        self.process_mut(number).map_or(0, |process| {
            delay(&mut process.rng, store_ms) + process.rng.u64(0..=slow)
        })
    }

    fn set_tick(&mut self, number: u64) {
        let now = self.now;
        let Some(process) = self.process_mut(number) else {
            return;
        };
        if let Some(due) = process.gateway.next_wakeup() {
            // The shell looks every 200 ms.
            let at = due.0.max(now + 1).next_multiple_of(200);
            if process.tick_at.is_none_or(|planned| at < planned) {
                process.tick_at = Some(at);
                self.queue.push(at, Event::Tick(number));
            }
        }
    }

    pub(super) fn tick(&mut self, number: u64) {
        let now = self.now;
        let Some(process) = self.process_mut(number) else {
            return;
        };
        if process.tick_at != Some(now) {
            return;
        }
        process.tick_at = None;
        if process.paused_until > now {
            return; // It goes on with a new one.
        }
        self.tell_gateway(number, Input::Tick);
        self.set_tick(number);
    }
}
