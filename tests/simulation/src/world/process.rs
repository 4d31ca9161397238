//! The gateway's process: it starts, stands still, is killed, and does what its cores ask for.

use std::collections::{BTreeMap, VecDeque};

use fastrand::Rng;
use rejoinder_gateway::core::{
    Batch, Config, Effect, Gateway, Input, Millis, NextBatch, Now, ReadDone, ReadId, SessionKey,
};
use rejoinder_gateway::store::{Command, Locked, Read};
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

/// A running gateway.
#[derive(Debug)]
pub struct Process {
    /// Which one; never used twice.
    pub number: u64,
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
    /// Takes a connection; returns the process' number.
    pub(super) fn accept(&mut self, session: SessionKey, link: usize) -> u64 {
        self.links.insert(session, link);
        self.number
    }

    /// Returns whether another frame of a session may be read.
    pub fn may_read(&self, session: SessionKey) -> bool {
        self.gateway.may_read(session)
    }
}

impl World {
    pub(super) fn start_process(&mut self) {
        self.processes += 1;
        self.starts_at = None;
        let number = self.processes;
        let mut rng = stream(self.seed, "process", number);
        let mut config = Config::new(self.records.epoch().clone(), rng.u64(..));
        config.dev_pairs = true;
        config.others_write = self.setting.others_write;
        let skew = self.setting.gateway_skew_ms;
        self.process = Some(Process {
            number,
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
        self.hear();
    }

    /// Returns a process, if it is still there.
    fn running(&mut self, number: u64) -> Option<&mut Process> {
        self.process.as_mut().filter(|one| one.number == number)
    }

    pub(super) fn gateway_now(&self) -> Now {
        let skew = self.process.as_ref().map_or(0, |process| process.skew_ms);
        Now {
            monotonic: Millis(self.now),
            wall: self.wall(skew),
        }
    }

    /// Ends the process as a power cut would: nothing is finished, nobody is told by it.
    pub fn kill_process(&mut self, down_ms: u64) {
        let Some(process) = self.process.take() else {
            return;
        };
        self.trace
            .note(|| format!("gateway {} is killed", process.number));
        self.lose_links(process.number);
        self.starts_at = Some(self.now + down_ms);
        self.queue.push(self.now + down_ms, Event::Start);
    }

    /// Asks the process to end.
    pub fn drain_process(&mut self, down_ms: u64) {
        let Some(process) = self.process.as_mut() else {
            return;
        };
        process.is_stopping = true;
        process.down_ms = down_ms;
        let number = process.number;
        self.tell_gateway(number, Input::Drain);
        self.end_if_idle();
    }

    fn end_if_idle(&mut self) {
        let is_over = |process: &Process| process.is_stopping && process.gateway.is_idle();
        if self.process.as_ref().is_some_and(is_over) {
            self.coverage.see("state", "gateway drained to the end");
            let down_ms = self.process.as_ref().map_or(0, |process| process.down_ms);
            self.kill_process(down_ms);
        }
    }

    /// Puts a backup in place of the database.
    pub fn restore_backup(&mut self, batches: usize, down_ms: u64) {
        self.kill_process(down_ms);
        self.void_processes = self.processes;
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

    /// Lets the process stand still.
    pub(super) fn pause_process(&mut self, ms: u64) {
        if let Some(process) = self.process.as_mut() {
            process.paused_until = process.paused_until.max(self.now + ms);
            self.queue
                .push(process.paused_until, Event::Resume(process.number));
        }
    }

    /// Lets the process go on, with what came meanwhile.
    pub(super) fn resume_process(&mut self, number: u64) {
        loop {
            let now = self.now;
            let process = self.running(number);
            let Some(process) = process.filter(|one| one.paused_until <= now) else {
                return; // It is over, or stands still again.
            };
            let Some(input) = process.waiting.pop_front() else {
                break;
            };
            self.handle(number, input);
        }
        // Its sockets may be read before its timer fires.
        let links = self.process.as_ref().map(|process| process.links.clone());
        for link in links.unwrap_or_default().into_values() {
            self.read_up(link);
        }
        self.set_tick();
    }

    /// Hands an input to a process, if it is still there.
    pub(super) fn tell_gateway(&mut self, number: u64, input: Input) {
        let now = self.now;
        let Some(process) = self.running(number) else {
            return;
        };
        if process.paused_until > now || !process.waiting.is_empty() {
            process.waiting.push_back(input);
            return;
        }
        self.handle(number, input);
    }

    fn handle(&mut self, number: u64, input: Input) {
        let now = self.gateway_now();
        let Some(process) = self.process.as_mut() else {
            return;
        };
        if let Input::Closed { session } = &input {
            process.links.remove(session);
        }
        if let Input::Verified { session, result } = &input {
            let wall = now.wall.get();
            let ends_at = |at: UnixMillis| (at.get() + self.now).saturating_sub(wall);
            if let Ok(identity) = result {
                let ends_at = identity.expires_at.map(ends_at);
                let user_id = identity.user_id.clone();
                self.wire.verified(*session, user_id, self.now, ends_at);
            }
        }
        let mut effects = Vec::new();
        process.gateway.handle(now, input, &mut effects);
        self.do_effects(number, effects);
        self.end_if_idle();
    }

    /// Takes what to write to a session next.
    pub(super) fn take_batch(&mut self, number: u64, session: SessionKey) -> Option<Batch> {
        let now = self.gateway_now();
        let process = self.running(number)?;
        let mut effects = Vec::new();
        let batch = process.gateway.take(now, session, &mut effects);
        self.do_effects(number, effects);
        batch
    }

    fn do_effects(&mut self, number: u64, effects: Vec<Effect>) {
        let mut effects: VecDeque<Effect> = effects.into();
        while let Some(effect) = effects.pop_front() {
            let Some(process) = self.running(number) else {
                return;
            };
            if let Some((left, down_ms)) = process.kill_after {
                if left == 0 {
                    self.coverage.see("fault", "gateway killed at an effect");
                    return self.kill_process(down_ms);
                }
                process.kill_after = Some((left - 1, down_ms));
            }
            if self.fault == Some(FaultAt::GatewayEffect(self.effects.1)) {
                self.fault = None;
                return self.kill_process(RESTART_MS);
            }
            self.effects.1 += 1;
            self.do_effect(number, effect);
        }
        self.set_tick();
    }

    fn do_effect(&mut self, number: u64, effect: Effect) {
        let store_ms = self.setting.store_ms;
        let slow = self.slow_store.at(self.now);
        let Some(process) = self.process.as_mut() else {
            return;
        };
        let at = self.now + slow + delay(&mut process.rng, store_ms);
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
            Effect::Read { read, question } => {
                self.queue.push(at, Event::Read(number, read, question));
            }
            Effect::Verify { session, token } => {
                let result = self.verify(&token);
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
        let is_alive = self.running(number).is_some();
        let is_over = number <= self.void_processes || self.process.is_some() || self.rng.bool();
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
        let wall = self.gateway_now().wall;
        let (result, stored) = self.records.apply(self.now, wall, &commands, locked);
        self.trace.note(|| format!("commit {commands:?}"));
        if let Some((commands, applied)) = &stored {
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
        let wait = self.store_wait();
        self.queue.push(
            self.now + wait,
            Event::Gateway(number, Input::Committed { batch, result }),
        );
    }

    pub(super) fn run_read(&mut self, number: u64, read: ReadId, question: &Read) {
        if self.running(number).is_none() {
            return;
        }
        let result = self.records.read(question).map(ReadDone::from);
        let wait = self.store_wait();
        self.queue.push(
            self.now + wait,
            Event::Gateway(number, Input::Read { read, result }),
        );
    }

    fn store_wait(&mut self) -> u64 {
        let store_ms = self.setting.store_ms;
        let slow = self.slow_store.at(self.now);
        self.process.as_mut().map_or(0, |process| {
            delay(&mut process.rng, store_ms) + process.rng.u64(0..=slow)
        })
    }

    fn set_tick(&mut self) {
        let now = self.now;
        let Some(process) = self.process.as_mut() else {
            return;
        };
        if let Some(due) = process.gateway.next_wakeup() {
            // The shell looks every 200 ms.
            let at = due.0.max(now + 1).next_multiple_of(200);
            if process.tick_at.is_none_or(|planned| at < planned) {
                process.tick_at = Some(at);
                self.queue.push(at, Event::Tick(process.number));
            }
        }
    }

    pub(super) fn tick(&mut self, number: u64) {
        let now = self.now;
        let Some(process) = self.running(number) else {
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
        self.set_tick();
    }
}
