//! `POST /v1/frames`: one frame of a client that cannot open a socket, and its answers.
//!
//! It belongs to no connection: any gateway of the same store answers it.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use rejoinder_protocol::{Epoch, ErrorCode, FRAME_BYTES_MAX};
use serde::Deserialize;

use super::Rest;
use super::answer::{empty, refused};
use super::caller::Caller;
use super::json_text::JsonText;
use crate::store::Store;

#[derive(Deserialize)]
pub(super) struct MeantFor {
    epoch: Option<Epoch>,
}

/// Takes a frame; answers with the frames that answer it, one a line. 503 if the client must begin
/// anew: the last line then is `goodbye`.
pub(super) async fn take<S: Store>(
    State(rest): State<Rest<S>>,
    caller: Caller,
    meant_for: Result<Query<MeantFor>, QueryRejection>,
    body: JsonText<FRAME_BYTES_MAX>,
) -> Response {
    let Caller::User(identity) = caller else {
        return refused(ErrorCode::Forbidden);
    };
    let Ok(Query(MeantFor { epoch })) = meant_for else {
        return refused(ErrorCode::Invalid);
    };
    let session = rest.0.driver.open_post(identity, epoch);
    session.frame(&body.0);
    let mut lines = String::new();
    let mut is_over = false;
    loop {
        while let Some(batch) = session.take() {
            for frame in &batch.frames {
                lines.push_str(frame);
                lines.push('\n');
            }
            is_over |= batch.close.is_some();
        }
        if is_over || session.is_answered() {
            break;
        }
        session.flush_wanted().await;
    }
    let status = match (is_over, lines.is_empty()) {
        (true, _) => StatusCode::SERVICE_UNAVAILABLE,
        (false, true) => return empty(),
        (false, false) => StatusCode::OK,
    };
    let lines_of_json = HeaderValue::from_static("application/x-ndjson");
    (status, [(CONTENT_TYPE, lines_of_json)], lines).into_response()
}
