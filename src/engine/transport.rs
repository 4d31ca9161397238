//! By which way the gateway is reached.

use serde::Serialize;

use super::backoff::Backoff;
use super::time::Millis;

/// A WebSocket is tried again so long after one could not be opened, in milliseconds …
const SOCKET_RETRY_MS: u64 = 60_000;
/// … and this is the longest pause between two tries; it doubles up to here.
const SOCKET_RETRY_MS_MAX: u64 = 960_000;
/// Where WebSockets have worked, the gateway may only be away: so many must fail in a row.
const FAILURES_WHERE_IT_WORKED: u32 = 2;

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
    /// WebSockets in a row that nobody answered.
    unanswered: u32,
    has_worked: bool,
    retry_ms: u64,
    /// When a WebSocket is tried beside a living stream.
    retry_at: Millis,
}

impl Ways {
    pub(crate) fn new() -> Self {
        Self {
            next: Transport::WebSocket,
            unanswered: 0,
            has_worked: false,
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
            Transport::WebSocket => {
                self.unanswered = 0;
                self.has_worked = true;
                self.retry_ms = SOCKET_RETRY_MS;
            }
        }
    }

    /// An attempt ended without a word of a gateway: the other way may be open.
    pub(crate) fn unanswered(&mut self, by: Transport) {
        self.next = match by {
            Transport::Sse => Transport::WebSocket,
            Transport::WebSocket => {
                self.unanswered = self.unanswered.saturating_add(1);
                let bearable = match self.has_worked {
                    true => FAILURES_WHERE_IT_WORKED,
                    false => 1,
                };
                match self.unanswered >= bearable {
                    true => Transport::Sse,
                    false => Transport::WebSocket,
                }
            }
        };
    }

    /// A WebSocket beside a living stream could not be had.
    pub(crate) fn retry_later(&mut self, now: Millis, retry_after_ms: Option<u64>) {
        self.retry_ms = (self.retry_ms * 2).min(SOCKET_RETRY_MS_MAX);
        self.retry_at = now.after(self.retry_ms.max(retry_after_ms.unwrap_or(0)));
    }
}
