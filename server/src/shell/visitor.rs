//! Who opens a connection or asks something, as far as a connection shows it.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::sync::OwnedSemaphorePermit;

use super::addresses::{Addresses, Place};
use super::rest::too_often;

/// Places of an address are given back by connections that end, which takes its time.
const CROWDED_RETRY: Duration = Duration::from_secs(10);

/// Whoever is at the other end of a connection, with what the connection holds until it has ended,
/// also as a socket. Part of every request.
#[derive(Clone, Debug)]
pub(super) struct Visitor(Arc<Held>);

#[derive(Debug)]
struct Held {
    peer: IpAddr,
    _connection: OwnedSemaphorePermit,
    _of_address: Option<Place>,
}

impl Visitor {
    pub(super) fn new(
        peer: IpAddr,
        connection: OwnedSemaphorePermit,
        of_address: Option<Place>,
    ) -> Self {
        Self(Arc::new(Held {
            peer,
            _connection: connection,
            _of_address: of_address,
        }))
    }
}

/// What a socket or a stream holds until it has ended. Part of the requests that open one.
#[derive(Clone, Debug)]
pub(super) struct Stay {
    _visitor: Visitor,
    _for_whom: Option<Arc<Place>>,
}

/// Lets a request open a socket or a stream, unless too many come from its address.
pub(super) async fn enter(
    State(addresses): State<Arc<Addresses>>,
    mut request: Request,
    next: Next,
) -> Response {
    let Some(visitor) = request.extensions().get::<Visitor>().cloned() else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let peer = visitor.0.peer;
    let for_whom = addresses.of_request(peer, request.headers());
    if let Some(address) = for_whom.or_else(|| addresses.of_connection(peer))
        && let Err(wait) = addresses.greet(address)
    {
        return too_often(wait);
    }
    let Ok(place) = addresses.enter(for_whom) else {
        return too_often(CROWDED_RETRY);
    };
    request.extensions_mut().insert(Stay {
        _visitor: visitor,
        _for_whom: place.map(Arc::new),
    });
    next.run(request).await
}
