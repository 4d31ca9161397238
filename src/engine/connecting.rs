//! Getting connected, staying connected, and noticing when that is over.

use rejoinder_protocol::{
    ClientFrame, CloseCode, Goodbye, HELLO_BYTES_MAX, Hello, PROTOCOL_VERSION, RESUME_THREADS_MAX,
    Reaction, Resume, STREAM_THREADS_MAX, Since, Token, Welcome, encode, reaction,
};

use super::config::{
    CONNECT_TIMEOUT_MS, PROBE_TIMEOUT_MS, REOPEN_INTERVAL_MS, SOCKET_BUFFER_BYTES_MAX,
    TOKEN_TIMEOUT_MS,
};
use super::connection::{Ended, Live, State};
use super::effect::Effect;
use super::input::{Attempt, Input, Lifecycle, NO_CLOSE_CODE, TokenInput};
use super::notice::{Notice, Reason, SendRefusal, SendResult};
use super::refreshing::Refresh;
use super::storing::Boot;
use super::thread::{Subscription, ThreadState};
use super::time::Millis;
use super::transport::Transport;
use super::{AppInput, Engine};

impl Engine {
    pub(super) fn connect(&mut self, effects: &mut Vec<Effect>) {
        match self.connection.state {
            State::Idle | State::Ended(_) => {
                self.connection.token_was_refused = false;
                self.begin_attempt(effects);
            }
            State::Waiting { .. } => self.connection.hurry(self.clock.now.monotonic),
            State::Live(_) => self.refresh_soon(effects),
            State::Booting
            | State::NeedsToken { .. }
            | State::Opening { .. }
            | State::Greeting { .. } => {}
        }
    }

    pub(super) fn disconnect(&mut self, effects: &mut Vec<Effect>) {
        self.connection.judge_way(self.clock.now.monotonic, true);
        self.close_socket(effects);
        self.connection.state = State::Idle;
        self.connection.token = None;
        self.connection.reason = None;
        self.connection.close_code = None;
    }

    pub(super) fn logout(&mut self, effects: &mut Vec<Effect>) {
        self.disconnect(effects);
        self.publish(effects);
        for entry in self.outbox.iter().filter(|entry| !entry.is_settled) {
            let result = SendResult::Refused {
                code: SendRefusal::LoggedOut,
            };
            let client_msg_id = entry.record.client_msg_id;
            effects.push(Effect::Notify(Notice::Settled {
                client_msg_id,
                result,
            }));
        }
        self.is_logged_out = true;
        effects.push(Effect::DeleteDatabase);
    }

    /// Nothing of a user who logged out is taken or kept.
    pub(super) fn refuse_after_logout(&self, input: &Input, effects: &mut Vec<Effect>) {
        if let Input::App(AppInput::Send { client_msg_id, .. }) = input {
            let result = SendResult::Refused {
                code: SendRefusal::LoggedOut,
            };
            let client_msg_id = *client_msg_id;
            effects.push(Effect::Notify(Notice::Settled {
                client_msg_id,
                result,
            }));
        }
    }

    pub(super) fn begin_attempt(&mut self, effects: &mut Vec<Effect>) {
        if self.storage.boot != Boot::Done {
            self.connection.state = State::Booting;
            return;
        }
        let attempt = self.connection.begin_attempt();
        let deadline = self.clock.now.monotonic.after(TOKEN_TIMEOUT_MS);
        self.connection.state = State::NeedsToken { attempt, deadline };
        effects.push(Effect::RequestToken { attempt });
    }

