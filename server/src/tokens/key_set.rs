//! An issuer's public keys, from the document that it publishes. Pure.

use std::collections::{BTreeMap, BTreeSet};

use jsonwebtoken::{Algorithm, DecodingKey, DecodingKeyKind};
use serde::Deserialize;
use serde_json::Value;

/// Keys of one issuer; real ones publish one to five.
const KEYS_MAX: usize = 64;
/// A key's name, in bytes; real ones have 36 or 43.
pub(super) const KEY_ID_BYTES_MAX: usize = 256;
/// RSA keys below 2048 bit are too weak; above 8192 ring refuses them, for their cost.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;
/// A point of P-256: one byte of format, and two coordinates of 32.
const P256_POINT_BYTES: usize = 65;

/// A key, and the one algorithm it is for.
#[derive(Clone)]
pub(super) struct VerifyingKey {
    pub(super) algorithm: Algorithm,
    pub(super) key: DecodingKey,
}

impl VerifyingKey {
    /// The secret that we share with the issuer.
    pub(super) fn shared(secret: &[u8]) -> Self {
        Self {
            algorithm: Algorithm::HS256,
            key: DecodingKey::from_secret(secret),
        }
    }
}

/// Keys by their names.
#[derive(Clone, Default)]
pub(super) struct KeySet(BTreeMap<String, VerifyingKey>);

/// Why a document holds no keys that we can use.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(super) enum KeySetError {
    #[error("the answer is not a key set ({{\"keys\":[..]}})")]
    NotAKeySet,
    #[error(
        "the key set holds no ES256 or RS256 key; a Supabase project that still signs with its \
         legacy secret needs SUPABASE_JWT_SECRET"
    )]
    NoKeys,
    #[error("the key set holds more than {KEYS_MAX} keys")]
    TooMany,
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<Value>,
}

/// RFC 7517, as far as we look. A shared key (`oct`) has no place in a public document, so it has
/// none here.
#[derive(Deserialize)]
struct Jwk {
    kid: String,
    kty: String,
    #[serde(default)]
    alg: Option<String>,
    #[serde(default, rename = "use")]
    purpose: Option<String>,
    #[serde(default)]
    key_ops: Option<Vec<String>>,
    #[serde(default)]
    crv: Option<String>,
    #[serde(default)]
    x: Option<String>,
    #[serde(default)]
    y: Option<String>,
    #[serde(default)]
    n: Option<String>,
    #[serde(default)]
    e: Option<String>,
}

impl KeySet {
    /// Reads the document. Keys of other kinds, malformed and weak ones are skipped: they must not
    /// cost the good ones. A name that two keys bear says nothing, so neither is taken.
    pub(super) fn parse(document: &[u8]) -> Result<Self, KeySetError> {
        let document: Document =
            serde_json::from_slice(document).map_err(|_| KeySetError::NotAKeySet)?;
        let (mut keys, mut ambiguous) = (BTreeMap::new(), BTreeSet::new());
        for value in document.keys {
            let Ok(jwk) = serde_json::from_value::<Jwk>(value) else {
                continue;
            };
            let kid = jwk.kid.clone();
            let Some(key) = jwk.key() else { continue };
            if keys.insert(kid.clone(), key).is_some() {
                ambiguous.insert(kid);
            }
            if keys.len() > KEYS_MAX {
                return Err(KeySetError::TooMany);
            }
        }
        keys.retain(|kid, _| !ambiguous.contains(kid));
        if keys.is_empty() {
            return Err(KeySetError::NoKeys);
        }
        Ok(Self(keys))
    }

