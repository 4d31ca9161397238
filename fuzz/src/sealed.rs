//! Texts signed as a token, whatever they say.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::{Value, json};

/// What signs.
pub(crate) enum Seal<'a> {
    Pair(&'a EcdsaKeyPair),
    Secret(&'a hmac::Key),
}

pub(crate) fn base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Signs a header and claims.
pub(crate) fn sealed(seal: &Seal<'_>, header: &str, claims: &str) -> String {
    let message = format!("{}.{}", base64url(header), base64url(claims));
    let signature = match seal {
        Seal::Pair(pair) => {
            let signature = pair.sign(&SystemRandom::new(), message.as_bytes());
            base64url(signature.expect("ring signs"))
        }
        Seal::Secret(key) => base64url(hmac::sign(key, message.as_bytes())),
    };
    format!("{message}.{signature}")
}

/// A new key pair, and its public half as an issuer publishes it.
pub(crate) fn pair(kid: &str) -> (EcdsaKeyPair, Value) {
    let (random, algorithm) = (SystemRandom::new(), &ECDSA_P256_SHA256_FIXED_SIGNING);
    let document = EcdsaKeyPair::generate_pkcs8(algorithm, &random).expect("ring makes keys");
    let pair = EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref(), &random);
    let pair = pair.expect("ring reads its own keys");
    let point = pair.public_key().as_ref();
    let (x, y) = (base64url(&point[1..33]), base64url(&point[33..]));
    let jwk = json!({"kid": kid, "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig",
        "x": x, "y": y});
    (pair, jwk)
}