    pub(super) fn handle_token(
        &mut self,
        answered: Attempt,
        token: Option<TokenInput>,
        effects: &mut Vec<Effect>,
    ) {
        let (attempt, is_living) = match &self.connection.state {
            State::NeedsToken { attempt, .. } => (*attempt, false),
            State::Live(live) => (live.attempt, true),
            State::Idle
            | State::Booting
            | State::Opening { .. }
            | State::Greeting { .. }
            | State::Waiting { .. }
            | State::Ended(_) => return,
        };
        let is_late = attempt != answered;
        #[cfg(feature = "mutants")]
        let is_late = is_late && !rejoinder_mutants::planted!(StaleTokenBelieved);
        if is_late {
            return;
        }
        if is_living {
            return self.refresh(token, effects);
        }
        let now = self.clock.now.monotonic;
        let Some(token) = token else {
            self.connection.wait(now, Reason::NoToken, None);
            return;
        };
        let transport = self.connection.ways.next();
        // Whose threads we know is nothing to tell a gateway that takes us for somebody else.
        let resume = if self.is_other(&token) {
            Vec::new()
        } else {
            self.resume(transport)
        };
        self.connection.token = Some(token.token.clone());
        let hello = Box::new(greeting(transport, token.token, resume));
        let deadline = now.after(CONNECT_TIMEOUT_MS);
        self.connection.state = State::Opening {
            attempt,
            transport,
            deadline,
            hello,
        };
        effects.push(Effect::OpenSocket { attempt, transport });
    }

    /// Returns where we stand in the threads that are followed.
    pub(super) fn resume(&self, transport: Transport) -> Vec<Resume> {
        let threads_max = match transport {
            // The others are subscribed to afterwards.
            Transport::WebSocket => RESUME_THREADS_MAX,
            Transport::Sse => STREAM_THREADS_MAX,
        };
        let ready = self.threads.iter().filter(|(_, thread)| thread.is_ready());
        ready
            .take(threads_max)
            .map(|(thread_id, thread)| Resume {
                thread_id: thread_id.clone(),
                since: since(thread),
            })
            .collect()
    }

    pub(super) fn handle_opened(&mut self, opened: Attempt, effects: &mut Vec<Effect>) {
        if self.successor_opened(opened, effects) {
            return;
        }
        let State::Opening {
            attempt,
            transport,
            hello,
            ..
        } = &self.connection.state
        else {
            return;
        };
        let (attempt, transport) = (*attempt, *transport);
        if attempt != opened {
            return;
        }
        let now = self.clock.now.monotonic;
        let hello = hello.as_ref().clone();
        self.resumed(&hello.resume);
        let frame = ClientFrame::Hello(hello);
        effects.push(Effect::Transmit { attempt, frame });
        let deadline = now.after(CONNECT_TIMEOUT_MS);
        self.connection.state = State::Greeting {
            attempt,
            transport,
            deadline,
        };
    }

    /// These threads were subscribed to in a greeting.
    pub(super) fn resumed(&mut self, resume: &[Resume]) {
        let now = self.clock.now.monotonic;
        for resume in resume {
            if let Some(thread) = self.threads.get_mut(&resume.thread_id) {
                // Where the cursor has moved since, the first page says what is known.
                thread.subscription = Subscription::CatchingUp { asked_at: now };
                thread.has_hole = false;
            }
        }
    }

    pub(super) fn handle_welcome(&mut self, welcome: Welcome, effects: &mut Vec<Effect>) {
        let State::Greeting {
            attempt, transport, ..
        } = self.connection.state
        else {
            return;
        };
        let is_other = welcome.user_id != self.config.user_id;
        #[cfg(feature = "mutants")]
        let is_other = is_other && !rejoinder_mutants::planted!(OwnerUnchecked);
        if is_other {
            self.close_socket(effects);
            self.connection.end(Ended::WrongUser, None, None);
            return;
        }
        let now = self.clock.now.monotonic;
        let interval_ms = welcome.heartbeat.interval_ms.clamp(1_000, 300_000);
        self.connection.token_was_refused = false;
        self.connection.reason = None;
        self.connection.close_code = None;
        let epoch_changed = self
            .storage
            .epoch
            .as_ref()
            .is_some_and(|held| *held != welcome.epoch);
        self.storage.epoch = Some(welcome.epoch.clone());
        let (server_time, expires_at) = (welcome.server_time, welcome.token_expires_at);
        let backoff = &mut self.connection.backoff;
        let refresh = Refresh::new(now, server_time, expires_at, backoff);
        self.connection.ways.welcomed(now, transport, backoff);
        self.connection.state = State::Live(Live {
            attempt,
            transport,
            since: now,
            refresh,
            epoch: welcome.epoch,
            limits: welcome.limits,
            heard_at: now,
            // Two pings missed.
            silence_ms: interval_ms * 2,
            probe: None,
            is_congested: false,
            reopen_at: None,
            reopen_not_before: now.after(REOPEN_INTERVAL_MS),
            reopen_failures: 0,
            asked_until: Millis::default(),
            successor: None,
        });
        if epoch_changed {
            // An acknowledgement of another history says nothing about this one.
            self.outbox.iter_mut().for_each(|entry| entry.ack = None);
            self.forget_inbox();
        }
        for thread in self.threads.values_mut() {
            if thread.log.is_some() && epoch_changed {
                thread.told = thread.revision();
            }
            thread.touch();
        }
        self.ask_inbox(effects);
        // A tab may have died and left its rows behind.
        self.load_outbox(effects);
    }

