//! The key by which the application's back end is known.

use ring::hmac;
use ring::rand::SystemRandom;

/// Shorter keys could be guessed: 32 characters of hexadecimal are 128 bits.
const LENGTH_MIN: usize = 32;

/// The key by which the application's back end is known. Not kept, only recognised.
#[derive(Clone)]
pub struct AdminKey {
    /// Made for this process.
    seal: hmac::Key,
    sealed: hmac::Tag,
}

/// Why a key is not taken.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "the admin key needs at least {LENGTH_MIN} characters without spaces; `openssl rand -hex 32` \
     makes one"
)]
pub struct AdminKeyTooShort;

impl AdminKey {
    /// Takes a key.
    ///
    /// # Errors
    ///
    /// [`AdminKeyTooShort`]; also for characters that no header can hold.
    pub fn new(text: &str) -> Result<Self, AdminKeyTooShort> {
        let plain = text.bytes().all(|byte| byte.is_ascii_graphic());
        if text.len() < LENGTH_MIN || !plain {
            return Err(AdminKeyTooShort);
        }
        // The system always has random bytes; without them no key is better than a known seal.
        let seal = hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new());
        let seal = seal.map_err(|_| AdminKeyTooShort)?;
        let sealed = hmac::sign(&seal, text.as_bytes());
        Ok(Self { seal, sealed })
    }

    /// Returns whether this is the key. The time it takes tells nothing about the key: compared are
    /// two tags, whose bytes nobody outside can choose.
    pub(super) fn is(&self, text: &str) -> bool {
        hmac::verify(&self.seal, text.as_bytes(), self.sealed.as_ref()).is_ok()
    }
}

impl std::fmt::Debug for AdminKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("AdminKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_recognised_whole_and_shown_nowhere() {
        let text = "0123456789abcdef0123456789abcdef";
        let key = AdminKey::new(text).unwrap();
        assert!(key.is(text));
        for other in ["", &text[1..], &format!("{text}0"), &text.to_uppercase()] {
            assert!(!key.is(other), "{other}");
        }
        assert!(!format!("{key:?}").contains("0123"));
        for bad in ["", &text[1..], &text.replace('7', " "), &"ä".repeat(32)] {
            assert_eq!(AdminKey::new(bad).unwrap_err(), AdminKeyTooShort);
        }
    }
}
