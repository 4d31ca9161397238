//! The gateway on tokio: moves bytes, asks the time, and decides nothing.

mod accepting;
mod access;
mod addresses;
mod channel;
mod clock;
mod driver;
mod echo;
mod files;
mod http;
mod metrics;
mod operations;
mod rest;
mod socket;
mod tls;
mod upgrade;
mod visitor;

use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::time::timeout;

pub use access::Access;
pub use addresses::AddressLimits;
#[doc(hidden)]
pub use echo::serve_echo;
pub use rest::{AdminKey, AdminKeyTooShort};
pub use tls::{Tls, TlsError};

use crate::bus::Bus;
use crate::core::{Config, Gateway, Input};
use crate::store::Store;
use crate::tokens::Tokens;
use addresses::Addresses;
use driver::Driver;

/// A stop waits so long for sessions, commits and requests …
const STOP_TIMEOUT: Duration = Duration::from_secs(5);
/// … and then so long until other gateways are told.
const TELL_TIMEOUT: Duration = Duration::from_secs(2);

/// What a running gateway is made of.
#[derive(Debug)]
pub struct Settings {
    /// For the cores.
    pub config: Config,
    /// Which pages may talk to it.
    pub access: Access,
    /// How much may come from one address.
    pub addresses: AddressLimits,
    /// Who may come in.
    pub tokens: Tokens,
    /// By what the application's back end is known; absent: it is not.
    pub admin_key: Option<AdminKey>,
    /// How other gateways on the same store are reached; absent: there are none.
    pub bus: Option<Bus>,
    /// The certificate for clients; absent: what they say is not encrypted here, but by a proxy.
    pub tls: Option<Arc<Tls>>,
    /// Where health and metrics are served; absent: nowhere.
    pub operations: Option<TcpListener>,
    /// Files to serve beside it.
    pub serve_dir: Option<PathBuf>,
}

/// Serves until `stop` is ready. Then it takes nobody any more, says goodbye to every client, lets what
/// is under way come to its end and tells other gateways of it: for seven seconds at most.
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
    let addresses = Addresses::new(settings.addresses, driver.metrics().of_strangers().clone());
    tokio::spawn(Arc::clone(&addresses).sweep());
    let app = http::router(
        Arc::clone(&driver),
        settings.access,
        Arc::clone(&addresses),
        settings.admin_key,
        settings.serve_dir,
    );
    if let Some(tls) = &settings.tls {
        tokio::spawn(Arc::clone(tls).follow());
    }
    let connections = accepting::accept(listener, settings.tls, addresses, app, stop).await;
    tracing::info!("draining");
    driver.feed(Input::Drain);
    let ended = async { tokio::join!(driver.idle(), connections.finish()) };
    if timeout(STOP_TIMEOUT, ended).await.is_err() {
        tracing::warn!("stopped with connections left");
    }
    if timeout(TELL_TIMEOUT, driver.told()).await.is_err() {
        tracing::warn!("stopped before other gateways were told everything");
    }
}
