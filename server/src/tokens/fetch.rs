//! Fetches an issuer's key set over HTTP.

use std::time::Duration;

use http_body_util::{BodyExt, Limited};
use hyper::body::Bytes;
use hyper::{StatusCode, Uri};

use crate::https::{self, HttpsClient};

/// A key set has some hundred bytes per key.
const BODY_BYTES_MAX: usize = 256 * 1024;
/// From the first packet to the last byte.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Why keys cannot be fetched from a URL.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum KeysUrlError {
    /// It is not a URL, or says more than where the keys are.
    #[error("`{0}` is not a URL of the form https://host/path")]
    NotAUrl(String),
    /// Whoever sits between could put their own keys in.
    #[error(
        "`{0}` must begin with https:// (http:// is accepted for this machine only): whoever \
         could change the answer could sign tokens for every user"
    )]
    NotHttps(String),
    /// The system names nobody whom HTTPS could trust.
    #[error("no trusted certificates were found ({0}); install the package `ca-certificates`")]
    NoRoots(String),
}

/// Why a fetch brought nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    #[error("no connection, or it broke ({0})")]
    Connection(String),
    #[error("the answer was {0} (redirects are not followed)")]
    Status(StatusCode),
    #[error("the answer broke off or is longer than {BODY_BYTES_MAX} bytes")]
    Body,
    #[error("no answer within {} s", TIMEOUT.as_secs())]
    Timeout,
}

/// Where keys are published.
pub(super) struct KeysUrl {
    url: Uri,
    client: HttpsClient,
}

impl KeysUrl {
    /// Accepts `https://` anywhere and `http://` on this machine.
    pub(super) fn parse(text: &str) -> Result<Self, KeysUrlError> {
        let url: Uri = text
            .parse()
            .map_err(|_| KeysUrlError::NotAUrl(text.to_owned()))?;
        let (Some(scheme), Some(host)) = (url.scheme_str(), url.host()) else {
            return Err(KeysUrlError::NotAUrl(text.to_owned()));
        };
        let named = url
            .authority()
            .is_some_and(|one| one.as_str().contains('@'));
        if named || host.is_empty() {
            return Err(KeysUrlError::NotAUrl(text.to_owned()));
        }
        if scheme != "https" && !(scheme == "http" && is_loopback(host)) {
            return Err(KeysUrlError::NotHttps(text.to_owned()));
        }
        let client = https::client().map_err(|error| KeysUrlError::NoRoots(error.to_string()))?;
        Ok(Self { url, client })
    }

    /// Fetches the document.
    pub(super) async fn fetch(&self) -> Result<Bytes, FetchError> {
        let fetching = async {
            let answer = self.client.get(self.url.clone()).await;
            let answer = answer.map_err(|error| FetchError::Connection(chain(&error)))?;
            if answer.status() != StatusCode::OK {
                return Err(FetchError::Status(answer.status()));
            }
            let body = Limited::new(answer.into_body(), BODY_BYTES_MAX).collect();
            let body = body.await.map_err(|_| FetchError::Body)?;
            Ok(body.to_bytes())
        };
        let fetched = tokio::time::timeout(TIMEOUT, fetching).await;
        fetched.unwrap_or(Err(FetchError::Timeout))
    }
}

impl std::fmt::Display for KeysUrl {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.url.fmt(formatter)
    }
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || address
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

/// "client error" alone helps nobody; the reason stands further down.
fn chain(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        words.push_str(": ");
        words.push_str(&inner.to_string());
        source = inner.source();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> Option<KeysUrlError> {
        KeysUrl::parse(text).err()
    }

    #[test]
    fn keys_come_over_https_or_from_this_machine() {
        for fine in [
            "https://p.supabase.co/auth/v1/.well-known/jwks.json",
            "https://10.0.0.7:8443/keys",
            "http://127.0.0.1:54321/auth/v1/.well-known/jwks.json",
            "http://localhost:54321/keys",
            "http://[::1]:1/keys",
        ] {
            assert_eq!(refused(fine), None, "{fine}");
        }
        for plain in [
            "http://p.supabase.co/keys",
            "http://192.168.1.5/keys",
            "http://localhost.evil.example/keys",
            "http://127.0.0.1.evil.example/keys",
            "ftp://127.0.0.1/keys",
        ] {
            let error = refused(plain);
            assert!(matches!(error, Some(KeysUrlError::NotHttps(_))), "{plain}");
        }
        for odd in [
            "",
            "p.supabase.co",
            "/keys",
            "https://",
            "https://user:word@p.supabase.co/keys",
            "http://127.0.0.1@evil.example/keys",
            "https://a b/",
            "file:///etc/passwd",
        ] {
            let error = refused(odd);
            assert!(matches!(error, Some(KeysUrlError::NotAUrl(_))), "{odd}");
        }
    }
}
