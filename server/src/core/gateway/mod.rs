//! One process' worth of sessions, hub, presence and committer, as one state machine.

mod commits;
mod entering;
mod levels;
mod peering;
mod reads;
mod telling;
#[cfg(test)]
mod tests;
mod verified;
mod watching;

use std::collections::{BTreeMap, BTreeSet};

use rejoinder_protocol::{
    ClientFrame, DecodeError, ErrorCode, ServerFrame, TypingNotice, UserId, encode,
};

use super::config::DRAIN_SPREAD_MS;
use super::session::requests::Surroundings;
use super::session::{Pumped, Session, Step};
use super::{
    Batch, Committer, Config, Effect, Hub, Ids, Input, Lane, Measure, Millis, News, Now, Origin,
    Others, Peers, Presence, Rates, ReadId, SessionKey, ToPeers, Watch,
};
use crate::store::Answer;

/// What a read is for.
#[derive(Debug)]
enum Purpose {
    /// A subscription's page, with the hub's stamp of when it began, or an owed summary.
    Pump(SessionKey, Pumped, u64),
    /// A thread that somebody else may have changed.
    Look(rejoinder_protocol::ThreadId),
    /// What may have changed without a word.
    Poll,
    /// The answer to a user's request.
    Reply(SessionKey, UserId, rejoinder_protocol::ErrorRef),
}

/// A gateway without its sockets and its store.
///
/// The order of calls is free, except that `Effect::Commit` and reads must be answered once each.
/// Time must never go back between calls.
#[derive(Debug)]
pub struct Gateway {
    config: Config,
    ids: Ids,
    hub: Hub,
    presence: Presence,
    committer: Committer,
    /// Where others write into the store as well.
    watch: Option<Watch>,
    /// Where other gateways do.
    peers: Option<Peers>,
    /// What they are to be told, or asked to keep.
    to_peers: Vec<ToPeers>,
    measures: Vec<Measure>,
    sessions: BTreeMap<SessionKey, Session>,
    reads: BTreeMap<ReadId, Purpose>,
    last_read: u64,
    /// Sessions that were touched in this step.
    touched: BTreeSet<SessionKey>,
    deadlines: BTreeSet<(Millis, SessionKey)>,
    /// Threads with a commit of unknown fate, whose participants may be owed a look.
    unsure: BTreeSet<rejoinder_protocol::ThreadId>,
    draining: bool,
    /// What each user did lately.
    rates: Rates,
}

