//! What the store and the cores say, as HTTP says it.

use std::time::Duration;

use axum::Json;
use axum::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use rejoinder_protocol::ErrorCode;
use serde::Serialize;

use crate::core::Refusal;
use crate::store::Answer;

#[derive(Serialize)]
struct Failure {
    code: &'static str,
}

/// Answers with a code and nothing else.
pub(super) fn failure(status: StatusCode, code: &'static str) -> Response {
    (status, Json(Failure { code })).into_response()
}

/// Answers with a code of the protocol.
pub(super) fn refused(code: ErrorCode) -> Response {
    let status = match code {
        ErrorCode::BadJson | ErrorCode::Invalid | ErrorCode::UnknownType => StatusCode::BAD_REQUEST,
        ErrorCode::Blocked | ErrorCode::Forbidden => StatusCode::FORBIDDEN,
        ErrorCode::NotFound => StatusCode::NOT_FOUND,
        ErrorCode::EditConflict | ErrorCode::IdConflict | ErrorCode::Limit => StatusCode::CONFLICT,
        ErrorCode::Gone => StatusCode::GONE,
        ErrorCode::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        ErrorCode::RateLimited => StatusCode::TOO_MANY_REQUESTS,
        ErrorCode::Busy | ErrorCode::Internal | ErrorCode::Unknown => {
            StatusCode::SERVICE_UNAVAILABLE
        }
    };
    let mut response = failure(status, code.as_str());
    if status == StatusCode::SERVICE_UNAVAILABLE {
        let a_second = HeaderValue::from_static("1");
        response.headers_mut().insert(RETRY_AFTER, a_second);
    }
    response
}

/// Answers whoever asks too much, and says when they may ask again.
pub(crate) fn too_often(retry_after: Duration) -> Response {
    let mut response = refused(ErrorCode::RateLimited);
    // The header has whole seconds.
    let seconds = retry_after.as_millis().div_ceil(1_000);
    let seconds = HeaderValue::from(u64::try_from(seconds).unwrap_or(u64::MAX));
    response.headers_mut().insert(RETRY_AFTER, seconds);
    response
}

/// Answers whoever is not let in.
pub(super) fn unknown_caller(refusal: Refusal) -> Response {
    let code = match refusal {
        Refusal::Expired => "token_expired",
        Refusal::Invalid => "token_invalid",
        // It says nothing about the token.
        Refusal::Unavailable => return refused(ErrorCode::Busy),
    };
    let mut response = failure(StatusCode::UNAUTHORIZED, code);
    let scheme = HeaderValue::from_static("Bearer");
    response.headers_mut().insert(WWW_AUTHENTICATE, scheme);
    response
}

/// Returns whether a command was done; `Err` is the answer of those whose command was not. `None`
/// means that the gateway is being stopped.
pub(super) fn done(answer: Option<Answer>) -> Result<(), ErrorCode> {
    match answer {
        Some(Answer::Done) => Ok(()),
        Some(Answer::Refused(code)) => Err(code),
        // No command of these is answered so.
        Some(Answer::Cancelled | Answer::Stored(_)) => Err(ErrorCode::Internal),
        None => Err(ErrorCode::Busy),
    }
}

/// Says that it is as asked.
pub(super) fn empty() -> Response {
    StatusCode::NO_CONTENT.into_response()
}
