//! A newer token for a living connection, before the one it has ends.
//!
//! When that is, the gateway tells in `welcome`, beside its own clock; the device's clock takes no
//! part. A connection that cannot be kept so is closed by the gateway when its token has ended, and
//! the next attempt asks the application as every attempt does.

use rejoinder_protocol::{Auth, Authenticated, ClientFrame, CloseCode, UnixMillis};

use super::Engine;
use super::backoff::Backoff;
use super::config::{
    CONNECT_TIMEOUT_MS, REFRESH_INTERVAL_MS, REFRESH_LEAD_MS, STABLE_MS, TOKEN_TIMEOUT_MS,
};
use super::connection::{Ended, State};
use super::effect::Effect;
use super::input::TokenInput;
use super::notice::Reason;
use super::time::Millis;

/// After so many answers without a newer token in a row the pauses grow no longer.
const PAUSES_MAX: u64 = 3;

/// How far the replacement of a connection's token has come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Stage {
    /// Nothing is under way.
    Resting,
    /// The application is asked for a token.
    Asked,
    /// `auth` is sent.
    Sent,
}

/// The replacement of a connection's token.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Refresh {
    stage: Stage,
    /// When the application is asked, or until when an answer must have come; `None`: the token does
    /// not end, as far as is known.
    due: Option<Millis>,
    /// When the application was last asked.
    asked_at: Millis,
    /// Whether the gateway told when the token ends.
    ends: bool,
    /// How often in a row nothing newer came.
    failures: u64,
    /// What the gateway's clock showed at a moment of ours.
    clock: (UnixMillis, Millis),
}

impl Refresh {
    /// The token has just been accepted, at `server_time` by the gateway's clock.
    pub(crate) fn new(
        now: Millis,
        server_time: UnixMillis,
        expires_at: Option<UnixMillis>,
        backoff: &mut Backoff,
    ) -> Self {
        let mut refresh = Self {
            stage: Stage::Resting,
            due: None,
            asked_at: now,
            ends: expires_at.is_some(),
            failures: 0,
            clock: (server_time, now),
        };
        if let Some(expires_at) = expires_at {
            refresh.accepted(now, expires_at, backoff);
        }
        refresh
    }

    /// Returns when [`Engine::check_refresh`] has something to do.
    pub(crate) fn next_deadline(&self) -> Option<Millis> {
        self.due
    }

    /// A token was accepted that ends at this time of the gateway's clock.
    fn accepted(&mut self, now: Millis, expires_at: UnixMillis, backoff: &mut Backoff) {
        let (server_time, at) = self.clock;
        let server_now = server_time.get().saturating_add(now.since(at));
        let left = expires_at.get().saturating_sub(server_now);
        let lead = (left / 5).min(REFRESH_LEAD_MS);
        // Tokens of one moment, such as after a restart, must not be renewed in one moment.
        let wait = left - lead - backoff.jitter_ms(lead / 4);
        #[cfg(feature = "mutants")]
        let wait = match rejoinder_mutants::planted!(RefreshNever) {
            true => 1_000_000_000,
            false => wait,
        };
        self.stage = Stage::Resting;
        self.failures = 0;
        self.ends = true;
        self.due = Some(now.after(wait.max(REFRESH_INTERVAL_MS)));
    }

    /// Nothing newer came: later again, as long as the gateway keeps the connection.
    fn failed(&mut self, now: Millis, backoff: &mut Backoff) {
        self.stage = Stage::Resting;
        self.failures = (self.failures + 1).min(PAUSES_MAX);
        let wait = REFRESH_INTERVAL_MS * self.failures;
        #[cfg(feature = "mutants")]
        let wait = match rejoinder_mutants::planted!(RefreshInLoop) {
            true => 1,
            false => wait,
        };
        let wait = wait + backoff.jitter_ms(wait / 4);
        self.due = self.ends.then(|| now.after(wait));
    }

    /// The application may have another token.
    fn hurry(&mut self, now: Millis) {
        if self.stage == Stage::Resting {
            let soon = now.max(self.asked_at.after(REFRESH_INTERVAL_MS));
            self.due = Some(self.due.map_or(soon, |due| due.min(soon)));
        }
    }
}

impl Engine {
    /// The application says that it may have another token for the connection that lives.
    pub(super) fn refresh_soon(&mut self, effects: &mut Vec<Effect>) {
        let now = self.clock.now.monotonic;
        if let Some(live) = self.connection.live_mut() {
            live.refresh.hurry(now);
        }
        self.check_refresh(effects);
    }

