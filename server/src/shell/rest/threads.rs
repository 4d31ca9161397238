//! `/v1/threads`: the threads of a user, and new ones.

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use rejoinder_protocol::{ErrorCode, ThreadId, UserId};
use serde::{Deserialize, Serialize};

use super::answer::{self, refused};
use super::caller::Caller;
use super::{Rest, messages};
use crate::store::{Command, Content, Read, Store, derived_thread_id};

#[derive(Deserialize)]
pub(super) struct Which {
    user_id: Option<UserId>,
    limit: Option<u32>,
    before: Option<String>,
}

/// `GET /v1/threads?limit&before`: the caller's threads, the latest changed first; a back end names
/// whose by `user_id`.
pub(super) async fn list<S: Store>(
    State(rest): State<Rest<S>>,
    caller: Caller,
    which: Result<Query<Which>, QueryRejection>,
) -> Response {
    let Ok(Query(which)) = which else {
        return refused(ErrorCode::Invalid);
    };
    let user_id = match (caller, which.user_id) {
        (Caller::User(own), None) => own.user_id,
        (Caller::User(own), Some(asked)) if own.user_id == asked => asked,
        (Caller::User(_), Some(_)) => return refused(ErrorCode::Forbidden),
        (Caller::Backend, Some(asked)) => asked,
        (Caller::Backend, None) => return refused(ErrorCode::Invalid),
    };
    let question = Read::Inbox {
        user_id,
        limit: which.limit.unwrap_or(messages::LIMIT),
        before: which.before,
    };
    match rest.read(question).await {
        Ok(Content::Inbox(page)) => Json(page).into_response(),
        Ok(_) => refused(ErrorCode::Invalid),
        Err(response) => response,
    }
}

#[derive(Deserialize)]
pub(super) struct NewThread {
    thread_id: Option<ThreadId>,
    participants: Vec<UserId>,
}

#[derive(Serialize)]
struct Created {
    thread_id: ThreadId,
}

/// `POST /v1/threads {participants: [a, b]}`: the thread of two people, made if it is new. A back end
/// may choose its `thread_id`.
pub(super) async fn create<S: Store>(
    State(rest): State<Rest<S>>,
    caller: Caller,
    body: Result<Json<NewThread>, JsonRejection>,
) -> Response {
    let new = match body {
        Ok(Json(new)) => new,
        Err(error) if error.status() == StatusCode::PAYLOAD_TOO_LARGE => {
            return refused(ErrorCode::TooLarge);
        }
        Err(_) => return refused(ErrorCode::Invalid),
    };
    let mut participants = new.participants;
    participants.sort();
    let Ok([one, other]) = <[UserId; 2]>::try_from(participants) else {
        return refused(ErrorCode::Invalid);
    };
    if one == other {
        return refused(ErrorCode::Invalid);
    }
    let is_backend = match &caller {
        Caller::Backend => true,
        // A name that a user could choose would be one that another user wants.
        Caller::User(_) if new.thread_id.is_some() => return refused(ErrorCode::Forbidden),
        Caller::User(own) if own.user_id != one && own.user_id != other => {
            return refused(ErrorCode::Forbidden);
        }
        Caller::User(_) => false,
    };
    let Some(thread_id) = new.thread_id.or_else(|| derived_thread_id(&one, &other)) else {
        return refused(ErrorCode::Invalid);
    };
    let create = Command::Create {
        thread_id: thread_id.clone(),
        participants: [one, other],
    };
    match answer::done(rest.0.driver.command(create).await) {
        Ok(()) => Json(Created { thread_id }).into_response(),
        // A user learns nothing of a thread that is not theirs; a back end should know.
        Err(ErrorCode::NotFound) if is_backend => refused(ErrorCode::IdConflict),
        Err(code) => refused(code),
    }
}
