//! TLS of our own, with a certificate that may be exchanged while clients are connected.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Notify;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// The files are looked at so often. Certificates are renewed days before they end.
const LOOK: Duration = Duration::from_secs(5);

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{path}: {error}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The key is not that of the certificate, or of a kind that is not known.
    #[error("{certificate} and {key}: {error}")]
    Unfit {
        /// The file with the certificate.
        certificate: PathBuf,
        /// The file with the key.
        key: PathBuf,
        /// Why.
        error: rustls::Error,
    },
    /// A file holds nothing of what it should hold.
    #[error("{path} holds no {wanted} in PEM form: {error}")]
    Pem {
        /// Which.
        path: PathBuf,
        /// What it should hold.
        wanted: &'static str,
        /// What was wrong.
        error: pem::Error,
    },
}

/// The two files as they were read.
#[derive(Eq, PartialEq)]
struct Files {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

/// A certificate and its key, from files.
pub struct Tls {
    certificate: PathBuf,
    key: PathBuf,
    acceptor: TlsAcceptor,
    current: Arc<Current>,
    /// What was read last, good or not.
    tried: Mutex<Files>,
    asked: Notify,
}

/// Says nothing of the key.
impl std::fmt::Debug for Tls {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = formatter.debug_struct("Tls");
        shown.field("certificate", &self.certificate);
        shown.finish_non_exhaustive()
    }
}

/// What the next handshake uses.
#[derive(Debug)]
struct Current(RwLock<Arc<CertifiedKey>>);

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let current = self.0.read().unwrap_or_else(PoisonError::into_inner);
        Some(Arc::clone(&current))
    }
}

impl Tls {
    /// Reads a certificate with those that lead to its authority, and its key, both as PEM.
    ///
    /// # Errors
    ///
    /// [`TlsError`] if a file cannot be read, or the two do not belong together.
    pub async fn load(certificate: PathBuf, key: PathBuf) -> Result<Self, TlsError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let files = read(&certificate, &key).await?;
        let pair = pair(&provider, &certificate, &key, &files)?;
        let current = Arc::new(Current(RwLock::new(Arc::new(pair))));
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| unfit(&certificate, &key, error))?;
        let resolver = Arc::clone(&current);
        let mut config = config.with_no_client_auth().with_cert_resolver(resolver);
        // WebSockets are a matter of HTTP/1.1 here.
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self {
            certificate,
            key,
            acceptor: TlsAcceptor::from(Arc::new(config)),
            current,
            tried: Mutex::new(files),
            asked: Notify::new(),
        })
    }

    pub(super) async fn accept<S>(&self, stream: S) -> io::Result<TlsStream<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        self.acceptor.accept(stream).await
    }

    /// Takes the files as they are now, for handshakes from now on; returns whether they are others
    /// than those read before. Files that cannot be used change nothing.
    ///
    /// # Errors
    ///
    /// [`TlsError`]; told once for the same files.
    pub async fn reload(&self) -> Result<bool, TlsError> {
        let files = read(&self.certificate, &self.key).await?;
        {
            let mut tried = self.tried.lock().unwrap_or_else(PoisonError::into_inner);
            if *tried == files {
                return Ok(false);
            }
            *tried = files;
            let provider = self.acceptor.config().crypto_provider();
            let pair = pair(provider, &self.certificate, &self.key, &tried)?;
            let mut current = self
                .current
                .0
                .write()
                .unwrap_or_else(PoisonError::into_inner);
            *current = Arc::new(pair);
        }
        Ok(true)
    }

    /// Asks a gateway that serves with it to look at the files now.
    pub fn ask_to_reload(&self) {
        self.asked.notify_one();
    }

    /// Looks at the files every few seconds, and when it is asked to, for ever.
    pub(super) async fn follow(self: Arc<Self>) {
        loop {
            let _ = timeout(LOOK, self.asked.notified()).await;
            match self.reload().await {
                Ok(true) => tracing::info!("another certificate is used from now on"),
                Ok(false) => {}
                Err(error) => tracing::error!(%error, "the certificate stays as it is"),
            }
        }
    }
}

async fn read(certificate: &Path, key: &Path) -> Result<Files, TlsError> {
    let file = async |path: &Path| {
        let read = tokio::fs::read(path).await;
        read.map_err(|error| TlsError::File {
            path: path.to_owned(),
            error,
        })
    };
    Ok(Files {
        certificate: file(certificate).await?,
        key: file(key).await?,
    })
}

/// Reads both, and checks that they belong together.
fn pair(
    provider: &CryptoProvider,
    certificate: &Path,
    key: &Path,
    files: &Files,
) -> Result<CertifiedKey, TlsError> {
    let pem = |path: &Path, wanted, error| TlsError::Pem {
        path: path.to_owned(),
        wanted,
        error,
    };
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&files.certificate).collect();
    let chain = chain.and_then(|chain| match chain.is_empty() {
        true => Err(pem::Error::NoItemsFound),
        false => Ok(chain),
    });
    let chain = chain.map_err(|error| pem(certificate, "certificate", error))?;
    let of_key = PrivateKeyDer::from_pem_slice(&files.key);
    let of_key = of_key.map_err(|error| pem(key, "private key", error))?;
    CertifiedKey::from_der(chain, of_key, provider).map_err(|error| unfit(certificate, key, error))
}

fn unfit(certificate: &Path, key: &Path, error: rustls::Error) -> TlsError {
    TlsError::Unfit {
        certificate: certificate.to_owned(),
        key: key.to_owned(),
        error,
    }
}