    pub(super) fn handle_goodbye(&mut self, goodbye: Goodbye) {
        self.connection.retry_after_ms = goodbye.retry_after_ms;
        #[cfg(feature = "mutants")]
        if rejoinder_mutants::planted!(RetryAfterIgnored) {
            self.connection.retry_after_ms = None;
        }
        self.connection.goodbye_code = Some(goodbye.code);
    }

    pub(super) fn handle_closed(
        &mut self,
        attempt: Attempt,
        code: u16,
        retry_after_ms: Option<u64>,
        effects: &mut Vec<Effect>,
    ) {
        if self.successor_closed(attempt, code, retry_after_ms, effects)
            || !self.connection.is_current(attempt)
        {
            return;
        }
        self.connection.retry_after_ms = self.connection.retry_after_ms.max(retry_after_ms);
        // A proxy may swallow the close frame, but not the `goodbye` before it.
        let told = self
            .connection
            .goodbye_code
            .filter(|_| code == NO_CLOSE_CODE);
        self.close_successor(effects);
        self.lost(told.unwrap_or(code));
    }

    /// The connection ended with this code.
    pub(super) fn lost(&mut self, code: u16) {
        let now = self.clock.now.monotonic;
        let is_told = code >= CloseCode::Draining.number();
        self.connection.judge_way(now, is_told);
        self.forget_connection();
        let close_code = (code != NO_CLOSE_CODE).then_some(code);
        match reaction(code) {
            Reaction::ComeBack => {
                let reason = close_code.map_or(Reason::Unreachable, |_| Reason::Closed);
                self.connection.wait(now, reason, close_code);
            }
            Reaction::NewToken => self.token_refused(code),
            Reaction::Stop => {
                let ended = if code == CloseCode::WrongUser.number() {
                    Ended::WrongUser
                } else {
                    Ended::Stopped
                };
                self.connection.end(ended, Some(Reason::Closed), close_code);
            }
        }
    }

    /// Gives the connection up and comes back.
    pub(super) fn give_up(&mut self, reason: Reason, effects: &mut Vec<Effect>) {
        let now = self.clock.now.monotonic;
        let is_told = reason == Reason::EpochChanged;
        self.connection.judge_way(now, is_told);
        self.close_socket(effects);
        self.connection.wait(now, reason, None);
    }

    /// Closes the socket, if any, and forgets what only the connection carried.
    pub(super) fn close_socket(&mut self, effects: &mut Vec<Effect>) {
        self.close_successor(effects);
        if let Some(attempt) = self.connection.socket() {
            effects.push(Effect::CloseSocket { attempt });
        }
        self.forget_connection();
    }

    pub(super) fn close_successor(&mut self, effects: &mut Vec<Effect>) {
        let live = self.connection.live_mut();
        if let Some(successor) = live.and_then(|live| live.successor.take()) {
            let attempt = successor.attempt;
            effects.push(Effect::CloseSocket { attempt });
        }
    }

    fn forget_connection(&mut self) {
        self.outbox.connection_lost();
        self.presence.connection_lost();
        self.inbox_connection_lost();
        for thread in self.threads.values_mut() {
            thread.connection_lost();
        }
    }

    pub(super) fn handle_lifecycle(&mut self, lifecycle: Lifecycle, effects: &mut Vec<Effect>) {
        match lifecycle {
            Lifecycle::Online | Lifecycle::Visible => self.network_may_be_new(effects),
            // Neither proves anything: a page may be online behind a dead proxy, and "offline"
            // with a working VPN.
            Lifecycle::Hidden | Lifecycle::Offline => {}
        }
    }