    pub(super) fn check_refresh(&mut self, effects: &mut Vec<Effect>) {
        let now = self.clock.now.monotonic;
        let Some(live) = self.connection.live_mut() else {
            return;
        };
        if live.refresh.due.is_none_or(|due| due > now) {
            return;
        }
        match live.refresh.stage {
            Stage::Resting => {
                live.refresh.stage = Stage::Asked;
                live.refresh.asked_at = now;
                live.refresh.due = Some(now.after(TOKEN_TIMEOUT_MS));
                let attempt = live.attempt;
                effects.push(Effect::RequestToken { attempt });
            }
            Stage::Asked => self.refresh_failed(Some(Reason::NoToken)),
            Stage::Sent => self.token_unchecked(),
        }
    }

    /// A token was given, and nobody says whether it counts, or can say so now. The same one may be
    /// sent again.
    pub(super) fn token_unchecked(&mut self) {
        let live = self.connection.live_mut();
        if live.is_some_and(|live| live.refresh.stage == Stage::Sent) {
            self.connection.token = None;
            self.refresh_failed(None);
        }
    }

    /// The application brought a token for the connection that lives, or none.
    pub(super) fn refresh(&mut self, token: Option<TokenInput>, effects: &mut Vec<Effect>) {
        let now = self.clock.now.monotonic;
        let Some(live) = self.connection.live_mut() else {
            return;
        };
        if live.refresh.stage != Stage::Asked {
            return;
        }
        let Some(token) = token else {
            return self.refresh_failed(Some(Reason::NoToken));
        };
        let is_other = self.is_other(&token);
        #[cfg(feature = "mutants")]
        let is_other = is_other && !rejoinder_mutants::planted!(OthersTokenSent);
        if is_other {
            // Nobody knows whose page this is now; the queue waits for its owner.
            self.close_socket(effects);
            return self.connection.end(Ended::WrongUser, None, None);
        }
        if self.connection.token.as_ref() == Some(&token.token) {
            return self.refresh_failed(None);
        }
        let token = token.token;
        let mut has_socket = true;
        if let State::Live(live) = &mut self.connection.state {
            live.refresh.stage = Stage::Sent;
            has_socket = live.has_socket();
            // A stream that follows has a deadline of its own.
            live.refresh.due = has_socket.then(|| now.after(CONNECT_TIMEOUT_MS));
        }
        self.connection.token = Some(token.clone());
        if !has_socket {
            // One that is being opened has the older token.
            self.close_successor(effects);
            return self.reopen_soon();
        }
        self.transmit(ClientFrame::Auth(Auth { token }), effects);
    }

    fn refresh_failed(&mut self, reason: Option<Reason>) {
        let now = self.clock.now.monotonic;
        if let State::Live(live) = &mut self.connection.state {
            live.refresh.failed(now, &mut self.connection.backoff);
        }
        self.connection.reason = reason.or(self.connection.reason);
    }

    pub(super) fn handle_authenticated(&mut self, answer: Authenticated) {
        let now = self.clock.now.monotonic;
        let State::Live(live) = &mut self.connection.state else {
            return;
        };
        let backoff = &mut self.connection.backoff;
        live.refresh.accepted(now, answer.expires_at, backoff);
        self.connection.reason = None;
    }

    /// The gateway closed the connection because of its token. The application is asked for another
    /// one at once, and once: a second refusal in a row is for its user to mend.
    pub(super) fn token_refused(&mut self, code: u16) {
        let now = self.clock.now.monotonic;
        let reason = if code == CloseCode::TokenExpired.number() {
            Reason::TokenExpired
        } else {
            Reason::TokenRefused
        };
        let was_refused = std::mem::replace(&mut self.connection.token_was_refused, true);
        #[cfg(feature = "mutants")]
        let was_refused = was_refused || rejoinder_mutants::planted!(RefusedNotAskedAnew);
        if was_refused {
            let (ended, code) = (Ended::AuthRequired, Some(code));
            #[cfg(feature = "mutants")]
            if rejoinder_mutants::planted!(AuthRequiredDropsQueue) {
                self.outbox = super::outbox::Outbox::default();
            }
            return self.connection.end(ended, Some(reason), code);
        }
        // A gateway that takes each token and then refuses it must not be asked without a pause.
        let is_first = self
            .connection
            .hurried_at
            .is_none_or(|at| now.since(at) >= STABLE_MS);
        self.connection.wait(now, reason, Some(code));
        if is_first {
            self.connection.hurried_at = Some(now);
            self.connection.hurry(now);
        }
    }

    /// Whether a token says that it is another user's.
    pub(super) fn is_other(&self, token: &TokenInput) -> bool {
        let subject = token.subject.as_ref();
        subject.is_some_and(|subject| *subject != self.config.user_id)
    }
}
