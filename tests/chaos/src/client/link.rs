//! A connection by either way.

use rejoinder::engine::{Attempt, Input, Transport};
use rejoinder_protocol::{ClientFrame, encode};
use tokio::sync::mpsc::UnboundedSender;

use super::socket::Socket;
use super::stream::Stream;

/// Open or opening until it is dropped, which ends it without a word.
pub(super) struct Link {
    pub(super) attempt: Attempt,
    way: Way,
}

enum Way {
    Socket(Socket),
    Stream(Stream),
}

impl Link {
    /// Begins to open one to a port of loopback.
    pub(super) fn open(
        port: u16,
        attempt: Attempt,
        transport: Transport,
        door: &UnboundedSender<Input>,
    ) -> Self {
        let way = match transport {
            Transport::WebSocket => Way::Socket(Socket::open(port, attempt, door.clone())),
            Transport::Sse => {
                // Nothing is on the way before its greeting.
                let _ = door.send(Input::SocketOpened { attempt });
                Way::Stream(Stream::new(port, attempt, door.clone()))
            }
        };
        Self { attempt, way }
    }

    /// Sends a frame.
    pub(super) fn send(&mut self, frame: &ClientFrame) {
        match &mut self.way {
            Way::Socket(socket) => socket.send(encode(frame)),
            Way::Stream(stream) => stream.send(frame),
        }
    }

    /// Whether it has ended by itself.
    pub(super) fn is_over(&self) -> bool {
        match &self.way {
            Way::Socket(socket) => socket.is_over(),
            Way::Stream(stream) => stream.is_over(),
        }
    }

    /// Closes it as a page does that goes on.
    pub(super) fn close(self) {
        match self.way {
            Way::Socket(socket) => socket.close(),
            Way::Stream(stream) => drop(stream),
        }
    }
}