    /// The page is back, or the network; it may be another one.
    pub(super) fn network_may_be_new(&mut self, effects: &mut Vec<Effect>) {
        let is_acted_on = self.probe_or_hurry(effects);
        if is_acted_on && self.connection.live().is_none() {
            self.connection.ways.prefer_socket();
        }
    }

    /// Something suggests that the network is back, or that time has passed unseen. Returns whether
    /// it is acted on.
    pub(super) fn probe_or_hurry(&mut self, effects: &mut Vec<Effect>) -> bool {
        let is_acted_on = self.connection.take_hint(self.clock.now.monotonic);
        if is_acted_on {
            self.probe(effects);
            self.connection.hurry(self.clock.now.monotonic);
        }
        is_acted_on
    }

    /// Asks the gateway whether it is there, unless it is being asked.
    pub(super) fn probe(&mut self, effects: &mut Vec<Effect>) {
        let now = self.clock.now.monotonic;
        let Some(live) = self.connection.live_mut() else {
            return;
        };
        if live.probe.is_some() {
            return;
        }
        match live.transport {
            Transport::WebSocket => {
                live.probe = Some(now.after(PROBE_TIMEOUT_MS));
                let attempt = live.attempt;
                let frame = ClientFrame::Ping;
                effects.push(Effect::Transmit { attempt, frame });
            }
            // The answer to a request would say nothing about the stream; another stream does. If
            // one cannot be had at once, there is time for another try.
            Transport::Sse => {
                live.probe = Some(now.after(REOPEN_INTERVAL_MS + CONNECT_TIMEOUT_MS));
                self.reopen_soon();
            }
        }
    }

    /// Any frame is a sign of life.
    pub(super) fn heard(&mut self) {
        let now = self.clock.now.monotonic;
        if let Some(live) = self.connection.live_mut() {
            live.heard_at = now;
            live.probe = None;
        }
    }

    pub(super) fn check_connection(&mut self, effects: &mut Vec<Effect>) {
        let now = self.clock.now.monotonic;
        if self
            .connection
            .next_deadline()
            .is_none_or(|deadline| deadline > now)
        {
            return;
        }
        match &self.connection.state {
            State::Idle | State::Booting | State::Ended(_) => {}
            State::NeedsToken { .. } => self.connection.wait(now, Reason::NoToken, None),
            State::Opening { .. } | State::Greeting { .. } => {
                self.give_up(Reason::Silent, effects);
            }
            State::Live(live) if live.probe.is_some() => self.give_up(Reason::Silent, effects),
            State::Live(_) => self.probe(effects),
            State::Waiting { .. } => self.begin_attempt(effects),
        }
    }

    pub(super) fn handle_buffered(&mut self, attempt: Attempt, bytes: u32) {
        if let Some(live) = self
            .connection
            .live_mut()
            .filter(|live| live.attempt == attempt)
        {
            live.is_congested = bytes > SOCKET_BUFFER_BYTES_MAX;
        }
    }

    /// Transmits on a welcomed connection; without one the frame has no meaning later.
    pub(super) fn transmit(&self, frame: ClientFrame, effects: &mut Vec<Effect>) {
        if let Some(live) = self.connection.live() {
            effects.push(Effect::Transmit {
                attempt: live.attempt,
                frame,
            });
        }
    }
}

/// Returns a greeting, as long as it may be.
pub(super) fn greeting(transport: Transport, token: Token, resume: Vec<Resume>) -> Hello {
    // In a request the token is in the head, and takes no room.
    let token_bytes = match transport {
        Transport::Sse => encode(&token).len(),
        Transport::WebSocket => 0,
    };
    let mut hello = Hello {
        protocol_version: PROTOCOL_VERSION,
        token,
        resume,
    };
    let is_long = |hello: &Hello| encode(hello).len() + 32 > HELLO_BYTES_MAX + token_bytes;
    while is_long(&hello) && hello.resume.pop().is_some() {}
    hello
}

/// Returns where we stand in a thread.
pub(super) fn since(thread: &ThreadState) -> Since {
    let cursor = thread.log.as_ref().and_then(|log| log.cursor.clone());
    cursor.map_or(Since::Nothing, Since::Cursor)
}
