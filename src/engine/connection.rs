//! The state of the one connection.

use rejoinder_protocol::{Epoch, Goodbye, Limits, Token};

use super::backoff::Backoff;
use super::config::{HINT_INTERVAL_MS, STABLE_MS};
use super::input::Attempt;
use super::notice::{ConnectionState, Reason};
use super::refreshing::Refresh;
use super::time::Millis;
use super::transport::{Transport, Ways};

/// Where the connection stands, with what only exists there.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum State {
    /// Not wanted.
    Idle,
    /// Wanted; the outbox is being read.
    Booting,
    /// The application is asked for a token.
    NeedsToken { attempt: Attempt, deadline: Millis },
    /// The socket is being opened.
    Opening {
        attempt: Attempt,
        transport: Transport,
        deadline: Millis,
        hello: Box<rejoinder_protocol::Hello>,
    },
    /// `hello` is sent.
    Greeting {
        attempt: Attempt,
        transport: Transport,
        deadline: Millis,
    },
    /// Welcomed.
    Live(Live),
    /// Waiting for the next attempt, which may be cut short but not below `not_before`.
    Waiting { until: Millis, not_before: Millis },
    /// Given up until the application acts.
    Ended(Ended),
}

/// What only a welcomed connection has.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Live {
    pub(crate) attempt: Attempt,
    pub(crate) transport: Transport,
    pub(crate) since: Millis,
    pub(crate) refresh: Refresh,
    pub(crate) epoch: Epoch,
    pub(crate) limits: Limits,
    /// When the gateway was last heard.
    pub(crate) heard_at: Millis,
    /// How long it may be silent before it is probed, in milliseconds.
    pub(crate) silence_ms: u64,
    /// Until when a `ping` of ours must be answered.
    pub(crate) probe: Option<Millis>,
    /// The socket holds too much that is not sent.
    pub(crate) is_congested: bool,
    /// When another stream is to follow this one.
    pub(crate) reopen_at: Option<Millis>,
    /// Not before this.
    pub(crate) reopen_not_before: Millis,
    /// Streams in a row that were to follow this one and could not be had.
    pub(crate) reopen_failures: u32,
    /// The gateway asked for nothing to be opened before this.
    pub(crate) asked_until: Millis,
    /// The connection that is to follow this one.
    pub(crate) successor: Option<Box<Successor>>,
}

impl Live {
    /// Whether frames can be said on the connection itself.
    pub(crate) fn has_socket(&self) -> bool {
        match self.transport {
            Transport::WebSocket => true,
            Transport::Sse => false,
        }
    }
}

/// A connection that is being opened beside the living one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Successor {
    pub(crate) attempt: Attempt,
    pub(crate) transport: Transport,
    /// Until when it must be welcomed.
    pub(crate) deadline: Millis,
    pub(crate) hello: Box<rejoinder_protocol::Hello>,
    /// What it was told at its end.
    pub(crate) goodbye: Option<Goodbye>,
}

/// Why the client gave up.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Ended {
    AuthRequired,
    WrongUser,
    Stopped,
}

/// The connection, and what outlives each attempt.
#[derive(Clone, Debug)]
pub(crate) struct Connection {
    pub(crate) state: State,
    last_attempt: Attempt,
    pub(crate) backoff: Backoff,
    pub(crate) ways: Ways,
    /// What the gateway was given last, or is about to be.
    pub(crate) token: Option<Token>,
    /// A token was refused since the last welcome; the next refusal ends it.
    pub(crate) token_was_refused: bool,
    /// When a refused token was last answered without a pause.
    pub(crate) hurried_at: Option<Millis>,
    /// What `goodbye` asked for.
    pub(crate) retry_after_ms: Option<u64>,
    /// Which code it announced. A later attempt that fails without one must not be given this.
    pub(crate) goodbye_code: Option<u16>,
    hinted_at: Option<Millis>,
    pub(crate) reason: Option<Reason>,
    pub(crate) close_code: Option<u16>,
}

