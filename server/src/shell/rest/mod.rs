//! `/v1`: what is asked for outside a socket.
//!
//! A user sees what is theirs, by the same token as on a socket; the application's back end sees
//! everything, by the admin key. Every answer is JSON: what was asked for, or `{"code": …}`.

mod admin_key;
mod answer;
mod caller;
mod frames;
mod json_text;
mod messages;
mod participants;
mod stream;
mod threads;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::Response;
use axum::routing::{get, post, put};
use rejoinder_protocol::ErrorCode;
use tokio::sync::Semaphore;

use super::addresses::Addresses;
use super::driver::Driver;
use super::visitor;
use crate::store::{Content, Read, Store};
pub use admin_key::{AdminKey, AdminKeyTooShort};
pub(super) use answer::too_often;

/// Questions to the store at once, beside those of the sockets: each answer may be a page of
/// 256 KiB. More are told to come back.
const READS_MAX: usize = 64;

/// A request takes no longer, its body included: a token may wait 3 s for its issuer, a command some
/// seconds for a lock. Whoever sends a body byte by byte is not waited for.
const TIMEOUT: Duration = Duration::from_secs(10);

/// What the routes share.
struct Shared<S> {
    driver: Arc<Driver<S>>,
    admin_key: Option<AdminKey>,
    reads: Semaphore,
}

/// Handle to [`Shared`].
struct Rest<S>(Arc<Shared<S>>);

impl<S> Clone for Rest<S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<S: Store> Rest<S> {
    /// Reads from the store; `Err` is the answer of those who cannot be served now.
    async fn read(&self, question: Read) -> Result<Content, Response> {
        let busy = || answer::refused(ErrorCode::Busy);
        let _place = self.0.reads.try_acquire().map_err(|_| busy())?;
        match self.0.driver.read(question).await {
            Ok(answer) => Ok(answer.content),
            Err(error) => {
                tracing::warn!(%error, "a question was not answered");
                Err(busy())
            }
        }
    }
}

/// Builds the routes below `/v1`.
pub(super) fn router<S: Store>(
    driver: Arc<Driver<S>>,
    addresses: Arc<Addresses>,
    admin_key: Option<AdminKey>,
) -> Router {
    let entering = from_fn_with_state(addresses, visitor::enter);
    let rest = Rest(Arc::new(Shared {
        driver,
        admin_key,
        reads: Semaphore::new(READS_MAX),
    }));
    Router::new()
        .route(
            "/threads",
            get(threads::list::<S>).post(threads::create::<S>),
        )
        .route(
            "/threads/{thread_id}/participants",
            get(participants::list::<S>),
        )
        .route(
            "/threads/{thread_id}/participants/{user_id}",
            put(participants::admit::<S>).delete(participants::remove::<S>),
        )
        .route("/threads/{thread_id}/messages", get(messages::list::<S>))
        .route("/frames", post(frames::take::<S>))
        .route("/stream", post(stream::open::<S>).route_layer(entering))
        .fallback(async || answer::failure(StatusCode::NOT_FOUND, "no_such_endpoint"))
        .method_not_allowed_fallback(async || {
            answer::failure(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed")
        })
        .layer(from_fn(every_request))
        .with_state(rest)
}

/// What holds for every request here.
async fn every_request(request: Request, next: Next) -> Response {
    let served = tokio::time::timeout(TIMEOUT, next.run(request)).await;
    let mut response = served.unwrap_or_else(|_| answer::refused(ErrorCode::Busy));
    // What is said to one person is kept by nobody on the way.
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
