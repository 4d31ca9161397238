//! How a connection is opened, and what every connection is told first.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{AsyncMessage, Client, Config, Connection, Socket};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::OpenError;

/// A server that does not answer a greeting by then is not there.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A peer that acknowledges nothing for so long is gone; without it a lost network would hold a
/// statement for a quarter of an hour.
const UNACKNOWLEDGED_TIMEOUT: Duration = Duration::from_secs(10);

/// What every connection of ours is told: nobody of us holds a lock for long, and times are UTC.
pub(super) const GREETING: &str = "SET TimeZone = 'UTC'; SET statement_timeout = '5s'; \
     SET idle_in_transaction_session_timeout = '5s'; SET lock_timeout = '2s'";

/// A connection that its caller drives.
type Driven = Connection<Socket, <MakeRustlsConnect as MakeTlsConnect<Socket>>::Stream>;

/// Opens connections to one database.
#[derive(Clone)]
pub struct Connector {
    pub(super) config: Config,
    pub(super) tls: MakeRustlsConnect,
}

/// Says nothing about the password.
impl std::fmt::Debug for Connector {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = formatter.debug_struct("Connector");
        shown.field("hosts", &self.config.get_hosts());
        shown
            .field("database", &self.config.get_dbname())
            .finish_non_exhaustive()
    }
}

impl Connector {
    /// Reads a URL such as `postgres://user:secret@host:5432/database`.
    ///
    /// A host that is not this machine is spoken to by TLS, and its certificate must be valid for
    /// its name, by an authority of the system or of `authority`, a PEM file. `sslmode=disable` in
    /// the URL goes without.
    ///
    /// # Errors
    ///
    /// [`OpenError`].
    pub fn new(url: &str, authority: Option<&Path>) -> Result<Self, OpenError> {
        // These two ask for what is done anyway.
        let url = url
            .replace("sslmode=verify-full", "sslmode=require")
            .replace("sslmode=verify-ca", "sslmode=require");
        let mut config: Config = url.parse()?;
        config.connect_timeout(CONNECT_TIMEOUT);
        config.tcp_user_timeout(UNACKNOWLEDGED_TIMEOUT);
        if config.get_application_name().is_none() {
            config.application_name("rejoinder-gateway");
        }
        let is_local = config.get_hosts().iter().all(is_local);
        // What libpq calls its default would go without a word where TLS is refused.
        if config.get_ssl_mode() == SslMode::Prefer {
            let plain = is_local && authority.is_none();
            config.ssl_mode(if plain {
                SslMode::Disable
            } else {
                SslMode::Require
            });
        }
        let roots = if config.get_ssl_mode() == SslMode::Disable {
            RootCertStore::empty()
        } else {
            roots(authority)?
        };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| OpenError::Certificates(error.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self {
            config,
            tls: MakeRustlsConnect::new(tls),
        })
    }

    /// Opens a connection and drives it in a task, without a word of ours.
    pub(super) async fn plain(&self) -> Result<Client, tokio_postgres::Error> {
        let (client, connection) = self.open().await?;
        tokio::spawn(async move {
            // Whoever uses the client learns of it.
            let _ = connection.await;
        });
        Ok(client)
    }

    /// Opens a connection for reading and writing.
    pub(super) async fn greeted(&self) -> Result<Client, tokio_postgres::Error> {
        let client = self.plain().await?;
        client.batch_execute(GREETING).await?;
        Ok(client)
    }

    /// Opens a connection that its caller drives.
    pub(super) async fn open(&self) -> Result<(Client, Driven), tokio_postgres::Error> {
        self.config.connect(self.tls.clone()).await
    }
}

/// Keeps a connection going until the server has something to say that nobody asked for.
pub(super) async fn next_message(
    connection: &mut Driven,
) -> Option<Result<AsyncMessage, tokio_postgres::Error>> {
    std::future::poll_fn(|context| connection.poll_message(context)).await
}

fn is_local(host: &Host) -> bool {
    match host {
        Host::Tcp(name) => {
            name == "localhost"
                || name
                    .parse::<std::net::IpAddr>()
                    .is_ok_and(|address| address.is_loopback())
        }
        #[cfg(unix)]
        Host::Unix(_) => true,
    }
}

fn roots(authority: Option<&Path>) -> Result<RootCertStore, OpenError> {
    let mut roots = RootCertStore::empty();
    let refused = |error: &dyn std::fmt::Display| OpenError::Certificates(error.to_string());
    match authority {
        Some(path) => {
            let found = CertificateDer::pem_file_iter(path).map_err(|error| refused(&error))?;
            for certificate in found {
                let certificate = certificate.map_err(|error| refused(&error))?;
                roots.add(certificate).map_err(|error| refused(&error))?;
            }
        }
        None => {
            // Some system's certificates are odd; those that are not suffice.
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    if roots.is_empty() {
        return Err(refused(&"no certificate of an authority was found"));
    }
    Ok(roots)
}
