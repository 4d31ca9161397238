//! A connection that follows the living one without a gap: a stream that is subscribed to more, has
//! a newer token or proves that it is alive, or a WebSocket after a stream.
//!
//! The living one serves until the other is welcomed.

use rejoinder_protocol::{
    ClientFrame, Reaction, ServerFrame, Token, Welcome, decode_server_frame, reaction,
};

use super::Engine;
use super::config::CONNECT_TIMEOUT_MS;
use super::connecting::greeting;
use super::connection::{State, Successor};
use super::effect::Effect;
use super::input::{Attempt, NO_CLOSE_CODE};
use super::notice::Reason;
use super::thread::Subscription;
use super::transport::Transport;

impl Engine {
    /// A stream takes no frames: what must be said on it is said by another one that follows.
    pub(super) fn reopen_soon(&mut self) {
        let now = self.clock.now.monotonic;
        if let Some(live) = self.connection.live_mut()
            && live.transport == Transport::Sse
        {
            let soon = now.max(live.reopen_not_before);
            live.reopen_at = Some(live.reopen_at.map_or(soon, |at| at.min(soon)));
        }
    }

    /// Begins what follows the living connection, if it is time.
    pub(super) fn check_succession(&mut self, effects: &mut Vec<Effect>) {
        let now = self.clock.now.monotonic;
        let retry_at = self.connection.ways.retry_at();
        let Some(live) = self.connection.live_mut() else {
            return;
        };
        if let Some(successor) = &live.successor {
            let is_late = successor.deadline <= now;
            let (attempt, by) = (successor.attempt, successor.transport);
            if is_late {
                effects.push(Effect::CloseSocket { attempt });
                live.successor = None;
                self.successor_failed(by, NO_CLOSE_CODE, None, effects);
            } else if by == Transport::Sse {
                return;
            }
        }
        let Some(live) = self.connection.live_mut() else {
            return;
        };
        let is_due = live.reopen_at.is_some_and(|at| at <= now);
        #[cfg(feature = "mutants")]
        let is_due = is_due && !rejoinder_mutants::planted!(StreamNeverFollowed);
        if is_due {
            live.reopen_at = None;
            let token = self.connection.token.clone();
            return self.succeed(Transport::Sse, token, effects);
        }
        let may_retry = live.transport == Transport::Sse && live.successor.is_none();
        if may_retry && retry_at <= now {
            let token = self.connection.token.clone();
            self.succeed(Transport::WebSocket, token, effects);
        }
    }

    /// Opens what is to follow the living connection.
    fn succeed(&mut self, transport: Transport, token: Option<Token>, effects: &mut Vec<Effect>) {
        let now = self.clock.now.monotonic;
        let Some(token) = token else {
            // Whoever connects anew asks the application.
            return match transport {
                Transport::Sse => self.give_up(Reason::Closed, effects),
                Transport::WebSocket => self.connection.ways.retry_later(now, None),
            };
        };
        let attempt = self.connection.next_attempt();
        let hello = Box::new(greeting(transport, token, self.resume(transport)));
        let Some(live) = self.connection.live_mut() else {
            return;
        };
        let successor = Box::new(Successor {
            attempt,
            transport,
            deadline: now.after(CONNECT_TIMEOUT_MS),
            hello,
            goodbye: None,
        });
        if let Some(replaced) = live.successor.replace(successor) {
            let attempt = replaced.attempt;
            effects.push(Effect::CloseSocket { attempt });
        }
        effects.push(Effect::OpenSocket { attempt, transport });
    }

    /// Returns what is to follow, if it is this attempt's.
    fn successor(&self, attempt: Attempt) -> Option<&Successor> {
        let live = self.connection.live()?;
        live.successor
            .as_deref()
            .filter(|one| one.attempt == attempt)
    }

    /// What is to follow is open; returns whether it was that.
    pub(super) fn successor_opened(&mut self, opened: Attempt, effects: &mut Vec<Effect>) -> bool {
        let Some(successor) = self.successor(opened) else {
            return false;
        };
        let frame = ClientFrame::Hello(successor.hello.as_ref().clone());
        let attempt = opened;
        effects.push(Effect::Transmit { attempt, frame });
        true
    }

    /// Something was said on what is to follow; returns whether it was there.
    pub(super) fn successor_text(
        &mut self,
        attempt: Attempt,
        text: &str,
        effects: &mut Vec<Effect>,
    ) -> bool {
        if self.successor(attempt).is_none() {
            return false;
        }
        match decode_server_frame(text) {
            Ok(ServerFrame::Welcome(welcome)) => self.take_over(welcome, effects),
            Ok(ServerFrame::Goodbye(goodbye)) => {
                let live = self.connection.live_mut();
                if let Some(successor) = live.and_then(|live| live.successor.as_mut()) {
                    successor.goodbye = Some(goodbye);
                }
            }
            Ok(_) => {}
            Err(_) => {
                effects.push(Effect::CloseSocket { attempt });
                self.successor_closed(attempt, NO_CLOSE_CODE, None, effects);
            }
        }
        true
    }

