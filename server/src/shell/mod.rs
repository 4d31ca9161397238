//! The gateway on tokio: moves bytes, asks the time, and decides nothing.

mod access;
mod clock;
mod driver;
mod files;
mod http;
mod metrics;
mod operations;
mod rest;
mod socket;

use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

pub use access::Access;
pub use rest::{AdminKey, AdminKeyTooShort};

use crate::bus::Bus;
use crate::core::{Config, Gateway, Input};
use crate::store::Store;
use crate::tokens::Tokens;
use driver::Driver;

/// Connections at once; more wait in the kernel's queue.
const CONNECTIONS_MAX: usize = 16_384;
/// Whoever has not sent a request's head by then is closed.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// A request's head, in bytes: a token of 8 KiB and what browsers add.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// A stop waits so long for sessions and commits.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// What a running gateway is made of.
#[derive(Debug)]
pub struct Settings {
    /// For the cores.
    pub config: Config,
    /// Which pages may talk to it.
    pub access: Access,
    /// Who may come in.
    pub tokens: Tokens,
    /// By what the application's back end is known; absent: it is not.
    pub admin_key: Option<AdminKey>,
    /// How other gateways on the same store are reached; absent: there are none.
    pub bus: Option<Bus>,
    /// Where health and metrics are served; absent: nowhere.
    pub operations: Option<TcpListener>,
    /// Files to serve beside it.
    pub serve_dir: Option<PathBuf>,
}

/// Serves until `stop` is ready, then says goodbye to every client and waits for what is under way.
pub async fn serve<S: Store>(
    settings: Settings,
    store: S,
    listener: TcpListener,
    stop: impl Future<Output = ()>,
) {
    let heard = store.hear();
    let config = Config {
        others_write: heard.is_some(),
        has_peers: settings.bus.is_some(),
        ..settings.config
    };
    let (speaker, heard_of_peers) = settings.bus.map(Bus::start).unzip();
    let driver = Driver::start(Gateway::new(config), store, settings.tokens, speaker);
    if let Some(heard) = heard_of_peers {
        tokio::spawn(Arc::clone(&driver).hear_peers(heard));
    }
    if let Some(heard) = heard {
        tokio::spawn(Arc::clone(&driver).hear(heard));
    }
    if let Some(listener) = settings.operations {
        tokio::spawn(operations::serve(listener, Arc::clone(&driver)));
    }
    tokio::spawn(operations::upkeep(Arc::clone(&driver)));
    let app = http::router(
        Arc::clone(&driver),
        settings.access,
        settings.admin_key,
        settings.serve_dir,
    );
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    tokio::pin!(stop);
    loop {
        let place = Arc::clone(&places).acquire_owned();
        let accepted = tokio::select! {
            () = &mut stop => break,
            accepted = async { (place.await, listener.accept().await) } => accepted,
        };
        match accepted {
            (Ok(place), Ok((stream, _))) => {
                let app = app.clone();
                tokio::spawn(async move {
                    connection(stream, app).await;
                    drop(place);
                });
            }
            (Err(_), _) => break,
            (Ok(_), Err(error)) => {
                // Out of file descriptors, for example: give others the time to end.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
    drop(listener);
    tracing::info!("draining");
    driver.feed(Input::Drain);
    if tokio::time::timeout(STOP_TIMEOUT, driver.idle())
        .await
        .is_err()
    {
        tracing::warn!("stopped with connections left");
    }
}

async fn connection(stream: TcpStream, app: axum::Router) {
    // Frames are small and must not wait for each other.
    let _ = stream.set_nodelay(true);
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD_BYTES_MAX);
    let service = TowerToHyperService::new(app);
    let connection = http.serve_connection(TokioIo::new(stream), service);
    if let Err(error) = connection.with_upgrades().await {
        tracing::debug!(%error, "a connection ended");
    }
}
