//! By which way the gateway is reached.

use serde::Serialize;

use super::backoff::Backoff;
use super::time::Millis;

/// A WebSocket is tried again so long after one could not be opened, in milliseconds …
const SOCKET_RETRY_MS: u64 = 60_000;
/// … and this is the longest pause between two tries; it doubles up to here.
const SOCKET_RETRY_MS_MAX: u64 = 960_000;
/// Where one was opened, the gateway may only be away: so many must fail in a row.
const FAILURES_WHERE_ONE_OPENED: u32 = 3;

/// By which way the gateway is reached.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// A stream of events, and a request for each frame: where a WebSocket cannot be opened.
    Sse,
    /// A WebSocket.
    #[default]
    WebSocket,
}

/// Which way is tried next.
#[derive(Clone, Debug)]
pub(crate) struct Ways {
    next: Transport,
    /// WebSockets in a row that could not be had, or were cut soon.
    failures: u32,
    has_opened: bool,
    retry_ms: u64,
    /// When a WebSocket is tried beside a living stream.
    retry_at: Millis,
}

impl Ways {
    pub(crate) fn new() -> Self {
        Self {
            next: Transport::WebSocket,
            failures: 0,
            has_opened: false,
            retry_ms: SOCKET_RETRY_MS,
            retry_at: Millis::default(),
        }
    }

    /// Returns the way of the next attempt.
    pub(crate) fn next(&self) -> Transport {
        self.next
    }

    /// When a WebSocket is tried beside a living stream.
    pub(crate) fn retry_at(&self) -> Millis {
        self.retry_at
    }

    /// The network may be another one now: the better way first.
    pub(crate) fn prefer_socket(&mut self) {
        self.next = Transport::WebSocket;
    }

    /// The gateway has welcomed us by this way.
    pub(crate) fn welcomed(&mut self, now: Millis, by: Transport, backoff: &mut Backoff) {
        let was_stream = self.next == Transport::Sse && self.retry_at > now;
        self.next = by;
        match by {
            // One stream after another changes nothing.
            Transport::Sse if was_stream => {}
            Transport::Sse => {
                // Those who came together come apart.
                let jitter_ms = backoff.jitter_ms(self.retry_ms / 4);
                self.retry_at = now.after(self.retry_ms + jitter_ms);
            }
            // Something on the way may cut it in a moment.
            Transport::WebSocket => self.has_opened = true,
        }
        #[cfg(feature = "mutants")]
        if rejoinder_mutants::planted!(WelcomeProvesSocket) {
            self.worked(by);
        }
    }

    /// A connection lived long: this way works.
    pub(crate) fn worked(&mut self, by: Transport) {
        match by {
            Transport::Sse => {}
            Transport::WebSocket => {
                self.failures = 0;
                self.retry_ms = SOCKET_RETRY_MS;
            }
        }
    }

    /// A connection was cut soon, without a word of the gateway.
    pub(crate) fn cut(&mut self, by: Transport) {
        match by {
            // It is what there is.
            Transport::Sse => {}
            Transport::WebSocket => self.unanswered(by),
        }
    }

    /// An attempt ended without a word of a gateway: the other way may be open.
    pub(crate) fn unanswered(&mut self, by: Transport) {
        self.next = match by {
            Transport::Sse => Transport::WebSocket,
            Transport::WebSocket => {
                self.failures = self.failures.saturating_add(1);
                let bearable = match self.has_opened {
                    true => FAILURES_WHERE_ONE_OPENED,
                    false => 1,
                };
                match self.failures >= bearable {
                    true => Transport::Sse,
                    false => Transport::WebSocket,
                }
            }
        };
    }

    /// A WebSocket beside a living stream could not be had, or follows it and has yet to last.
    pub(crate) fn retry_later(&mut self, now: Millis, retry_after_ms: Option<u64>) {
        self.retry_ms = (self.retry_ms * 2).min(SOCKET_RETRY_MS_MAX);
        self.retry_at = now.after(self.retry_ms.max(retry_after_ms.unwrap_or(0)));
    }
}
