//! The routes.

use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Extension, Request, State};
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, VARY,
};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::access::{Access, Denied};
use super::addresses::Addresses;
use super::driver::Driver;
use super::visitor::{self, Stay};
use super::{AdminKey, files, rest, socket, upgrade};
use crate::store::Store;

/// A request body: two user ids, a thread's, and room.
const BODY_BYTES_MAX: usize = 4 * 1024;
/// How long a browser remembers what it may ask, in seconds: the most that any of them does.
const PREFLIGHT_AGE_S: &str = "7200";

/// Builds the routes.
pub(super) fn router<S: Store>(
    driver: Arc<Driver<S>>,
    access: Access,
    addresses: Arc<Addresses>,
    admin_key: Option<AdminKey>,
    serve_dir: Option<PathBuf>,
) -> Router {
    let entering = from_fn_with_state(Arc::clone(&addresses), visitor::enter);
    let mut guarded = Router::new()
        .route("/ws", get(open_socket::<S>).route_layer(entering))
        .with_state(Arc::clone(&driver))
        .nest("/v1", rest::router(driver, addresses, admin_key));
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
        // Otherwise a page would not be told when to come back.
        let exposed = HeaderValue::from_static("retry-after");
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
        if preflight {
            let allowed = HeaderValue::from_static("authorization, content-type");
            headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, allowed);
            let methods = HeaderValue::from_static("GET, POST, PUT, DELETE");
            headers.insert(ACCESS_CONTROL_ALLOW_METHODS, methods);
            headers.insert(
                ACCESS_CONTROL_MAX_AGE,
                HeaderValue::from_static(PREFLIGHT_AGE_S),
            );
        }
    }
    response
}

async fn open_socket<S: Store>(
    State(driver): State<Arc<Driver<S>>>,
    Extension(stay): Extension<Stay>,
    request: Request,
) -> Response {
    upgrade::upgrade(request, socket::LIMITS, |channel| {
        socket::run(driver, channel, stay)
    })
}
