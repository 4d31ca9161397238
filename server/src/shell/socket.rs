//! One task per socket; it owns both halves.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rejoinder_protocol::{
    CloseCode, FRAME_BYTES_MAX, Goodbye, HELLO_BYTES_MAX, ServerFrame, encode,
};
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

use super::channel::{Channel, CloseFrame, End, MessageLimits, Said, close_frame};
use super::driver::{Driver, Opened};
use super::visitor::Stay;
use crate::core::Batch;
use crate::store::Store;

/// Whoever is not known yet can make us hold little.
pub(super) const LIMITS: MessageLimits = MessageLimits {
    first_bytes_max: HELLO_BYTES_MAX,
    bytes_max: FRAME_BYTES_MAX,
};
/// WebSocket's own code for a message of a kind that is not taken.
const UNSUPPORTED: u16 = 1003;
/// A write that takes longer ends the connection: the peer reads nothing.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// Serves a socket until either side ends it.
pub(super) async fn run<S: Store>(driver: Arc<Driver<S>>, mut channel: Box<Channel>, stay: Stay) {
    let session = driver.open();
    let last_words = talk(&session, &mut channel).await;
    channel.close(last_words).await;
    // Only now: a gateway that stops waits for its sessions, and so for their last words.
    drop((session, stay));
}

/// Returns with which words to close; `None` if the peer is gone already.
async fn talk<S: Store>(session: &Opened<S>, channel: &mut Channel) -> Option<CloseFrame> {
    loop {
        let may_read = session.may_read();
        let waiting_since = Instant::now();
        tokio::select! {
            () = session.flush_wanted() => {
                let paused_since = if may_read { Instant::now() } else { waiting_since };
                if let Some(batch) = session.take() {
                    if let Some(code) = write(channel, batch).await? {
                        return Some(close_frame(code.number(), code.as_str()));
                    }
                    // One batch at a time: much to write must not keep us from reading.
                    session.flush_again();
                }
                channel.excuse(paused_since.elapsed());
            }
            said = channel.read(), if may_read => match said {
                Ok(Said::Text(text)) => session.frame(&text),
                Ok(Said::Binary(_)) => return Some(close_frame(UNSUPPORTED, "frames are text")),
                Err(end) => return last_words(channel, end).await,
            },
        }
    }
}

/// Says why nothing more is read: in the protocol's own words, where it has some.
async fn last_words(channel: &mut Channel, end: End) -> Option<CloseFrame> {
    let code = match end {
        End::FirstTooLong => CloseCode::ProtocolError,
        End::Flood => CloseCode::Limited,
        End::Closed | End::Gone | End::NotUtf8 | End::NotWebSocket | End::Stuck | End::TooLong => {
            return end.close_frame();
        }
    };
    let goodbye = Goodbye {
        code: code.number(),
        retry_after_ms: None,
    };
    let batch = Batch {
        frames: vec![encode(&ServerFrame::Goodbye(goodbye)).into()],
        close: Some(code),
    };
    write(channel, batch).await?;
    Some(close_frame(code.number(), code.as_str()))
}

/// Writes a batch; `None` if the peer is gone or takes nothing.
async fn write(channel: &mut Channel, batch: Batch) -> Option<Option<CloseCode>> {
    let frames = batch.frames.into_iter();
    let messages = frames.map(|frame| Message::Text(Utf8Bytes::from(&*frame)));
    tokio::time::timeout(WRITE_TIMEOUT, channel.write(messages))
        .await
        .ok()??;
    Some(batch.close)
}
