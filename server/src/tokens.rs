//! Who a token names. HS256 by our own key, or plain names with `--dev`.

mod ring_provider;

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use rejoinder_protocol::{Token, UnixMillis, UserId};
use serde::{Deserialize, Serialize};

use crate::core::{Identity, Refusal, dev_user};

/// A token counts for so long after its expiry, in seconds: clocks differ.
const LEEWAY_S: u64 = 30;

#[derive(Deserialize, Serialize)]
struct Claims {
    sub: String,
    exp: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    aud: Option<serde_json::Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    iss: Option<String>,
}

/// What a token must say. Secrets never show in `Debug` output.
#[derive(Clone, Default)]
pub struct Tokens {
    secret: Option<Vec<u8>>,
    dev: bool,
    audience: Option<String>,
    issuer: Option<String>,
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = formatter.debug_struct("Tokens");
        shown
            .field("dev", &self.dev)
            .field("audience", &self.audience);
        shown.field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

/// Why a token was not made.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum MintError {
    /// There is no secret to sign with.
    #[error("a token needs a secret: set REJOINDER_JWT_SECRET or --jwt-secret")]
    NoSecret,
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

    /// Accepts `dev:alice` for the user `alice`. Never where strangers can connect.
    #[must_use]
    pub fn with_dev(mut self) -> Self {
        self.dev = true;
        self
    }

    /// Demands these claims where they are given.
    #[must_use]
    pub fn demanding(mut self, audience: Option<String>, issuer: Option<String>) -> Self {
        (self.audience, self.issuer) = (audience, issuer);
        self
    }

    /// Finds out whom a token names.
    ///
    /// # Errors
    ///
    /// [`Refusal`].
    pub fn verify(&self, token: &Token) -> Result<Identity, Refusal> {
        if self.dev
            && let Some(user_id) = dev_user(token)
        {
            return Ok(Identity {
                user_id,
                expires_at: None,
            });
        }
        let secret = self.secret.as_deref().ok_or(Refusal::Invalid)?;
        // The algorithm is that of our key. What the token's header says is an attacker's wish.
        let mut rules = Validation::new(Algorithm::HS256);
        rules.leeway = LEEWAY_S;
        rules.validate_nbf = true;
        rules.validate_aud = self.audience.is_some();
        rules.set_required_spec_claims(&["exp", "sub"]);
        if let Some(audience) = &self.audience {
            rules.set_audience(&[audience]);
            rules.set_required_spec_claims(&["exp", "sub", "aud"]);
        }
        if let Some(issuer) = &self.issuer {
            rules.set_issuer(&[issuer]);
            rules.required_spec_claims.insert("iss".to_owned());
        }
        let key = DecodingKey::from_secret(secret);
        let claims = match decode::<Claims>(token.secret(), &key, &rules) {
            Ok(data) => data.claims,
            Err(error) if matches!(error.kind(), ErrorKind::ExpiredSignature) => {
                return Err(Refusal::Expired);
            }
            Err(_) => return Err(Refusal::Invalid),
        };
        let user_id = claims.sub.parse().map_err(|_| Refusal::Invalid)?;
        let expires_at = UnixMillis::try_from(claims.exp.saturating_mul(1_000));
        Ok(Identity {
            user_id,
            expires_at: Some(expires_at.map_err(|_| Refusal::Invalid)?),
        })
    }

