//! A connection by either way.

use rejoinder_protocol::{ClientFrame, encode};
use wasm_bindgen::JsValue;

use super::door::Door;
use super::socket::Socket;
use super::stream::Stream;
use crate::engine::{Attempt, Transport};

/// Open or opening until it is dropped.
pub(crate) enum Link {
    Socket(Socket),
    Stream(Stream),
}

impl Link {
    /// Begins to open. The error is the browser's, for an address that it does not allow.
    pub(crate) fn open(
        url: &str,
        attempt: Attempt,
        transport: Transport,
        door: Door,
    ) -> Result<Self, JsValue> {
        match transport {
            Transport::Sse => Stream::open(url, attempt, door).map(Self::Stream),
            Transport::WebSocket => Socket::open(url, attempt, door).map(Self::Socket),
        }
    }

    /// Whose it is.
    pub(crate) fn attempt(&self) -> Attempt {
        match self {
            Self::Socket(socket) => socket.attempt(),
            Self::Stream(stream) => stream.attempt(),
        }
    }

    /// Whether it has ended by itself.
    pub(crate) fn is_over(&self) -> bool {
        match self {
            Self::Socket(socket) => socket.is_over(),
            Self::Stream(stream) => stream.is_over(),
        }
    }

    /// Sends a frame.
    pub(crate) fn send(&self, frame: &ClientFrame) {
        match self {
            Self::Socket(socket) => socket.send(&encode(frame)),
            Self::Stream(stream) => stream.send(frame),
        }
    }
}
