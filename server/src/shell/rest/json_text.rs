//! A request's body that is JSON of the protocol, read by the protocol's own rules.

use axum::body::to_bytes;
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::response::Response;
use rejoinder_protocol::ErrorCode;

use super::answer::{failure, refused};

/// A text of at most `MAX` bytes that says of itself that it is JSON.
pub(super) struct JsonText<const MAX: usize>(pub(super) String);

impl<S: Sync, const MAX: usize> FromRequest<S> for JsonText<MAX> {
    type Rejection = Response;

    async fn from_request(request: Request, _: &S) -> Result<Self, Response> {
        let headers = request.headers();
        let said = headers
            .get(CONTENT_TYPE)
            .and_then(|said| said.to_str().ok());
        let essence = said.and_then(|said| said.split(';').next()).map(str::trim);
        if !essence.is_some_and(|said| said.eq_ignore_ascii_case("application/json")) {
            let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
            return Err(failure(status, "unsupported_media_type"));
        }
        // Whoever announces too much need not send it.
        let length = headers
            .get(CONTENT_LENGTH)
            .and_then(|said| said.to_str().ok());
        let length = length.and_then(|said| said.parse::<usize>().ok());
        if length.is_some_and(|length| length > MAX) {
            return Err(refused(ErrorCode::TooLarge));
        }
        let body = to_bytes(request.into_body(), MAX).await;
        let body = body.map_err(|_| refused(ErrorCode::TooLarge))?;
        let text = String::from_utf8(body.into());
        text.map(Self).map_err(|_| refused(ErrorCode::BadJson))
    }
}
