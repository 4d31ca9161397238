//! One WebSocket, for one attempt.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use rejoinder::engine::config::SOCKET_BUFFER_BYTES_MAX;
use rejoinder::engine::{Attempt, Input, NO_CLOSE_CODE};
use tokio::net::TcpStream;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::http::{HOST, ORIGIN};

type Wire = WebSocketStream<TcpStream>;

/// How long a page that closes a socket lets it say so.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);
/// What browsers say of a close without a code.
const NO_STATUS: u16 = 1005;

/// Open or opening until it is dropped, which ends it without a word.
pub(super) struct Socket {
    attempt: Attempt,
    door: UnboundedSender<Input>,
    frames: Option<UnboundedSender<String>>,
    /// What was not handed to the network yet, in bytes.
    held: Arc<AtomicU32>,
    task: Option<JoinHandle<()>>,
}

impl Socket {
    pub(super) fn open(port: u16, attempt: Attempt, door: UnboundedSender<Input>) -> Self {
        let (frames, queue) = unbounded_channel();
        let held = Arc::<AtomicU32>::default();
        let writer = Writer {
            attempt,
            door: door.clone(),
            queue,
            held: Arc::clone(&held),
        };
        let task = tokio::spawn(run(port, attempt, door.clone(), writer));
        Self {
            attempt,
            door,
            frames: Some(frames),
            held,
            task: Some(task),
        }
    }

    pub(super) fn send(&self, text: String) {
        let bytes = u32::try_from(text.len()).unwrap_or(u32::MAX);
        let before = self.held.fetch_add(bytes, Ordering::Relaxed);
        let held = before.saturating_add(bytes);
        if before <= SOCKET_BUFFER_BYTES_MAX && held > SOCKET_BUFFER_BYTES_MAX {
            tell_held(&self.door, self.attempt, held);
        }
        if let Some(frames) = &self.frames {
            let _ = frames.send(text);
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.task.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Lets it say goodbye.
    pub(super) fn close(mut self) {
        self.frames.take();
        self.task.take();
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
        }
    }
}

fn tell_held(door: &UnboundedSender<Input>, attempt: Attempt, bytes: u32) {
    let _ = door.send(Input::Buffered { attempt, bytes });
}

struct Writer {
    attempt: Attempt,
    door: UnboundedSender<Input>,
    queue: UnboundedReceiver<String>,
    held: Arc<AtomicU32>,
}

async fn run(port: u16, attempt: Attempt, door: UnboundedSender<Input>, writer: Writer) {
    let code = match open(port).await {
        None => NO_CLOSE_CODE,
        Some(wire) => {
            let _ = door.send(Input::SocketOpened { attempt });
            let (sink, stream) = wire.split();
            // At once: whoever cannot write may still read.
            tokio::select! {
                code = read(stream, attempt, &door) => code,
                () = writer.run(sink) => return,
            }
        }
    };
    let _ = door.send(Input::SocketClosed {
        attempt,
        code,
        retry_after_ms: None,
    });
}

async fn open(port: u16) -> Option<Wire> {
    let stream = TcpStream::connect(("127.0.0.1", port)).await.ok()?;
    let _ = stream.set_nodelay(true);
    let mut request = format!("ws://{HOST}/ws").into_client_request().ok()?;
    let origin = ORIGIN.parse().ok()?;
    request.headers_mut().insert("origin", origin);
    let (wire, _) = client_async(request, stream).await.ok()?;
    Some(wire)
}

/// Reads to the end; returns the code of it.
async fn read(
    mut stream: SplitStream<Wire>,
    attempt: Attempt,
    door: &UnboundedSender<Input>,
) -> u16 {
    while let Some(Ok(message)) = stream.next().await {
        let text = match message {
            Message::Text(text) => text.as_str().to_owned(),
            // The protocol has no binary frames: an empty text is no frame either.
            Message::Binary(_) => String::new(),
            Message::Close(close) => {
                return close.map_or(NO_STATUS, |close| close.code.into());
            }
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => continue,
        };
        let _ = door.send(Input::Frame { attempt, text });
    }
    NO_CLOSE_CODE
}

impl Writer {
    /// Writes until the page closes the socket, and says so. While the network takes nothing, this
    /// waits.
    async fn run(mut self, mut sink: SplitSink<Wire, Message>) {
        while let Some(text) = self.queue.recv().await {
            let bytes = u32::try_from(text.len()).unwrap_or(u32::MAX);
            if sink.send(Message::text(text)).await.is_err() {
                // The reader learns of it, too.
                return std::future::pending().await;
            }
            let before = self.held.fetch_sub(bytes, Ordering::Relaxed);
            let held = before.saturating_sub(bytes);
            if before > SOCKET_BUFFER_BYTES_MAX && held <= SOCKET_BUFFER_BYTES_MAX {
                tell_held(&self.door, self.attempt, held);
            }
        }
        let _ = timeout(CLOSE_TIMEOUT, sink.close()).await;
    }
}
