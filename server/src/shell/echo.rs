//! For tests of conformance: WebSockets as clients meet them, with nothing behind them.

use std::future::pending;

use axum::Router;
use axum::extract::Request;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio_tungstenite::tungstenite::Message;

use super::accepting;
use super::addresses::{AddressLimits, Addresses};
use super::channel::{Channel, MessageLimits, Said};
use super::metrics::Metrics;
use super::upgrade::upgrade;

/// Sends back each message, up to a length in bytes, binary ones too.
#[doc(hidden)]
pub async fn serve_echo(listener: TcpListener, bytes_max: usize) {
    let limits = MessageLimits {
        first_bytes_max: bytes_max,
        bytes_max,
    };
    let answer = move |request: Request| async move { upgrade(request, limits, echo) };
    let app = Router::new().route("/", get(answer));
    let strangers = Metrics::new(false).of_strangers().clone();
    let addresses = Addresses::new(AddressLimits::default(), strangers);
    accepting::accept(listener, None, addresses, app, pending()).await;
}

async fn echo(mut channel: Box<Channel>) {
    let end = loop {
        let message = match channel.read().await {
            Ok(Said::Text(text)) => Message::Text(text),
            Ok(Said::Binary(bytes)) => Message::Binary(bytes),
            Err(end) => break end,
        };
        if channel.write([message]).await.is_none() {
            return;
        }
    };
    channel.close(end.close_frame()).await;
}
