//! nginx by `deploy/nginx.conf`, and who speaks TLS with it.

#![allow(clippy::unwrap_used, clippy::expect_used)]
#![allow(dead_code, unreachable_pub, missing_docs)]

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy;
use hyper_util::rt::TokioExecutor;
use rejoinder_test_services::{Nginx, confined};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{Connector, client_async_tls_with_config};

use crate::client::{Client, hello};

const CONFIGURATION: &str = include_str!("../../../deploy/nginx.conf");
/// Whatever takes longer is a failure.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// What the file calls the server.
pub const NAME: &str = "dm.example";
/// Where the page is served that connects.
pub const ORIGIN: &str = "https://chat.example";

/// nginx by the file in `deploy/`, and who speaks TLS with it.
pub struct Proxy {
    nginx: Nginx,
    folder: PathBuf,
    tls: ClientConfig,
}

/// An answer over HTTP.
pub struct Answer {
    pub status: u16,
    pub text: String,
}

impl Proxy {
    pub fn start(gateways: &[SocketAddr; 2]) -> Self {
        let names = [NAME.to_owned(), "127.0.0.1".to_owned()];
        let made = rcgen::generate_simple_self_signed(names).unwrap();
        let mut place = PathBuf::new();
        let nginx = Nginx::start(|folder, port| {
            folder.clone_into(&mut place);
            for (file, text) in [
                ("fullchain.pem", made.cert.pem()),
                ("privkey.pem", made.signing_key.serialize_pem()),
            ] {
                std::fs::write(folder.join(file), text).unwrap();
            }
            configuration(folder, port, gateways)
        });
        let mut roots = RootCertStore::empty();
        roots.add(made.cert.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self {
            nginx,
            folder: place,
            tls,
        }
    }

    /// Returns the process that started the others.
    pub fn pid(&self) -> String {
        let pid = std::fs::read_to_string(self.folder.join("pid"));
        pid.unwrap().trim().to_owned()
    }

    pub async fn ask(&self, what: &str, token: &str, body: impl Into<Bytes>) -> Answer {
        let answer = self.open(what, token, body).await;
        let status = answer.status().as_u16();
        let bytes = answer.into_body().collect().await.unwrap().to_bytes();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Answer { status, text }
    }

    /// Asks, and returns the answer as soon as its head is there.
    pub async fn open(
        &self,
        what: &str,
        token: &str,
        body: impl Into<Bytes>,
    ) -> Response<Incoming> {
        let (method, path) = what.split_once(' ').unwrap();
        let request = Request::builder()
            .method(method)
            .uri(format!("https://127.0.0.1:{}{path}", self.nginx.port()))
            .header("host", NAME)
            .header("content-type", "application/json")
            .header("authorization", format!("Bearer {token}"));
        let request = request.body(Full::new(body.into())).unwrap();
        let connector = HttpsConnectorBuilder::new().with_tls_config(self.tls.clone());
        let connector = connector.https_only().enable_http1().build();
        let client = legacy::Client::builder(TokioExecutor::new()).build(connector);
        let answer = timeout(PATIENCE, client.request(request)).await;
        answer.expect("an answer in time").unwrap()
    }

    /// Opens a socket as a page would, and is welcomed.
    pub async fn join(&self, token: &str) -> Client {
        let mut request = format!("wss://{NAME}/ws").into_client_request().unwrap();
        let origin = ORIGIN.parse().unwrap();
        request.headers_mut().insert("origin", origin);
        let stream = TcpStream::connect(("127.0.0.1", self.nginx.port()));
        let tls = Connector::Rustls(Arc::new(self.tls.clone()));
        let opened = client_async_tls_with_config(request, stream.await.unwrap(), None, Some(tls));
        let (socket, _) = opened.await.unwrap();
        let mut client = Client { socket };
        client.say(&hello(token)).await;
        client.hear_of("welcome").await;
        client
    }
}

/// The file, with what everybody changes, and where a test lets nginx write.
fn configuration(folder: &Path, port: u16, gateways: &[SocketAddr; 2]) -> String {
    let at = |name| folder.join(name).display().to_string();
    confined(
        CONFIGURATION,
        folder,
        &[
            ("gateway-1:8787", gateways[0].to_string()),
            ("gateway-2:8787", gateways[1].to_string()),
            ("listen 443 ssl", format!("listen 127.0.0.1:{port} ssl")),
            ("/etc/nginx/tls/fullchain.pem", at("fullchain.pem")),
            ("/etc/nginx/tls/privkey.pem", at("privkey.pem")),
        ],
    )
}