impl Connection {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            state: State::Idle,
            last_attempt: Attempt(0),
            backoff: Backoff::new(seed),
            ways: Ways::new(),
            token: None,
            token_was_refused: false,
            hurried_at: None,
            retry_after_ms: None,
            goodbye_code: None,
            hinted_at: None,
            reason: None,
            close_code: None,
        }
    }

    /// Names the next attempt.
    pub(crate) fn begin_attempt(&mut self) -> Attempt {
        self.retry_after_ms = None;
        self.goodbye_code = None;
        self.next_attempt()
    }

    /// Names an attempt beside the living connection.
    pub(crate) fn next_attempt(&mut self) -> Attempt {
        self.last_attempt.0 += 1;
        self.last_attempt
    }

    /// The connection ends: what that says of its way. `is_told`: by a word of the gateway.
    pub(crate) fn judge_way(&mut self, now: Millis, is_told: bool) {
        let is_told = is_told || self.goodbye_code.is_some();
        match &self.state {
            State::Live(live) if now.since(live.since) >= STABLE_MS => {
                self.ways.worked(live.transport);
            }
            State::Live(live) if !is_told => self.ways.cut(live.transport),
            State::Opening { transport, .. } | State::Greeting { transport, .. } if !is_told => {
                self.ways.unanswered(*transport);
            }
            State::Idle
            | State::Booting
            | State::NeedsToken { .. }
            | State::Opening { .. }
            | State::Greeting { .. }
            | State::Live(_)
            | State::Waiting { .. }
            | State::Ended(_) => {}
        }
    }

    /// Returns when a connection that follows the living one needs attention.
    pub(crate) fn next_succession(&self) -> Option<Millis> {
        let live = self.live()?;
        let retry_at = match (live.transport, &live.successor) {
            (Transport::Sse, None) => Some(self.ways.retry_at()),
            (Transport::Sse | Transport::WebSocket, _) => None,
        };
        let deadline = live.successor.as_ref().map(|one| one.deadline);
        // It waits for a stream that is being opened already.
        let reopens = live
            .successor
            .as_ref()
            .is_none_or(|one| one.transport != Transport::Sse);
        let reopen_at = live.reopen_at.filter(|_| reopens);
        [retry_at, deadline, reopen_at].into_iter().flatten().min()
    }

    /// Returns the attempt whose socket may be open.
    pub(crate) fn socket(&self) -> Option<Attempt> {
        match &self.state {
            State::Opening { attempt, .. } | State::Greeting { attempt, .. } => Some(*attempt),
            State::Live(live) => Some(live.attempt),
            State::Idle
            | State::Booting
            | State::NeedsToken { .. }
            | State::Waiting { .. }
            | State::Ended(_) => None,
        }
    }

    pub(crate) fn live(&self) -> Option<&Live> {
        if let State::Live(live) = &self.state {
            Some(live)
        } else {
            None
        }
    }

    pub(crate) fn live_mut(&mut self) -> Option<&mut Live> {
        if let State::Live(live) = &mut self.state {
            Some(live)
        } else {
            None
        }
    }

    /// Whether a frame or event of this attempt still counts.
    pub(crate) fn is_current(&self, attempt: Attempt) -> bool {
        #[cfg(feature = "mutants")]
        if rejoinder_mutants::planted!(StaleAttemptBelieved) {
            return self.socket().is_some();
        }
        self.socket() == Some(attempt)
    }

    /// Begins to wait for the next attempt.
    pub(crate) fn wait(&mut self, now: Millis, reason: Reason, close_code: Option<u16>) {
        let was_stable = |live: &Live| now.since(live.since) >= STABLE_MS;
        #[cfg(feature = "mutants")]
        let was_stable =
            |live: &Live| was_stable(live) || rejoinder_mutants::planted!(BackoffForgetsEarly);
        if self.live().is_some_and(was_stable) {
            self.backoff.reset();
        }
        let asked_until = self.live().map(|live| live.asked_until);
        let left_ms = asked_until.map(|until| until.since(now));
        let left_ms = left_ms.filter(|left_ms| *left_ms > 0);
        let retry_after_ms = self.retry_after_ms.take().max(left_ms);
        let delay = self.backoff.next_delay_ms(retry_after_ms);
        let not_before = now.after(retry_after_ms.unwrap_or(Backoff::FLOOR_MS));
        self.state = State::Waiting {
            until: now.after(delay),
            not_before,
        };
        self.reason = Some(reason);
        self.close_code = close_code;
    }

    pub(crate) fn end(&mut self, ended: Ended, reason: Option<Reason>, close_code: Option<u16>) {
        self.state = State::Ended(ended);
        self.reason = reason;
        self.close_code = close_code;
    }

    /// Counts a hint that the network may be back. Returns whether to act on it: at most once in
    /// five seconds, for `online` and `visibilitychange` come in bursts.
    pub(crate) fn take_hint(&mut self, now: Millis) -> bool {
        let fresh = self
            .hinted_at
            .is_none_or(|at| now.since(at) >= HINT_INTERVAL_MS);
        if fresh {
            self.hinted_at = Some(now);
        }
        fresh
    }

    /// Cuts a wait short, as far as the gateway allows.
    pub(crate) fn hurry(&mut self, now: Millis) {
        if let State::Waiting { until, not_before } = &mut self.state {
            *until = (*until).min(now.max(*not_before));
        }
    }

    pub(crate) fn shown_state(&self) -> ConnectionState {
        match &self.state {
            State::Idle => ConnectionState::Idle,
            State::Booting
            | State::NeedsToken { .. }
            | State::Opening { .. }
            | State::Greeting { .. } => ConnectionState::Connecting,
            State::Live(_) => ConnectionState::Connected,
            State::Waiting { .. } => ConnectionState::Waiting,
            State::Ended(Ended::AuthRequired) => ConnectionState::AuthRequired,
            State::Ended(Ended::WrongUser) => ConnectionState::WrongUser,
            State::Ended(Ended::Stopped) => ConnectionState::Stopped,
        }
    }

    /// Returns when the connection next needs attention.
    pub(crate) fn next_deadline(&self) -> Option<Millis> {
        match &self.state {
            State::Idle | State::Booting | State::Ended(_) => None,
            State::NeedsToken { deadline, .. }
            | State::Opening { deadline, .. }
            | State::Greeting { deadline, .. } => Some(*deadline),
            State::Live(live) => Some(
                live.probe
                    .unwrap_or_else(|| live.heard_at.after(live.silence_ms)),
            ),
            State::Waiting { until, .. } => Some(*until),
        }
    }
}
