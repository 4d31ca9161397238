//! TLS of the gateway's own, with certificates that come and go while clients are connected.

#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod client;
mod process;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use client::{THREAD, hello, send};
use futures_util::{SinkExt, StreamExt};
use process::Process;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rejoinder_gateway::shell::{Tls, TlsError};
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, client_async};

/// A certificate's two files, as a gateway reads them.
struct Files(TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn certificate(&self) -> PathBuf {
        self.0.path().join("certificate.pem")
    }

    fn key(&self) -> PathBuf {
        self.0.path().join("key.pem")
    }

    /// Writes another certificate for localhost, and returns it.
    fn renew(&self) -> CertificateDer<'static> {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        fs::write(self.certificate(), cert.pem()).unwrap();
        fs::write(self.key(), signing_key.serialize_pem()).unwrap();
        cert.der().clone()
    }
}

/// Connects as somebody who trusts one certificate.
async fn connect(
    address: &str,
    trusted: &CertificateDer<'static>,
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(address).await.unwrap();
    let name = "localhost".try_into().unwrap();
    TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await
}

/// Waits until a certificate is the gateway's.
async fn shown(address: &str, certificate: &CertificateDer<'static>) {
    let waiting = async {
        while connect(address, certificate).await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let shown = tokio::time::timeout(Duration::from_secs(30), waiting).await;
    shown.expect("it is shown in time");
}

/// A client over TLS.
struct Secure(WebSocketStream<TlsStream<TcpStream>>);

impl Secure {
    async fn join(address: &str, trusted: &CertificateDer<'static>) -> Self {
        let stream = connect(address, trusted).await.unwrap();
        let url = format!("wss://localhost:{}/ws", address.rsplit_once(':').unwrap().1);
        let mut client = Self(client_async(url, stream).await.unwrap().0);
        client.say(&hello("dev:alice")).await;
        client.hear_of("welcome").await;
        client
    }

    async fn say(&mut self, text: &str) {
        self.0.send(Message::text(text)).await.unwrap();
    }

    async fn hear_of(&mut self, frame_type: &str) {
        let wanted = format!(r#"{{"type":"{frame_type}""#);
        while !self
            .0
            .next()
            .await
            .unwrap()
            .unwrap()
            .to_string()
            .starts_with(&wanted)
        {}
    }
}

#[tokio::test]
async fn clients_connect_by_tls_and_stay_when_the_certificate_is_renewed() {
    let files = Files::new();
    let first = files.renew();
    let path = |path: PathBuf| path.display().to_string();
    let (certificate, key) = (path(files.certificate()), path(files.key()));
    let gateway = Process::start(
        &[
            "--database",
            "sqlite::memory:",
            "--tls-certificate",
            &certificate,
        ],
        &[("REJOINDER_TLS_KEY", &key)],
    );
    let address = gateway.address().to_owned();
    let mut alice = Secure::join(&address, &first).await;
    alice.say(&send(THREAD, 1, "one")).await;
    alice.hear_of("ack").await;
    let stranger = Files::new().renew();
    assert!(connect(&address, &stranger).await.is_err());

    let second = files.renew();
    gateway.signal("-HUP");
    shown(&address, &second).await;
    assert!(connect(&address, &first).await.is_err());
    alice.say(&send(THREAD, 2, "two")).await;
    alice.hear_of("ack").await;

    // Without a word, too: whoever renews it may not know of the gateway.
    let third = files.renew();
    shown(&address, &third).await;
    Secure::join(&address, &third).await;
    gateway.ask_to_end();
    alice.hear_of("goodbye").await;
    let (status, log) = gateway.log().await;
    assert!(status.success());
    assert_eq!(
        log.matches("another certificate is used").count(),
        2,
        "{log}"
    );
}

#[tokio::test]
async fn a_bad_certificate_is_refused_and_the_one_before_stays() {
    let files = Files::new();
    let good = files.renew();
    let tls = Arc::new(Tls::load(files.certificate(), files.key()).await.unwrap());
    let gateway = client::Gateway::set(|settings| settings.tls = Some(Arc::clone(&tls))).await;
    let address = gateway.address.to_string();
    assert!(!tls.reload().await.unwrap(), "they are the same");
    let (certificate, key) = (files.certificate(), files.key());
    let kept = fs::read(&certificate).unwrap();
    let other = Files::new();
    other.renew();
    let of_another = fs::read(other.certificate()).unwrap();
    type Wanted = fn(&TlsError) -> bool;
    let bad: [(&Path, Option<&[u8]>, Wanted); 4] = [
        (&certificate, Some(b""), |error| {
            matches!(error, TlsError::Pem { .. })
        }),
        (&certificate, Some(&of_another), |error| {
            matches!(error, TlsError::Unfit { .. })
        }),
        (&key, Some(b"no key"), |error| {
            matches!(error, TlsError::Pem { .. })
        }),
        (&certificate, None, |error| {
            matches!(error, TlsError::File { .. })
        }),
    ];
    for (path, content, is_wanted) in bad {
        match content {
            Some(content) => fs::write(path, content).unwrap(),
            None => fs::remove_file(path).unwrap(),
        }
        let error = tls.reload().await.unwrap_err();
        assert!(is_wanted(&error), "{error:?}");
        assert!(
            error.to_string().contains(&path.display().to_string()),
            "{error}"
        );
        assert!(Tls::load(files.certificate(), files.key()).await.is_err());
        connect(&address, &good).await.unwrap();
        if path == certificate {
            fs::write(&certificate, &kept).unwrap();
        }
    }
    let next = files.renew();
    assert!(tls.reload().await.unwrap());
    connect(&address, &next).await.unwrap();
    // Who speaks no TLS is not answered, and harms nobody.
    let plain = gateway.http("GET /healthz HTTP/1.1", "").await;
    assert!(!plain.contains("200"), "{plain}");
    connect(&address, &next).await.unwrap();
}

#[tokio::test]
async fn whoever_does_not_finish_a_handshake_is_hung_up_on() {
    let files = Files::new();
    let trusted = files.renew();
    let tls = Arc::new(Tls::load(files.certificate(), files.key()).await.unwrap());
    let gateway = client::Gateway::set(|settings| settings.tls = Some(tls)).await;
    let told = |sent: &'static [u8]| async {
        let mut stream = TcpStream::connect(gateway.address).await.unwrap();
        stream.write_all(sent).await.unwrap();
        let mut answer = Vec::new();
        let reading = stream.read_to_end(&mut answer);
        let read = tokio::time::timeout(client::PATIENCE, reading).await;
        let _ = read.expect("it hangs up in time");
    };
    // Whoever is let in and asks for nothing, too.
    let address = gateway.address.to_string();
    let secured = async {
        let mut stream = connect(&address, &trusted).await.unwrap();
        let mut answer = Vec::new();
        let reading = stream.read_to_end(&mut answer);
        let read = tokio::time::timeout(client::PATIENCE, reading).await;
        let _ = read.expect("it hangs up in time");
    };
    // The beginning of a record that announces a handshake of 512 bytes.
    let half = &[0x16, 0x03, 0x01, 0x02, 0x00, 0x01];
    tokio::join!(told(&[]), told(half), secured);
    connect(&address, &trusted).await.unwrap();
}
