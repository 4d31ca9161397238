//! From a request to a WebSocket: the handshake of RFC 6455, section 4.2. No extension and no
//! subprotocol is agreed to.

use std::future::Future;

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{ALLOW, SEC_WEBSOCKET_VERSION, UPGRADE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::handshake::server::create_response_with_body;

use super::channel::{Channel, MessageLimits};

/// Answers a request for a WebSocket, and serves it in a task of its own.
pub(super) fn upgrade<F>(
    mut request: Request,
    limits: MessageLimits,
    serve: impl FnOnce(Box<Channel>) -> F + Send + 'static,
) -> Response
where
    F: Future<Output = ()> + Send,
{
    let response = match create_response_with_body(&request, Body::empty) {
        Ok(response) => response,
        Err(error) => return refused(&error),
    };
    let upgraded = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        match upgraded.await {
            Ok(upgraded) => serve(Channel::open(upgraded, limits).await).await,
            Err(error) => tracing::debug!(%error, "an upgrade came to nothing"),
        }
    });
    response
}

/// Says what is wrong with a request for a WebSocket.
fn refused(error: &Error) -> Response {
    let words = format!("{error}\n");
    if let Error::Protocol(ProtocolError::MissingSecWebSocketVersionHeader) = error {
        let headers = [
            (UPGRADE, HeaderValue::from_static("websocket")),
            (SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13")),
        ];
        return (StatusCode::UPGRADE_REQUIRED, headers, words).into_response();
    }
    if let Error::Protocol(ProtocolError::WrongHttpMethod) = error {
        let headers = [(ALLOW, HeaderValue::from_static("GET"))];
        return (StatusCode::METHOD_NOT_ALLOWED, headers, words).into_response();
    }
    (StatusCode::BAD_REQUEST, words).into_response()
}
