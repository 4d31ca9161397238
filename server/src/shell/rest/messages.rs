//! `/v1/threads/{thread_id}/messages`: what was written.

use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use rejoinder_protocol::{ErrorCode, SequenceNumber, ThreadId};
use serde::Deserialize;

use super::Rest;
use super::answer::refused;
use super::caller::Caller;
use crate::store::{Content, Read, Store};

/// Entries of a list if nobody says how many: some screens of them.
pub(super) const LIMIT: u32 = 50;
/// Above every message that there can be.
const ABOVE_ALL: u64 = (1 << 53) - 1;

#[derive(Deserialize)]
pub(super) struct Where {
    before: Option<u64>,
    limit: Option<u32>,
}

/// `GET /v1/threads/{thread_id}/messages?before&limit`: the newest messages below a place, by rising
/// place; a back end may read every thread.
pub(super) async fn list<S: Store>(
    State(rest): State<Rest<S>>,
    caller: Caller,
    path: Result<Path<ThreadId>, PathRejection>,
    range: Result<Query<Where>, QueryRejection>,
) -> Response {
    let (Ok(Path(thread_id)), Ok(Query(range))) = (path, range) else {
        return refused(ErrorCode::Invalid);
    };
    let Ok(before) = SequenceNumber::try_from(range.before.unwrap_or(ABOVE_ALL)) else {
        return refused(ErrorCode::Invalid);
    };
    let question = Read::History {
        reader: caller.reader(),
        thread_id,
        before,
        limit: range.limit.unwrap_or(LIMIT),
    };
    match rest.read(question).await {
        Ok(Content::History(page)) => Json(page).into_response(),
        Ok(_) => refused(ErrorCode::NotFound),
        Err(response) => response,
    }
}
