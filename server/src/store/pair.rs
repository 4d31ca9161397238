//! How a thread of two gets its id where the application brings none.

use rejoinder_protocol::{ThreadId, UserId};
use ring::digest::{SHA256, digest};

/// Returns the id of a pair's thread: `dm.` and 52 characters of lower-case base32 over the SHA-256
/// of the sorted user ids, each preceded by its length as a big-endian `u32`.
///
/// The lengths keep `("ab", "c")` and `("a", "bc")` apart. Either order gives the same id, so
/// creating a thread is idempotent.
#[must_use]
pub fn derived_thread_id(one: &UserId, other: &UserId) -> Option<ThreadId> {
    let mut pair = [one.as_str(), other.as_str()];
    pair.sort_unstable();
    let mut bytes = Vec::with_capacity(2 * (4 + 128));
    for id in pair {
        bytes.extend_from_slice(&u32::try_from(id.len()).ok()?.to_be_bytes());
        bytes.extend_from_slice(id.as_bytes());
    }
    let text = base32(digest(&SHA256, &bytes).as_ref());
    format!("dm.{text}").parse().ok()
}

/// Returns the two users that a `--dev` thread id such as `alice|bob` names, sorted and distinct.
#[must_use]
pub fn dev_pair(thread_id: &ThreadId) -> Option<[UserId; 2]> {
    let (first, second) = thread_id.as_str().split_once('|')?;
    if second.contains('|') || first >= second {
        return None;
    }
    Some([first.parse().ok()?, second.parse().ok()?])
}

/// RFC 4648, lower case, without padding.
fn base32(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let mut text = String::with_capacity(bytes.len().div_ceil(5) * 8);
    let (mut held, mut bits) = (0_u32, 0);
    let mut push = |value: u32| {
        if let Some(letter) = ALPHABET.get((value & 31) as usize) {
            text.push(char::from(*letter));
        }
    };
    for byte in bytes {
        held = (held << 8) | u32::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            push(held >> bits);
        }
        held &= (1 << bits) - 1;
    }
    if bits > 0 {
        push(held << (5 - bits));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(id: &str) -> UserId {
        id.parse().unwrap()
    }

    #[test]
    fn base32_is_that_of_the_rfc() {
        for (plain, coded) in [
            ("", ""),
            ("f", "my"),
            ("fo", "mzxq"),
            ("foobar", "mzxw6ytboi"),
        ] {
            assert_eq!(base32(plain.as_bytes()), coded);
        }
    }

    #[test]
    fn a_pair_has_one_id_in_either_order_and_shares_it_with_nobody() {
        let id = derived_thread_id(&user("bob"), &user("alice")).unwrap();
        assert_eq!(
            derived_thread_id(&user("alice"), &user("bob")),
            Some(id.clone())
        );
        // Computed with another program.
        let known = "dm.rbfekiks2o7qjdgakhpy64ek747yksr5wcdw6tu7ikpp7i5atitq";
        assert_eq!(id.as_str(), known);
        assert_ne!(
            derived_thread_id(&user("ab"), &user("c")),
            derived_thread_id(&user("a"), &user("bc"))
        );
    }

    #[test]
    fn a_dev_id_names_two_sorted_people() {
        let pair = |id: &str| dev_pair(&id.parse().unwrap());
        assert_eq!(pair("alice|bob"), Some([user("alice"), user("bob")]));
        for not in [
            "bob|alice",
            "alice|alice",
            "alice",
            "a|b|c",
            "|bob",
            "alice|",
        ] {
            assert_eq!(pair(not), None, "{not}");
        }
    }
}
