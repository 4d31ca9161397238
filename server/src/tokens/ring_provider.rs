//! The one signature algorithm we accept, over ring. Everything else is refused by having no code.

use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey, DecodingKeyKind, EncodingKey};
use ring::hmac;
use signature::{Signer, Verifier};

struct Hs256Verifier(DecodingKey);

impl Verifier<Vec<u8>> for Hs256Verifier {
    fn verify(&self, message: &[u8], tag: &Vec<u8>) -> Result<(), signature::Error> {
        let DecodingKeyKind::SecretOrDer(secret) = self.0.kind() else {
            return Err(signature::Error::new());
        };
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
        hmac::verify(&key, message, tag).map_err(|_| signature::Error::new())
    }
}

impl JwtVerifier for Hs256Verifier {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

struct Hs256Signer(EncodingKey);

impl Signer<Vec<u8>> for Hs256Signer {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, signature::Error> {
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.0.as_bytes());
        Ok(hmac::sign(&key, message).as_ref().to_vec())
    }
}

impl JwtSigner for Hs256Signer {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

fn is_ours(algorithm: &Algorithm, family: AlgorithmFamily) -> bool {
    *algorithm == Algorithm::HS256 && family == AlgorithmFamily::Hmac
}

pub(super) static RING_PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: |algorithm, key| {
        if is_ours(algorithm, key.family()) {
            Ok(Box::new(Hs256Signer(key.clone())))
        } else {
            Err(Error::from(ErrorKind::InvalidKeyFormat))
        }
    },
    verifier_factory: |algorithm, key| {
        if is_ours(algorithm, key.family()) {
            Ok(Box::new(Hs256Verifier(key.clone())))
        } else {
            Err(Error::from(ErrorKind::InvalidKeyFormat))
        }
    },
    key_utils: KeyUtils::new_unimplemented(),
};
