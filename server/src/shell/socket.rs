//! One task per socket; it owns both halves.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, close_code};
use futures_util::SinkExt;
use rejoinder_protocol::CloseCode;

use super::driver::{Driver, Opened};
use super::visitor::Stay;
use crate::core::Batch;
use crate::store::Store;

/// A write that takes longer ends the connection: the peer reads nothing.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
/// The peer's answer to a close is waited for so long.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// Serves a socket until either side ends it.
pub(super) async fn run<S: Store>(driver: Arc<Driver<S>>, mut socket: WebSocket, stay: Stay) {
    let session = driver.open();
    let last_words = talk(&session, &mut socket).await;
    if let Some(frame) = last_words {
        let goodbye = async {
            if socket.send(Message::Close(Some(frame))).await.is_ok() {
                // Without waiting for the peer, unread bytes would reset the connection and take
                // the goodbye with them.
                while let Some(Ok(_)) = socket.recv().await {}
            }
        };
        let _ = tokio::time::timeout(CLOSE_TIMEOUT, goodbye).await;
    }
    // Only now: a gateway that stops waits for its sessions, and so for their last words.
    drop((session, stay));
}

/// Returns with which words to close; `None` if the peer is gone already.
async fn talk<S: Store>(session: &Opened<S>, socket: &mut WebSocket) -> Option<CloseFrame> {
    loop {
        tokio::select! {
            () = session.flush_wanted() => {
                if let Some(batch) = session.take() {
                    if let Some(code) = write(socket, batch).await? {
                        return Some(close_frame(code.number(), code.as_str()));
                    }
                    // One batch at a time: much to write must not keep us from reading.
                    session.flush_again();
                }
            }
            message = socket.recv(), if session.may_read() => match message? {
                Ok(Message::Text(text)) => session.frame(&text),
                Ok(Message::Binary(_)) => {
                    return Some(close_frame(close_code::UNSUPPORTED, "frames are text"));
                }
                Ok(Message::Ping(_) | Message::Pong(_)) => {}
                Ok(Message::Close(_)) => return None,
                Err(error) => return last_words(&error),
            },
        }
    }
}

/// Writes a batch; `None` if the peer is gone or takes nothing.
async fn write(socket: &mut WebSocket, batch: Batch) -> Option<Option<CloseCode>> {
    let writing = async {
        for frame in batch.frames {
            let text = Utf8Bytes::from(&*frame);
            socket.feed(Message::Text(text)).await.ok()?;
        }
        socket.flush().await.ok()
    };
    tokio::time::timeout(WRITE_TIMEOUT, writing).await.ok()??;
    Some(batch.close)
}

fn close_frame(code: u16, reason: &'static str) -> CloseFrame {
    CloseFrame {
        code,
        reason: Utf8Bytes::from_static(reason),
    }
}

/// Says what was wrong with bytes that are not a WebSocket message we take.
fn last_words(error: &axum::Error) -> Option<CloseFrame> {
    // axum hides the kind; only its words are left.
    let words = error.to_string();
    if words.contains("too long") {
        Some(close_frame(close_code::SIZE, "frame too long"))
    } else if words.contains("UTF-8") {
        Some(close_frame(close_code::INVALID, "not UTF-8"))
    } else if words.contains("protocol") {
        Some(close_frame(close_code::PROTOCOL, "not WebSocket"))
    } else {
        None
    }
}
