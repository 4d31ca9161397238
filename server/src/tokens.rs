//! Who a token names: by our secret (HS256), by the keys that an issuer publishes (ES256, RS256), or
//! plainly with `--dev`.
//!
//! Which claims count, which keys a document holds, and when the issuer is asked are decided without
//! I/O (`claims`, `key_set`, `key_cache`); `fetch` and `issuer_keys` do what they say.

mod claims;
mod fetch;
mod issuer_keys;
mod key_cache;
mod key_set;
mod ring_provider;
mod settings;
mod supabase;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use jsonwebtoken::{
    Algorithm, EncodingKey, Header, Validation, decode, decode_header, encode, errors,
};
use rejoinder_protocol::{TOKEN_BYTES_MAX, Token, UserId};

pub use fetch::KeysUrlError;
pub use settings::{SettingsError, TokenSettings};

use crate::core::{Identity, Now, Refusal, dev_user};
use crate::finding::Finding;
use claims::{Claims, Demands};
use issuer_keys::IssuerKeys;
use key_set::VerifyingKey;

/// Which tokens count. Secrets never show in `Debug` output.
#[derive(Clone, Default)]
pub struct Tokens {
    secret: Option<Vec<u8>>,
    issuer_keys: Option<Arc<IssuerKeys>>,
    dev: bool,
    demands: Demands,
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Tokens")
            .field("dev", &self.dev)
            .field("demands", &self.demands)
            .finish_non_exhaustive()
    }
}

/// Why a token was not made.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum MintError {
    /// There is no secret to sign with.
    #[error(
        "a token needs a secret: set REJOINDER_JWT_SECRET, or SUPABASE_JWT_SECRET to the legacy \
         secret of a Supabase project"
    )]
    NoSecret,
    /// The gateway itself would refuse the token.
    #[error("users of a Supabase project have UUIDs: --sub must be one, in lower case")]
    NotAUuid,
    /// Signing failed.
    #[error("the token could not be signed")]
    Signing,
}

impl Tokens {
    /// Accepts nothing yet.
    #[must_use]
    pub fn new() -> Self {
        // A second call finds it installed, which is as good.
        let _ = ring_provider::RING_PROVIDER.install_default();
        Self::default()
    }

    /// Accepts tokens that were signed with this secret.
    #[must_use]
    pub fn with_secret(mut self, secret: &str) -> Self {
        self.secret = Some(secret.as_bytes().to_vec());
        self
    }

    /// Accepts tokens that were signed with one of the keys published at this URL.
    ///
    /// # Errors
    ///
    /// [`KeysUrlError`]; nothing is fetched yet.
    pub fn with_issuer_keys(mut self, url: &str) -> Result<Self, KeysUrlError> {
        self.issuer_keys = Some(IssuerKeys::at(url)?);
        Ok(self)
    }

    /// Accepts `dev:alice` for the user `alice`. Never where strangers can connect.
    #[must_use]
    pub fn with_dev(mut self) -> Self {
        self.dev = true;
        self
    }

    /// Demands these claims where they are given.
    #[must_use]
    pub fn demanding(mut self, audience: Option<String>, issuer: Option<String>) -> Self {
        (self.demands.audience, self.demands.issuer) = (audience, issuer);
        self
    }

    /// Demands signed-in users of a Supabase project: role `authenticated`, and a UUID as `sub`.
    #[must_use]
    pub fn demanding_supabase_users(mut self) -> Self {
        self.demands.supabase_user = true;
        self
    }

    /// Refuses users who have not signed up (`is_anonymous`).
    #[must_use]
    pub fn refusing_anonymous(mut self) -> Self {
        self.demands.not_anonymous = true;
        self
    }

    /// Asks the issuer for its keys, if there is one, so that the first client need not wait.
    pub async fn prepare(&self, now: Now) {
        if let Some(keys) = &self.issuer_keys {
            // No key has an empty name; what counts is the asking.
            let _ = keys.find(now.monotonic, "").await;
        }
    }

