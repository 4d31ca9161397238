//! `/v1/threads/{thread_id}/participants`: who takes part.

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use rejoinder_protocol::{ErrorCode, Participant, ThreadId, UserId};
use serde::Serialize;

use super::Rest;
use super::answer::{self, refused};
use super::caller::Caller;
use crate::store::{Command, Content, Read, Store};

#[derive(Serialize)]
struct Participants {
    participants: Vec<Participant>,
}

/// `GET /v1/threads/{thread_id}/participants`: everybody who ever took part; `left_at` tells who no
/// longer does.
pub(super) async fn list<S: Store>(
    State(rest): State<Rest<S>>,
    caller: Caller,
    path: Result<Path<ThreadId>, PathRejection>,
) -> Response {
    let Ok(Path(thread_id)) = path else {
        return refused(ErrorCode::Invalid);
    };
    let question = Read::Participants {
        reader: caller.reader(),
        thread_id,
    };
    match rest.read(question).await {
        Ok(Content::Participants(mut participants)) => {
            participants.sort_by(|one, other| one.user_id.cmp(&other.user_id));
            Json(Participants { participants }).into_response()
        }
        Ok(_) => refused(ErrorCode::NotFound),
        Err(response) => response,
    }
}

/// `PUT /v1/threads/{thread_id}/participants/{user_id}`: lets a person in, or in again. For back ends.
pub(super) async fn admit<S: Store>(
    State(rest): State<Rest<S>>,
    caller: Caller,
    path: Result<Path<(ThreadId, UserId)>, PathRejection>,
) -> Response {
    match (caller, path) {
        (Caller::User(_), _) => refused(ErrorCode::Forbidden),
        (Caller::Backend, Err(_)) => refused(ErrorCode::Invalid),
        (Caller::Backend, Ok(Path((thread_id, user_id)))) => {
            change(&rest, Command::Admit { thread_id, user_id }).await
        }
    }
}

/// `DELETE /v1/threads/{thread_id}/participants/{user_id}`: ends a person's part. A user ends their
/// own, a back end anybody's. They stop receiving at once.
pub(super) async fn remove<S: Store>(
    State(rest): State<Rest<S>>,
    caller: Caller,
    path: Result<Path<(ThreadId, UserId)>, PathRejection>,
) -> Response {
    let Ok(Path((thread_id, user_id))) = path else {
        return refused(ErrorCode::Invalid);
    };
    match caller {
        Caller::User(own) if own.user_id != user_id => refused(ErrorCode::Forbidden),
        Caller::User(_) | Caller::Backend => {
            change(&rest, Command::Remove { thread_id, user_id }).await
        }
    }
}

async fn change<S: Store>(rest: &Rest<S>, command: Command) -> Response {
    match answer::done(rest.0.driver.command(command).await) {
        Ok(()) => answer::empty(),
        Err(code) => refused(code),
    }
}