    /// What was to follow is closed; returns whether it was that.
    pub(super) fn successor_closed(
        &mut self,
        attempt: Attempt,
        code: u16,
        retry_after_ms: Option<u64>,
        effects: &mut Vec<Effect>,
    ) -> bool {
        let Some(successor) = self.successor(attempt) else {
            return false;
        };
        let by = successor.transport;
        let told = successor.goodbye.map(|goodbye| goodbye.code);
        let told = told.filter(|_| code == NO_CLOSE_CODE);
        let asked_ms = successor.goodbye.and_then(|goodbye| goodbye.retry_after_ms);
        let retry_after_ms = asked_ms.max(retry_after_ms);
        if let Some(live) = self.connection.live_mut() {
            live.successor = None;
        }
        self.successor_failed(by, told.unwrap_or(code), retry_after_ms, effects);
        true
    }

    fn successor_failed(
        &mut self,
        by: Transport,
        code: u16,
        retry_after_ms: Option<u64>,
        effects: &mut Vec<Effect>,
    ) {
        let now = self.clock.now.monotonic;
        if let (Some(live), Some(ms)) = (self.connection.live_mut(), retry_after_ms) {
            live.asked_until = now.after(ms);
        }
        let reaction = reaction(code);
        #[cfg(feature = "mutants")]
        let reaction = match rejoinder_mutants::planted!(SuccessorMustBeHad) {
            true => Reaction::Stop,
            false => reaction,
        };
        match (by, reaction) {
            (Transport::WebSocket, _) => self.connection.ways.retry_later(now, retry_after_ms),
            // The living one serves meanwhile; what the other was opened for is still wanted.
            (Transport::Sse, Reaction::ComeBack) => self.reopen_later(retry_after_ms),
            (Transport::Sse, Reaction::NewToken | Reaction::Stop) => {
                self.close_socket(effects);
                self.lost(code);
            }
        }
    }

    /// A stream that was to follow the living one could not be had.
    fn reopen_later(&mut self, retry_after_ms: Option<u64>) {
        let now = self.clock.now.monotonic;
        let State::Live(live) = &mut self.connection.state else {
            return;
        };
        let backoff = &mut self.connection.backoff;
        let delay_ms = backoff.delay_ms(live.reopen_failures, retry_after_ms);
        live.reopen_failures = live.reopen_failures.saturating_add(1);
        live.reopen_not_before = now.after(delay_ms);
        live.reopen_at = Some(live.reopen_not_before);
    }

    /// The successor is welcomed: the living connection ends, and nothing of that is shown.
    fn take_over(&mut self, welcome: Welcome, effects: &mut Vec<Effect>) {
        let Some(live) = self.connection.live_mut() else {
            return;
        };
        let before = live.attempt;
        let Some(successor) = live.successor.take() else {
            return;
        };
        effects.push(Effect::CloseSocket { attempt: before });
        if successor.transport == Transport::WebSocket {
            // Cut soon, it was one more try.
            let now = self.clock.now.monotonic;
            self.connection.ways.retry_later(now, None);
        }
        // What its goodbye said holds for it alone.
        self.connection.goodbye_code = None;
        self.connection.retry_after_ms = None;
        #[cfg(feature = "mutants")]
        let sent = self.outbox.clone();
        self.outbox.handed_over();
        #[cfg(feature = "mutants")]
        if rejoinder_mutants::planted!(TakeOverForgetsFlights) {
            self.outbox = sent;
        }
        for thread in self.threads.values_mut() {
            thread.handed_over();
        }
        self.resumed(&successor.hello.resume);
        self.connection.token = Some(successor.hello.token);
        self.connection.state = State::Greeting {
            attempt: successor.attempt,
            transport: successor.transport,
            deadline: successor.deadline,
        };
        self.handle_welcome(welcome, effects);
    }
}

impl super::thread::ThreadState {
    /// Another connection carries the thread from now on; what was shown stays until it has caught
    /// up.
    fn handed_over(&mut self) {
        let was_live = self.shows_live();
        let typing = std::mem::take(&mut self.typing);
        self.connection_lost();
        self.typing = typing;
        self.was_live = was_live;
    }

    /// Whether it is shown as complete.
    pub(super) fn shows_live(&self) -> bool {
        match self.subscription {
            Subscription::Live => true,
            Subscription::Idle | Subscription::CatchingUp { .. } => self.was_live,
        }
    }
}