impl Gateway {
    /// Starts without sessions.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self {
            ids: Ids::new(config.seed),
            watch: (config.others_write || config.has_peers)
                .then(|| Watch::new(config.others_write, config.has_peers)),
            peers: config.has_peers.then(Peers::default),
            to_peers: Vec::new(),
            measures: Vec::new(),
            config,
            hub: Hub::default(),
            presence: Presence::default(),
            committer: Committer::default(),
            sessions: BTreeMap::new(),
            reads: BTreeMap::new(),
            last_read: 0,
            touched: BTreeSet::new(),
            deadlines: BTreeSet::new(),
            unsure: BTreeSet::new(),
            draining: false,
            rates: Rates::default(),
        }
    }

    /// Takes what happened, and appends what must be done to `effects`.
    pub fn handle(&mut self, now: Now, input: Input, effects: &mut Vec<Effect>) {
        match input {
            Input::Closed { session } => self.closed(now, session),
            Input::Command { request, command } => {
                let origin = Origin::Request(request);
                if self.committer.push(origin, command).is_err() {
                    let answer = Answer::Refused(ErrorCode::Busy);
                    effects.push(Effect::Answer { request, answer });
                }
            }
            Input::Committed { batch, result } => self.committed(now, batch, result, effects),
            Input::Drain => self.drain(now),
            Input::Frame {
                session,
                bytes,
                frame,
            } => self.frame(now, session, bytes, frame, effects),
            Input::Heard { is_heard } => {
                if let Some(watch) = &mut self.watch {
                    watch.heard(Others::Writers, is_heard);
                }
            }
            Input::Hint {
                thread_id,
                revision,
            } => {
                if let Some(watch) = &mut self.watch {
                    watch.hint(&thread_id, revision);
                }
            }
            Input::Opened { session } => self.opened(now, session),
            Input::Peers(heard) => self.heard_of_peers(now, heard),
            Input::Posted {
                session,
                identity,
                epoch,
            } => self.posted(now, session, identity, epoch.as_ref()),
            Input::Read { read, result } => self.read_done(now, read, result, effects),
            Input::Streamed {
                session,
                identity,
                resume,
            } => self.streamed(now, session, identity, resume, effects),
            Input::Tick => self.tick(now, effects),
            Input::Verified { session, result } => self.verified(now, session, result, effects),
        }
        self.settle(now, effects);
    }

    /// Takes what to write to a session next; `None` when there is nothing for now.
    ///
    /// Call it after `Effect::Flush`, and again after each write, until it returns `None`: asking
    /// means that the batch before is written.
    pub fn take(
        &mut self,
        now: Now,
        session: SessionKey,
        effects: &mut Vec<Effect>,
    ) -> Option<Batch> {
        let (one, _) = self.touch(session)?;
        let batch = one.take(now.monotonic);
        one.signalled = batch.is_some();
        self.settle(now, effects);
        batch
    }

    /// Returns whether another frame of this session may be read. Changes only with a `Flush`.
    #[must_use]
    pub fn may_read(&self, session: SessionKey) -> bool {
        let session = self.sessions.get(&session);
        session.is_some_and(Session::may_read)
    }

    /// Returns the moment for the next `Input::Tick`, if no other input comes before.
    #[must_use]
    pub fn next_wakeup(&self) -> Option<Millis> {
        let sessions = self.deadlines.first().map(|(at, _)| *at);
        let poll = self.watch.as_ref().and_then(Watch::next_wakeup);
        let renewal = self.peers.as_ref().and_then(Peers::next_wakeup);
        [sessions, self.presence.next_wakeup(), poll, renewal]
            .into_iter()
            .flatten()
            .min()
    }

    /// Returns whether no session and no command is left, so that the process may end.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.sessions.is_empty() && self.committer.is_idle()
    }

    /// Returns the number of sessions.
    #[must_use]
    pub fn session_count(&self) -> usize {
        self.sessions.len()
    }

    fn touch(&mut self, session: SessionKey) -> Option<(&mut Session, &Config)> {
        let found = self.sessions.get_mut(&session)?;
        self.touched.insert(session);
        Some((found, &self.config))
    }

    /// Returns whether everything that a session asked is answered, and the answers are taken.
    #[must_use]
    pub fn is_answered(&self, session: SessionKey) -> bool {
        let one = self.sessions.get(&session);
        one.is_none_or(|one| one.outbound.all_answered() && !one.outbound.has_frames())
    }

    fn frame(
        &mut self,
        now: Now,
        session: SessionKey,
        bytes: usize,
        frame: Result<ClientFrame, DecodeError>,
        effects: &mut Vec<Effect>,
    ) {
        let Some(one) = self.sessions.get_mut(&session) else {
            return;
        };
        self.touched.insert(session);
        let around = Surroundings {
            now,
            config: &self.config,
            ids: &mut self.ids,
            rates: &mut self.rates,
        };
        let mut steps = Vec::new();
        one.frame(around, bytes, frame, &mut steps);
        self.steps(now, session, steps, effects);
    }

    fn steps(
        &mut self,
        now: Now,
        session: SessionKey,
        steps: Vec<Step>,
        effects: &mut Vec<Effect>,
    ) {
        for step in steps {
            match step {
                Step::Verify(token) => effects.push(Effect::Verify { session, token }),
                Step::Arrived(user_id) => {
                    self.hub.connect(session, &user_id);
                    if self.presence.connect(&user_id) {
                        self.came(now, &user_id);
                    }
                }
                Step::Command(command) => self.command(now, session, command),
                Step::Question(user_id, question, reference) => {
                    let purpose = Purpose::Reply(session, user_id, reference);
                    self.ask(question, purpose, effects);
                }
                Step::Subscribe(thread_id) => self.hub.subscribe(&thread_id, session),
                Step::Unsubscribe(thread_id) => self.hub.unsubscribe(&thread_id, session),
                Step::Typing(thread_id, is_typing) => {
                    let one = self.sessions.get(&session);
                    let Some(user_id) = one.and_then(Session::user_id).cloned() else {
                        continue;
                    };
                    self.tell_typing(now, &user_id, thread_id, is_typing);
                }
            }
        }
    }

    /// Takes a closed session out of every index.
    fn leave(&mut self, now: Now, session: SessionKey) {
        let Some(one) = self.sessions.get_mut(&session) else {
            return;
        };
        if std::mem::replace(&mut one.left, true) {
            return;
        }
        let is_counted = one.is_counted();
        #[cfg(feature = "mutants")]
        let is_counted = is_counted || rejoinder_mutants::planted!(PostEndsPresence);
        let user_id = one.user_id().filter(|_| is_counted).cloned();
        let typing = std::mem::take(&mut one.typing);
        for thread_id in one.subscriptions.end_all() {
            self.hub.unsubscribe(&thread_id, session);
        }
        self.hub.disconnect(session);
        let Some(user_id) = user_id else { return };
        for (thread_id, until) in typing {
            // Others would see the writing until its lease ends.
            if until > now.monotonic {
                self.tell_typing(now, &user_id, thread_id, false);
            }
        }
        self.presence.disconnect(now, &user_id);
    }

    fn closed(&mut self, now: Now, session: SessionKey) {
        self.leave(now, session);
        let Some(one) = self.sessions.remove(&session) else {
            return;
        };
        self.measures.extend(one.measures.iter().copied());
        let code = one.close_code();
        self.measures.push(Measure::Ended { code });
        if let Some(noted) = one.noted {
            self.deadlines.remove(&(noted, session));
        }
    }

    fn drain(&mut self, now: Now) {
        self.draining = true;
        self.leave_peers();
        for session in self.sessions.keys().copied().collect::<Vec<_>>() {
            self.drain_session(now, session);
        }
    }

    fn drain_session(&mut self, now: Now, session: SessionKey) {
        let retry_after_ms = self.come_back_ms();
        if let Some((one, _)) = self.touch(session) {
            one.drain(now.monotonic, retry_after_ms);
        }
    }

    /// When a client comes back: all of a gateway lose it in the same second, and must not meet again in
    /// one.
    fn come_back_ms(&mut self) -> u64 {
        100 + self.ids.jitter_ms(DRAIN_SPREAD_MS)
    }

    fn tick(&mut self, now: Now, effects: &mut Vec<Effect>) {
        self.poll(now, effects);
        self.rates.sweep(now.monotonic);
        for user_id in self.presence.tick(now.monotonic) {
            self.went(now, &user_id);
        }
        self.renew_leases(now);
        while let Some((at, session)) = self.deadlines.first().copied() {
            if at > now.monotonic {
                break;
            }
            self.deadlines.pop_first();
            if let Some((one, _)) = self.touch(session) {
                one.noted = None;
                one.tick(now.monotonic);
            }
        }
    }

    /// Ends a step: whoever was touched reads on, is flushed, and gets its next deadline.
    fn settle(&mut self, now: Now, effects: &mut Vec<Effect>) {
        while let Some(session) = self.touched.pop_first() {
            let Some(one) = self.sessions.get_mut(&session) else {
                continue;
            };
            one.drained(now.monotonic);
            if one.is_closed() {
                self.leave(now, session);
            }
            self.pump(session, effects);
            let Some(one) = self.sessions.get_mut(&session) else {
                continue;
            };
            self.measures.append(&mut one.measures);
            if one.outbound.has_frames() && !std::mem::replace(&mut one.signalled, true) {
                effects.push(Effect::Flush { session });
            }
            // A deadline that moves away is left to fire early: it costs less than moving it.
            let wanted = one.next_wakeup();
            if let Some(at) = wanted
                && one.noted.is_none_or(|noted| at < noted)
            {
                if let Some(noted) = one.noted.replace(at) {
                    self.deadlines.remove(&(noted, session));
                }
                self.deadlines.insert((at, session));
            }
        }
        self.look(effects);
        self.settle_peers(now, effects);
        effects.extend(self.measures.drain(..).map(Effect::Measure));
        while let Some(next) = self.committer.next_batch(&self.config.epoch) {
            effects.push(Effect::Commit(next));
        }
    }

    fn tell_typing(
        &mut self,
        now: Now,
        user_id: &UserId,
        thread_id: rejoinder_protocol::ThreadId,
        is_typing: bool,
    ) {
        let is_shown = self.show_typing(now, user_id, thread_id.clone(), is_typing);
        // Of a thread that nobody watches here nobody here knows who takes part; others check it.
        if is_shown || !self.hub.is_watched(&thread_id) {
            let user_id = user_id.clone();
            self.tell_peers(|_| News::Typing {
                thread_id,
                user_id,
                is_typing,
            });
        }
    }

    /// Shows it to those who are here; returns whether the user takes part, as far as is known.
    fn show_typing(
        &mut self,
        now: Now,
        user_id: &UserId,
        thread_id: rejoinder_protocol::ThreadId,
        is_typing: bool,
    ) -> bool {
        let Some(audience) = self.hub.typing_audience(&thread_id, user_id) else {
            return false;
        };
        let frame = ServerFrame::Typing(TypingNotice {
            thread_id,
            user_id: user_id.clone(),
            is_typing,
        });
        self.tell(now, audience, Lane::Ephemeral, &frame);
        true
    }

    /// Sends one frame to many, encoded once.
    fn tell(
        &mut self,
        now: Now,
        audience: impl IntoIterator<Item = SessionKey>,
        lane: Lane,
        frame: &ServerFrame,
    ) {
        let text: std::sync::Arc<str> = encode(frame).into();
        for session in audience {
            if let Some((one, _)) = self.touch(session) {
                one.push(now.monotonic, lane, std::sync::Arc::clone(&text));
            }
        }
    }
}
