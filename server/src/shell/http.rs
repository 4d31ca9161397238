//! The routes.

use std::path::PathBuf;
use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, Request, State, WebSocketUpgrade};
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    AUTHORIZATION, VARY,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use rejoinder_protocol::{ErrorCode, FRAME_BYTES_MAX, ThreadId, Token, UserId};
use serde::{Deserialize, Serialize};

use super::access::{Access, Denied};
use super::driver::Driver;
use super::{files, socket};
use crate::core::Refusal;
use crate::store::{Answer, Command, Store, derived_thread_id};

/// Read buffer of a socket: the default of 128 KiB would be most of an idle connection's memory.
const READ_BUFFER_BYTES: usize = 4 * 1024;
/// What may wait inside the socket; our own queue is the one with rules.
const WRITE_BUFFER_BYTES_MAX: usize = 1024 * 1024;
/// A request body: two user ids and room.
const BODY_BYTES_MAX: usize = 4 * 1024;

/// Builds the routes.
pub(super) fn router<S: Store>(
    driver: Arc<Driver<S>>,
    access: Access,
    serve_dir: Option<PathBuf>,
) -> Router {
    let mut guarded = Router::new()
        .route("/ws", get(upgrade::<S>))
        .route("/v1/threads", post(create_thread::<S>))
        .with_state(driver);
    if let Some(folder) = serve_dir {
        guarded = guarded.fallback_service(get(files::file).with_state(Arc::<_>::from(folder)));
    }
    guarded
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(from_fn_with_state(Arc::new(access), guard))
        // A load balancer asks by address, and learns nothing.
        .route("/healthz", get(|| async { "ok\n" }))
}

/// Lets only known pages and hosts in, before anything else is looked at.
async fn guard(State(access): State<Arc<Access>>, request: Request, next: Next) -> Response {
    let origin = match access.check(request.headers()) {
        Ok(origin) => origin,
        Err(Denied::Host) => {
            tracing::warn!("refused an unknown Host; allow it with --allow-host or --allow-origin");
            return (StatusCode::FORBIDDEN, "unknown host\n").into_response();
        }
        Err(Denied::Origin) => {
            tracing::warn!("refused an unknown Origin; allow it with --allow-origin");
            return (StatusCode::FORBIDDEN, "unknown origin\n").into_response();
        }
    };
    let preflight = request.method() == Method::OPTIONS && origin.is_some();
    let mut response = if preflight {
        StatusCode::NO_CONTENT.into_response()
    } else {
        next.run(request).await
    };
    if let Some(origin) = origin.and_then(|origin| HeaderValue::try_from(origin).ok()) {
        let headers = response.headers_mut();
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(VARY, HeaderValue::from_static("origin"));
        if preflight {
            let allowed = HeaderValue::from_static("authorization, content-type");
            headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, allowed);
            let methods = HeaderValue::from_static("POST");
            headers.insert(ACCESS_CONTROL_ALLOW_METHODS, methods);
        }
    }
    response
}

async fn upgrade<S: Store>(
    State(driver): State<Arc<Driver<S>>>,
    upgrade: WebSocketUpgrade,
) -> Response {
    upgrade
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(0)
        .max_write_buffer_size(WRITE_BUFFER_BYTES_MAX)
        .max_frame_size(FRAME_BYTES_MAX)
        .max_message_size(FRAME_BYTES_MAX)
        .on_upgrade(|opened| socket::run(driver, opened))
}

#[derive(Deserialize)]
struct CreateThread {
    participants: Vec<UserId>,
}

#[derive(Serialize)]
struct CreatedThread {
    thread_id: ThreadId,
}

#[derive(Serialize)]
struct Failure {
    code: &'static str,
}

fn failure(status: StatusCode, code: &'static str) -> Response {
    (status, Json(Failure { code })).into_response()
}

/// `POST /v1/threads {participants: [a, b]}`: the thread of two people, made if it is new.
async fn create_thread<S: Store>(
    State(driver): State<Arc<Driver<S>>>,
    headers: HeaderMap,
    body: Result<Json<CreateThread>, axum::extract::rejection::JsonRejection>,
) -> Response {
    let token = headers
        .get(AUTHORIZATION)
        .and_then(|header| header.to_str().ok())
        .and_then(|header| header.strip_prefix("Bearer "));
    let Some(token) = token else {
        return failure(StatusCode::UNAUTHORIZED, "token_invalid");
    };
    let identity = match driver.verify(&Token::new(token.to_owned())).await {
        Ok(identity) => identity,
        Err(Refusal::Expired) => return failure(StatusCode::UNAUTHORIZED, "token_expired"),
        Err(Refusal::Invalid) => return failure(StatusCode::UNAUTHORIZED, "token_invalid"),
        Err(Refusal::Unavailable) => {
            return failure(StatusCode::SERVICE_UNAVAILABLE, ErrorCode::Busy.as_str());
        }
    };
    let Ok(Json(CreateThread { mut participants })) = body else {
        return failure(StatusCode::BAD_REQUEST, ErrorCode::Invalid.as_str());
    };
    participants.sort();
    let Ok([one, other]) = <[UserId; 2]>::try_from(participants) else {
        return failure(StatusCode::BAD_REQUEST, ErrorCode::Invalid.as_str());
    };
    if one == other {
        return failure(StatusCode::BAD_REQUEST, ErrorCode::Invalid.as_str());
    }
    if identity.user_id != one && identity.user_id != other {
        return failure(StatusCode::FORBIDDEN, ErrorCode::Forbidden.as_str());
    }
    let Some(thread_id) = derived_thread_id(&one, &other) else {
        return failure(StatusCode::BAD_REQUEST, ErrorCode::Invalid.as_str());
    };
    let create = Command::Create {
        thread_id: thread_id.clone(),
        participants: [one, other],
    };
    match driver.command(create).await {
        Some(Answer::Done) => Json(CreatedThread { thread_id }).into_response(),
        Some(Answer::Refused(code)) if code.is_permanent() => {
            failure(StatusCode::FORBIDDEN, code.as_str())
        }
        Some(Answer::Refused(code)) => failure(StatusCode::SERVICE_UNAVAILABLE, code.as_str()),
        Some(Answer::Cancelled | Answer::Stored(_)) | None => {
            failure(StatusCode::SERVICE_UNAVAILABLE, ErrorCode::Busy.as_str())
        }
    }
}
