//! What an operator asks, on a listener of its own: whether it runs, whether it can do its work, and
//! what it has counted.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;
use tokio::net::TcpListener;

use super::driver::Driver;
use super::metrics::Health;
use crate::store::Store;

/// What was counted is taken in so often, whoever asks: until then each sample is held.
const UPKEEP: Duration = Duration::from_secs(5);
/// The text form of Prometheus.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Answers until the program ends, also while it drains.
pub(super) async fn serve<S: Store>(listener: TcpListener, driver: Arc<Driver<S>>) {
    let router = Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready::<S>))
        .route("/metrics", get(metrics::<S>))
        .with_state(driver);
    if let Err(error) = axum::serve(listener, router).await {
        tracing::error!(%error, "health and metrics are not served any more");
    }
}

/// Takes in what was counted, for ever.
pub(super) async fn upkeep<S: Store>(driver: Arc<Driver<S>>) {
    loop {
        tokio::time::sleep(UPKEEP).await;
        driver.metrics().upkeep();
    }
}

async fn ready<S: Store>(State(driver): State<Arc<Driver<S>>>) -> Response {
    let health = driver.health().await;
    let status = if health.is_ready() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let word = |is_up: bool| if is_up { "up" } else { "down" };
    let Health {
        is_draining,
        is_store_up,
        is_bus_up,
    } = health;
    let told = json!({
        "ready": health.is_ready(),
        "draining": is_draining,
        "store": word(is_store_up),
        "bus": is_bus_up.map_or("none", word),
    });
    (status, Json(told)).into_response()
}

async fn metrics<S: Store>(State(driver): State<Arc<Driver<S>>>) -> Response {
    let health = driver.health().await;
    ([(CONTENT_TYPE, TEXT)], driver.render(health)).into_response()
}
