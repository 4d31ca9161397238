//! A WebSocket: texts in, texts out, and why it ended.
//!
//! Knows nothing of the protocol. What a peer may make us hold and wait for is bounded here.

mod framing;
mod metered;

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncWriteExt, copy, sink};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Bytes, Error, Message, Utf8Bytes};

use super::clock::Clock;
use crate::core::Bucket;
use framing::Breach;
pub(super) use framing::MessageLimits;
use metered::Metered;
pub(super) use tokio_tungstenite::tungstenite::protocol::CloseFrame;

/// Read buffer of a socket: the default of 128 KiB would be most of an idle connection's memory.
const READ_BUFFER_BYTES: usize = 4 * 1024;
/// What may wait inside the socket; the queue of a session is the one with rules.
const WRITE_BUFFER_BYTES_MAX: usize = 1024 * 1024;
/// Pings and pongs that a peer may send at once, and in a second after that. Each ping costs an
/// answer; a browser sends none by itself.
const CONTROL_FRAMES_MAX: u32 = 100;
/// A message that takes longer from its first byte to its last ends the connection: a whole one of
/// 128 KiB on a line of 15 KiB a second arrives in time.
const MESSAGE_TIMEOUT: Duration = Duration::from_secs(10);
/// A close, with the peer's answer to it, takes no longer.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// What a peer said.
pub(super) enum Said {
    Text(Utf8Bytes),
    Binary(Bytes),
}

/// Why nothing more is read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum End {
    /// The peer said that it is done.
    Closed,
    /// The first message is longer than it may be.
    FirstTooLong,
    /// Too many pings and pongs.
    Flood,
    /// The peer is gone.
    Gone,
    /// What arrived is no WebSocket.
    NotWebSocket,
    /// A text is not UTF-8.
    NotUtf8,
    /// A message was begun and never finished, or is mostly fragments.
    Stuck,
    /// A message is longer than it may be.
    TooLong,
}

impl End {
    /// Returns what WebSocket itself says about it; `None` if there is nobody to say it to.
    pub(super) fn close_frame(self) -> Option<CloseFrame> {
        let (code, reason) = match self {
            Self::Closed | Self::Gone => return None,
            Self::FirstTooLong | Self::TooLong => (CloseCode::Size, "message too long"),
            Self::Flood => (CloseCode::Policy, "too many control frames"),
            Self::NotWebSocket => (CloseCode::Protocol, "not WebSocket"),
            Self::NotUtf8 => (CloseCode::Invalid, "not UTF-8"),
            Self::Stuck => (CloseCode::Policy, "message not finished"),
        };
        Some(close_frame(code.into(), reason))
    }
}

pub(super) fn close_frame(code: u16, reason: &'static str) -> CloseFrame {
    CloseFrame {
        code: code.into(),
        reason: Utf8Bytes::from_static(reason),
    }
}

/// One WebSocket.
pub(super) struct Channel {
    socket: WebSocketStream<Metered<TokioIo<Upgraded>>>,
    control_frames: Bucket,
    clock: Clock,
}

impl Channel {
    /// Speaks WebSocket on a connection that was upgraded to it. In a box, for it is handed on: each
    /// async function on the way would hold a place of its size.
    pub(super) async fn open(upgraded: Upgraded, limits: MessageLimits) -> Box<Self> {
        // A message and what stands before it in the queue.
        let waiting_bytes_max = WRITE_BUFFER_BYTES_MAX.max(2 * limits.bytes_max);
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER_BYTES)
            .write_buffer_size(0)
            .max_write_buffer_size(waiting_bytes_max)
            .max_frame_size(Some(limits.bytes_max))
            .max_message_size(Some(limits.bytes_max));
        let metered = Metered::new(TokioIo::new(upgraded), limits, MESSAGE_TIMEOUT);
        let clock = Clock::start();
        let now = clock.now().monotonic;
        Box::new(Self {
            socket: WebSocketStream::from_raw_socket(metered, Role::Server, Some(config)).await,
            control_frames: Bucket::new(now, CONTROL_FRAMES_MAX, CONTROL_FRAMES_MAX),
            clock,
        })
    }

    /// Returns what the peer says next. Pings are answered on the way. Nothing is lost if the result is
    /// not waited for.
    pub(super) async fn read(&mut self) -> Result<Said, End> {
        loop {
            match self.socket.next().await {
                None => return Err(End::Gone),
                Some(Ok(Message::Text(text))) => return Ok(Said::Text(text)),
                Some(Ok(Message::Binary(bytes))) => return Ok(Said::Binary(bytes)),
                Some(Ok(Message::Close(_))) => return Err(End::Closed),
                // A raw frame is never read.
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {
                    let now = self.clock.now().monotonic;
                    self.control_frames.take(now).map_err(|_| End::Flood)?;
                }
                Some(Err(error)) => return Err(why(&error)),
            }
        }
    }

    /// Gives the message under way more time: for so long it was not read.
    pub(super) fn excuse(&mut self, pause: Duration) {
        self.socket.get_mut().excuse(pause);
    }

    /// Takes messages to write, and returns when all are written; `None` if the peer is gone.
    pub(super) async fn write(
        &mut self,
        messages: impl IntoIterator<Item = Message>,
    ) -> Option<()> {
        for message in messages {
            self.socket.feed(message).await.ok()?;
        }
        self.socket.flush().await.ok()
    }

    /// Says goodbye, if there is something to say, and answers the peer's; then hangs up, so that
    /// nothing of it is lost.
    pub(super) async fn close(&mut self, last: Option<CloseFrame>) {
        let closing = async {
            if let Some(frame) = last {
                self.socket.send(Message::Close(Some(frame))).await.ok()?;
            }
            while let Some(Ok(_)) = self.socket.next().await {}
            // What is not read resets the connection, and takes with it what the peer has not read.
            let connection = self.socket.get_mut().inner();
            connection.shutdown().await.ok()?;
            copy(connection, &mut sink()).await.ok()
        };
        let _ = timeout(CLOSE_TIMEOUT, closing).await;
    }
}

/// Says what kind of end an error is.
fn why(error: &Error) -> End {
    match error {
        Error::Capacity(_) => End::TooLong,
        Error::Utf8(_) => End::NotUtf8,
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => End::Gone,
        Error::Protocol(_) => End::NotWebSocket,
        Error::Io(error) => match error.get_ref().and_then(|inner| inner.downcast_ref()) {
            Some(Breach::FirstTooLong) => End::FirstTooLong,
            Some(Breach::TooLong) => End::TooLong,
            Some(Breach::TooManyFragments | Breach::TooSlow) => End::Stuck,
            None => End::Gone,
        },
        Error::AlreadyClosed
        | Error::AttackAttempt
        | Error::ConnectionClosed
        | Error::Http(_)
        | Error::HttpFormat(_)
        | Error::Tls(_)
        | Error::Url(_)
        | Error::WriteBufferFull(_) => End::Gone,
    }
}
