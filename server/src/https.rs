//! The client with which the gateway asks others over HTTP.

use std::io;

use http_body_util::Empty;
use hyper::body::Bytes;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

pub(crate) type HttpsClient = Client<HttpsConnector<HttpConnector>, Empty<Bytes>>;

/// Trusts whom the system trusts.
///
/// # Errors
///
/// The system trusts nobody.
pub(crate) fn client() -> io::Result<HttpsClient> {
    // Named, not the process' default: that panics where two were compiled in.
    let provider = rustls::crypto::ring::default_provider();
    let connector = HttpsConnectorBuilder::new()
        .with_provider_and_native_roots(provider)?
        .https_or_http()
        .enable_http1()
        .build();
    Ok(Client::builder(TokioExecutor::new())
        // The next request, if there is one, is minutes away.
        .pool_max_idle_per_host(0)
        .build(connector))
}