    /// Asks whoever signs tokens for its keys, and says how that went.
    pub async fn check(&self) -> Finding {
        const NAME: &str = "keys of tokens";
        let Some(keys) = &self.issuer_keys else {
            let how = if self.secret.is_some() {
                "a secret"
            } else {
                "names, by --dev"
            };
            return Finding::good(NAME, how);
        };
        match keys.fetch().await {
            Ok(found) => Finding::good(NAME, format!("{} at {}", found.len(), keys.url())),
            Err(problem) => {
                let remedy = "check NEXT_PUBLIC_SUPABASE_URL or --jwks-url, and that this machine \
                              may connect there; a project that still signs with its legacy secret \
                              publishes no key: set SUPABASE_JWT_SECRET";
                Finding::bad(NAME, format!("{}: {problem}", keys.url()), remedy)
            }
        }
    }

    /// Finds out whom a token names. May wait some seconds for the issuer.
    ///
    /// # Errors
    ///
    /// [`Refusal`].
    pub async fn verify(&self, now: Now, token: &Token) -> Result<Identity, Refusal> {
        if self.dev
            && let Some(user_id) = dev_user(token)
        {
            return Ok(Identity {
                user_id,
                expires_at: None,
            });
        }
        if token.secret().len() > TOKEN_BYTES_MAX {
            return Err(Refusal::Invalid);
        }
        let header = decode_header(token.secret()).map_err(|error| refused(&error))?;
        // Whoever marks something as critical wants it understood, and we understand nothing.
        if header.crit.is_some() {
            return Err(Refusal::Invalid);
        }
        let key = self.key(now, &header).await?;
        let claims = signed_claims(token, &key).map_err(|error| refused(&error))?;
        let identity = self.demands.identity(now.wall, &claims);
        identity.map_err(|fault| {
            tracing::debug!(%fault, "refused a token");
            fault.refusal()
        })
    }

    /// Finds the key that a token must have been signed with.
    ///
    /// The header is an attacker's wish. It names a key among ours and no more: which algorithm the
    /// token is checked by is the key's affair, and keys that the header brings along or points to
    /// (`jwk`, `jku`, `x5c`, `x5u`) are not looked at. A shared secret is only ever our own, so the
    /// bytes of a public key never serve as one.
    async fn key(&self, now: Now, header: &Header) -> Result<VerifyingKey, Refusal> {
        if header.alg == Algorithm::HS256 {
            let secret = self.secret.as_deref().ok_or(Refusal::Invalid)?;
            return Ok(VerifyingKey::shared(secret));
        }
        let (Some(keys), Some(kid)) = (&self.issuer_keys, &header.kid) else {
            return Err(Refusal::Invalid);
        };
        keys.find(now.monotonic, kid).await
    }

    /// Makes a token for a user that expires at a moment, in seconds since 1970.
    ///
    /// # Errors
    ///
    /// [`MintError`].
    pub fn mint(&self, user_id: &UserId, expires_at_s: u64) -> Result<Token, MintError> {
        let secret = self.secret.as_deref().ok_or(MintError::NoSecret)?;
        let claims = self.demands.claims(user_id.as_str(), expires_at_s);
        let claims = claims.ok_or(MintError::NotAUuid)?;
        encode(
            &Header::new(Algorithm::HS256),
            &claims,
            &EncodingKey::from_secret(secret),
        )
        .map(Token::new)
        .map_err(|_| MintError::Signing)
    }
}

/// Checks the signature, by the key's algorithm. The claims are checked by [`Demands`] alone.
fn signed_claims(token: &Token, key: &VerifyingKey) -> Result<Claims, errors::Error> {
    let mut rules = Validation::new(key.algorithm);
    rules.required_spec_claims.clear();
    rules.validate_exp = false;
    rules.validate_nbf = false;
    rules.validate_aud = false;
    decode(token.secret(), &key.key, &rules).map(|data| data.claims)
}

fn refused(error: &errors::Error) -> Refusal {
    tracing::debug!(%error, "refused a token");
    Refusal::Invalid
}
