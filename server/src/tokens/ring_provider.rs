//! The three signature algorithms we accept, over ring. Every other is refused by having no code.

use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey, DecodingKeyKind, EncodingKey};
use ring::{hmac, signature as asymmetric};
use signature::{Signer, Verifier};

/// An algorithm that we accept.
#[derive(Clone, Copy)]
enum Accepted {
    Es256,
    Hs256,
    Rs256,
}

impl Accepted {
    /// Returns the algorithm if it is one of ours and the key is made for it.
    fn of(algorithm: Algorithm, family: AlgorithmFamily) -> Result<Self, Error> {
        let (accepted, its_family) = if algorithm == Algorithm::HS256 {
            (Self::Hs256, AlgorithmFamily::Hmac)
        } else if algorithm == Algorithm::ES256 {
            (Self::Es256, AlgorithmFamily::Ec)
        } else if algorithm == Algorithm::RS256 {
            (Self::Rs256, AlgorithmFamily::Rsa)
        } else {
            return Err(ErrorKind::UnsupportedAlgorithm.into());
        };
        if its_family == family {
            Ok(accepted)
        } else {
            Err(ErrorKind::InvalidKeyFormat.into())
        }
    }
}

struct RingVerifier(Accepted, DecodingKey);

impl Verifier<Vec<u8>> for RingVerifier {
    fn verify(&self, message: &[u8], proof: &Vec<u8>) -> Result<(), signature::Error> {
        let result = match (self.0, self.1.kind()) {
            (Accepted::Hs256, DecodingKeyKind::SecretOrDer(secret)) => {
                hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, secret), message, proof)
            }
            (Accepted::Es256, DecodingKeyKind::SecretOrDer(point)) => {
                let key =
                    asymmetric::UnparsedPublicKey::new(&asymmetric::ECDSA_P256_SHA256_FIXED, point);
                key.verify(message, proof)
            }
            (Accepted::Rs256, DecodingKeyKind::RsaModulusExponent { n, e }) => {
                let key = asymmetric::RsaPublicKeyComponents { n, e };
                key.verify(&asymmetric::RSA_PKCS1_2048_8192_SHA256, message, proof)
            }
            (Accepted::Rs256, DecodingKeyKind::SecretOrDer(_))
            | (Accepted::Es256 | Accepted::Hs256, DecodingKeyKind::RsaModulusExponent { .. }) => {
                Err(ring::error::Unspecified)
            }
        };
        result.map_err(|_| signature::Error::new())
    }
}

impl JwtVerifier for RingVerifier {
    fn algorithm(&self) -> Algorithm {
        match self.0 {
            Accepted::Es256 => Algorithm::ES256,
            Accepted::Hs256 => Algorithm::HS256,
            Accepted::Rs256 => Algorithm::RS256,
        }
    }
}

/// Signs with the secret. Other keys are the issuer's, and we never hold their private halves.
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

pub(super) static RING_PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: |algorithm, key| match Accepted::of(*algorithm, key.family())? {
        Accepted::Hs256 => Ok(Box::new(Hs256Signer(key.clone()))),
        Accepted::Es256 | Accepted::Rs256 => Err(ErrorKind::UnsupportedAlgorithm.into()),
    },
    verifier_factory: |algorithm, key| {
        let accepted = Accepted::of(*algorithm, key.family())?;
        Ok(Box::new(RingVerifier(accepted, key.clone())))
    },
    key_utils: KeyUtils::new_unimplemented(),
};