    pub(super) fn get(&self, kid: &str) -> Option<&VerifyingKey> {
        self.0.get(kid)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

impl Jwk {
    /// Returns the key, if it is one for checking signatures by an algorithm of ours.
    fn key(&self) -> Option<VerifyingKey> {
        let signs = self.purpose.as_deref().is_none_or(|one| one == "sig");
        let operations = self.key_ops.as_ref();
        let verifies = operations.is_none_or(|all| all.iter().any(|one| one == "verify"));
        let named = (1..=KEY_ID_BYTES_MAX).contains(&self.kid.len());
        if !(signs && verifies && named) {
            return None;
        }
        let may_be = |name: &str| self.alg.as_deref().is_none_or(|alg| alg == name);
        match (self.kty.as_str(), self.crv.as_deref()) {
            ("EC", Some("P-256")) if may_be("ES256") => self.p256(),
            ("RSA", None) if may_be("RS256") => self.rsa(),
            _ => None,
        }
    }

    fn p256(&self) -> Option<VerifyingKey> {
        let key = DecodingKey::from_ec_components(self.x.as_deref()?, self.y.as_deref()?).ok()?;
        let point = key.try_get_as_bytes().ok()?;
        (point.len() == P256_POINT_BYTES).then_some(VerifyingKey {
            algorithm: Algorithm::ES256,
            key,
        })
    }

    fn rsa(&self) -> Option<VerifyingKey> {
        let key = DecodingKey::from_rsa_components(self.n.as_deref()?, self.e.as_deref()?).ok()?;
        let DecodingKeyKind::RsaModulusExponent { n, .. } = key.kind() else {
            return None;
        };
        // Counted from the first bit that is set: zeros in front would make a short one look long.
        let unset = n.first().filter(|first| **first != 0)?.leading_zeros();
        let bits = (n.len() * 8).checked_sub(usize::try_from(unset).ok()?)?;
        RSA_BITS.contains(&bits).then_some(VerifyingKey {
            algorithm: Algorithm::RS256,
            key,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// 32 bytes, and 2048 bits of which the first is set. Nothing here looks at the curve.
    const COORDINATE: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";

    fn modulus(bytes: usize) -> String {
        // `_` is 111111, `A` is 000000.
        format!("_{}", "A".repeat((bytes * 8).div_ceil(6) - 1))
    }

    fn ec(kid: &str) -> Value {
        json!({"kid": kid, "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig",
            "x": COORDINATE, "y": COORDINATE})
    }

    fn rsa(kid: &str) -> Value {
        json!({"kid": kid, "kty": "RSA", "alg": "RS256", "n": modulus(256), "e": "AQAB"})
    }

    fn with(mut key: Value, field: &str, value: Value) -> Value {
        key[field] = value;
        key
    }

    fn parse(keys: &[Value]) -> Result<Vec<String>, KeySetError> {
        let document = json!({ "keys": keys }).to_string();
        KeySet::parse(document.as_bytes()).map(|set| set.0.into_keys().collect())
    }

    #[test]
    fn the_algorithm_is_that_of_the_key() {
        let document = json!({"keys": [ec("a"), rsa("b")], "more": 1}).to_string();
        let set = KeySet::parse(document.as_bytes()).unwrap();
        assert_eq!(set.get("a").unwrap().algorithm, Algorithm::ES256);
        assert_eq!(set.get("b").unwrap().algorithm, Algorithm::RS256);
        assert!(set.get("c").is_none());
        let unnamed = with(ec("a"), "alg", Value::Null);
        assert_eq!(parse(&[unnamed]), Ok(vec!["a".to_owned()]));
        let told = with(ec("a"), "key_ops", json!(["verify"]));
        assert_eq!(parse(&[told]), Ok(vec!["a".to_owned()]));
    }

    #[test]
    fn other_malformed_and_weak_keys_are_skipped_and_cost_no_other() {
        for odd in [
            json!({"kid": "x", "kty": "oct", "alg": "HS256", "k": "c2VjcmV0"}),
            json!({"kid": "x", "kty": "OKP", "crv": "Ed25519", "x": COORDINATE}),
            json!({"kid": "x"}),
            json!("x"),
            json!(null),
            with(ec("x"), "kid", json!(7)),
            with(ec("x"), "kid", json!("")),
            with(ec("x"), "kid", json!("x".repeat(257))),
            with(ec("x"), "kty", json!("RSA")),
            with(ec("x"), "crv", json!("P-384")),
            with(ec("x"), "alg", json!("RS256")),
            with(ec("x"), "alg", json!("HS256")),
            with(ec("x"), "use", json!("enc")),
            with(ec("x"), "key_ops", json!(["encrypt"])),
            with(ec("x"), "x", json!("AAEC")),
            with(ec("x"), "y", json!("not base64!")),
            with(ec("x"), "y", Value::Null),
            with(rsa("x"), "alg", json!("PS256")),
            with(rsa("x"), "alg", json!("ES256")),
            with(rsa("x"), "n", json!(modulus(255))),
            with(rsa("x"), "n", json!(modulus(1025))),
            with(rsa("x"), "n", json!(modulus(256).replace('_', "A"))),
            with(rsa("x"), "n", json!("")),
            with(rsa("x"), "e", Value::Null),
        ] {
            let found = parse(&[odd.clone(), ec("good")]);
            assert_eq!(found, Ok(vec!["good".to_owned()]), "{odd:.120}");
        }
    }

    #[test]
    fn a_name_that_two_keys_bear_is_taken_from_neither() {
        let found = parse(&[ec("a"), rsa("a"), ec("b")]);
        assert_eq!(found, Ok(vec!["b".to_owned()]));
        assert_eq!(parse(&[ec("a"), ec("a")]), Err(KeySetError::NoKeys));
    }

    #[test]
    fn what_is_not_a_key_set_is_told() {
        for text in ["", "<html>", "[]", "{}", r#"{"keys":7}"#, "\u{0}", "null"] {
            let found = KeySet::parse(text.as_bytes()).map(|set| set.len());
            assert_eq!(found, Err(KeySetError::NotAKeySet), "{text}");
        }
        assert_eq!(parse(&[]), Err(KeySetError::NoKeys));
        let deep = "[".repeat(200_000);
        assert!(KeySet::parse(deep.as_bytes()).is_err());
        let many = |count: usize| -> Vec<Value> {
            let names = (0..count).map(|number| ec(&number.to_string()));
            names.collect()
        };
        assert!(parse(&many(KEYS_MAX)).is_ok());
        assert_eq!(parse(&many(KEYS_MAX + 1)), Err(KeySetError::TooMany));
    }
}