    /// Makes a token for a user that expires at a moment, in seconds since 1970.
    ///
    /// # Errors
    ///
    /// [`MintError`].
    pub fn mint(&self, user_id: &UserId, expires_at_s: u64) -> Result<Token, MintError> {
        let secret = self.secret.as_deref().ok_or(MintError::NoSecret)?;
        let claims = Claims {
            sub: user_id.to_string(),
            exp: expires_at_s,
            aud: self.audience.clone().map(serde_json::Value::String),
            iss: self.issuer.clone(),
        };
        encode(
            &Header::new(Algorithm::HS256),
            &claims,
            &EncodingKey::from_secret(secret),
        )
        .map(Token::new)
        .map_err(|_| MintError::Signing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now_s() -> u64 {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        since.unwrap().as_secs()
    }

    fn signed(claims: &str) -> Token {
        use ring::hmac;
        let base64 = |bytes: &[u8]| {
            const ALPHABET: &[u8; 64] =
                b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
            let mut text = String::new();
            for chunk in bytes.chunks(3) {
                let mut block = [0; 3];
                block[..chunk.len()].copy_from_slice(chunk);
                let number = u32::from_be_bytes([0, block[0], block[1], block[2]]);
                for place in 0..=chunk.len() {
                    let index = (number >> (18 - 6 * place)) & 63;
                    text.push(char::from(ALPHABET[index as usize]));
                }
            }
            text
        };
        let head = base64(br#"{"alg":"HS256","typ":"JWT"}"#);
        let body = format!("{head}.{}", base64(claims.as_bytes()));
        let tag = hmac::sign(
            &hmac::Key::new(hmac::HMAC_SHA256, b"secret"),
            body.as_bytes(),
        );
        Token::new(format!("{body}.{}", base64(tag.as_ref())))
    }

    #[test]
    fn a_minted_token_names_its_user_until_it_expires() {
        let tokens = Tokens::new().with_secret("secret");
        let alice: UserId = "alice".parse().unwrap();
        let token = tokens.mint(&alice, now_s() + 60).unwrap();
        assert_eq!(tokens.verify(&token).unwrap().user_id, alice);
        let late = tokens.mint(&alice, now_s() - 10).unwrap();
        assert!(
            tokens.verify(&late).is_ok(),
            "clocks differ by some seconds"
        );
        let later = tokens.mint(&alice, now_s() - 60).unwrap();
        assert_eq!(tokens.verify(&later), Err(Refusal::Expired));
        let other = Tokens::new().with_secret("another");
        assert_eq!(other.verify(&token), Err(Refusal::Invalid));
    }

    #[test]
    fn odd_claims_are_refused() {
        let tokens = Tokens::new().with_secret("secret");
        let exp = now_s() + 60;
        assert!(
            tokens
                .verify(&signed(&format!(r#"{{"sub":"alice","exp":{exp}}}"#)))
                .is_ok()
        );
        for odd in [
            r#"{"sub":"alice"}"#.to_owned(),
            format!(r#"{{"exp":{exp}}}"#),
            format!(r#"{{"sub":"","exp":{exp}}}"#),
            format!(r#"{{"sub":"a b","exp":{exp}}}"#),
            format!(r#"{{"sub":"alice","exp":"{exp}"}}"#),
            r#"{"sub":"alice","exp":[]}"#.to_owned(),
            r#"{"sub":"alice","exp":-1}"#.to_owned(),
            r#"{"sub":"alice","exp":1e30}"#.to_owned(),
            format!(r#"{{"sub":"alice","exp":{exp},"nbf":{}}}"#, exp + 60),
        ] {
            assert!(tokens.verify(&signed(&odd)).is_err(), "{odd}");
        }
    }

    #[test]
    fn names_are_tokens_only_with_dev() {
        let name = Token::new("dev:alice".to_owned());
        assert!(Tokens::new().with_dev().verify(&name).is_ok());
        assert_eq!(
            Tokens::new().with_secret("secret").verify(&name),
            Err(Refusal::Invalid)
        );
        let unsigned =
            Token::new("eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbGljZSIsImV4cCI6OTk5OTk5OTk5OX0.".into());
        assert_eq!(
            Tokens::new().with_secret("s").verify(&unsigned),
            Err(Refusal::Invalid)
        );
    }

    #[test]
    fn a_demanded_audience_must_be_there() {
        let demanding = |audience: &str| {
            let audience = Some(audience.to_owned());
            Tokens::new()
                .with_secret("secret")
                .demanding(audience, None)
        };
        let alice: UserId = "alice".parse().unwrap();
        let token = demanding("chat").mint(&alice, now_s() + 60).unwrap();
        assert!(demanding("chat").verify(&token).is_ok());
        assert!(demanding("other").verify(&token).is_err());
        let without = Tokens::new()
            .with_secret("secret")
            .mint(&alice, now_s() + 60)
            .unwrap();
        assert!(demanding("chat").verify(&without).is_err());
    }
}
