//! `POST /v1/stream`: what happens, as events, for a client that cannot open a socket.
//!
//! The answer is `text/event-stream`
//! (<https://html.spec.whatwg.org/multipage/server-sent-events.html>): each frame is the `data` of
//! one event. What the client asks comes by [`super::frames`].

use std::convert::Infallible;

use axum::body::{Body, Bytes};
use axum::extract::{Extension, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use futures_util::{Stream, stream};
use rejoinder_protocol::{
    CloseCode, ErrorCode, HELLO_BYTES_MAX, PROTOCOL_VERSION, STREAM_THREADS_MAX, ServerFrame,
    decode_stream_hello, encode,
};

use super::Rest;
use super::answer::{failure, refused};
use super::caller::Caller;
use super::json_text::JsonText;
use crate::core::Batch;
use crate::shell::driver::Opened;
use crate::shell::visitor::Stay;
use crate::store::Store;

/// Opens a stream. It goes on until either side ends it.
pub(super) async fn open<S: Store>(
    State(rest): State<Rest<S>>,
    caller: Caller,
    Extension(stay): Extension<Stay>,
    body: JsonText<HELLO_BYTES_MAX>,
) -> Response {
    let Caller::User(identity) = caller else {
        return refused(ErrorCode::Forbidden);
    };
    let hello = match decode_stream_hello(&body.0) {
        Ok(hello) => hello,
        Err(kind) => return refused(kind.code()),
    };
    if hello.protocol_version != PROTOCOL_VERSION {
        let code = CloseCode::UnsupportedVersion.as_str();
        return failure(StatusCode::BAD_REQUEST, code);
    }
    if hello.resume.len() > STREAM_THREADS_MAX {
        return refused(ErrorCode::Limit);
    }
    let session = rest.0.driver.open_stream(identity, hello.resume);
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("text/event-stream")),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        // What nginx otherwise would keep until there is more of it.
        (
            HeaderName::from_static("x-accel-buffering"),
            HeaderValue::from_static("no"),
        ),
    ];
    (headers, Body::from_stream(events(session, stay))).into_response()
}

/// What a client is told, as it can be written: nothing is taken before what was taken is written.
fn events<S: Store>(
    session: Opened<S>,
    stay: Stay,
) -> impl Stream<Item = Result<Bytes, Infallible>> {
    stream::unfold(
        (session, stay, false),
        |(session, stay, is_over)| async move {
            if is_over {
                // Only now: a gateway that stops waits for its sessions, and so for their last words.
                return None;
            }
            loop {
                session.flush_wanted().await;
                if let Some(batch) = session.take() {
                    session.flush_again();
                    let is_over = batch.close.is_some();
                    return Some((Ok(as_events(&batch)), (session, stay, is_over)));
                }
            }
        },
    )
}

/// Writes each frame as an event. A `ping` is a comment: it keeps what is on the way from cutting a
/// silent connection, and nobody answers it here.
fn as_events(batch: &Batch) -> Bytes {
    let ping = encode(&ServerFrame::Ping);
    let length = batch.frames.iter().map(|frame| frame.len() + 8).sum();
    let mut text = String::with_capacity(length);
    for frame in &batch.frames {
        if **frame == *ping {
            text.push_str(": ping\n\n");
        } else {
            // A frame is one line: JSON writes line breaks as `\n`.
            text.push_str("data: ");
            text.push_str(frame);
            text.push_str("\n\n");
        }
    }
    text.into()
}
