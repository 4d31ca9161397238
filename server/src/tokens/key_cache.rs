//! When an issuer's keys are asked for, and how long they count. Pure: the time is an argument.
//!
//! Everybody's tokens hang on these keys and anybody may name a key that does not exist. So an issuer
//! that is away must not lock everybody out, one that withdraws a key must be heard within minutes,
//! and strangers must not make us ask it more than twice a minute.

use std::collections::VecDeque;

use super::key_set::{KEY_ID_BYTES_MAX, KeySet, VerifyingKey};
use crate::core::Millis;

/// Keys are asked for again after so long, in milliseconds: a withdrawn key counts no longer than
/// this, beside what caches before the issuer add (Supabase: ten minutes more).
const FRESH_MS: u64 = 10 * 60 * 1000;
/// Keys of an issuer that does not answer count so long, in milliseconds; then nobody is let in.
const STALE_MS: u64 = 60 * 60 * 1000;
/// An issuer is asked again after so long at the earliest, in milliseconds, whoever wants what.
const PAUSE_MS: u64 = 30 * 1000;
/// The same without any key that counts, in milliseconds: nobody can come in until it answers.
const PAUSE_WITHOUT_KEYS_MS: u64 = 5 * 1000;
/// For a name that it did not know the issuer is asked again after so long, in milliseconds …
const ABSENT_MS: u64 = 60 * 1000;
/// … for so many names; the oldest makes place.
const ABSENT_MAX: usize = 64;
/// Whoever asks must have an answer after so long, in milliseconds, or has died.
const ASKING_MS_MAX: u64 = 15 * 1000;

/// What to do for a token that names a key.
pub(super) enum LookUp {
    /// Check it with this.
    Found(VerifyingKey),
    /// The issuer has no such key.
    Unknown,
    /// Nobody can say, and the issuer was asked just now.
    Unavailable,
    /// The issuer is being asked: look up again afterwards.
    Wait {
        /// Whether it must be asked by you, and [`KeyCache::answered`] be called.
        ask: bool,
        /// What counts if it takes too long.
        meanwhile: Option<VerifyingKey>,
    },
}

/// The keys of one issuer as we know them.
#[derive(Default)]
pub(super) struct KeyCache {
    keys: KeySet,
    /// When the issuer was asked for the keys above; absent: never with success.
    keys_of: Option<Millis>,
    asked_at: Option<Millis>,
    asking: bool,
    /// Whether the last answer was not a key set.
    failed: bool,
    /// Names that the issuer was asked for, and when.
    absent: VecDeque<(String, Millis)>,
}

impl KeyCache {
    /// Finds the key of a name.
    pub(super) fn look_up(&mut self, now: Millis, kid: &str) -> LookUp {
        if kid.len() > KEY_ID_BYTES_MAX {
            return LookUp::Unknown;
        }
        let key = if self.count(now, STALE_MS) {
            self.keys.get(kid).cloned()
        } else {
            None
        };
        match key {
            Some(key) if self.count(now, FRESH_MS) => LookUp::Found(key),
            key if self.is_asking(now) => LookUp::Wait {
                ask: false,
                meanwhile: key,
            },
            Some(key) if !self.may_ask(now) => LookUp::Found(key),
            None if !self.count(now, FRESH_MS) || self.failed => self.ask_or(now, kid, None),
            None if self.was_absent(now, kid) || !self.may_ask(now) => LookUp::Unknown,
            key => self.ask_or(now, kid, key),
        }
    }

    /// Asks, or says that nobody can say.
    fn ask_or(&mut self, now: Millis, kid: &str, meanwhile: Option<VerifyingKey>) -> LookUp {
        if !self.may_ask(now) {
            return LookUp::Unavailable;
        }
        self.asking = true;
        self.asked_at = Some(now);
        if meanwhile.is_none() {
            if self.absent.len() >= ABSENT_MAX {
                self.absent.pop_front();
            }
            self.absent.push_back((kid.to_owned(), now));
        }
        LookUp::Wait {
            ask: true,
            meanwhile,
        }
    }

    /// Takes the issuer's answer; `None`: it gave none that makes sense.
    pub(super) fn answered(&mut self, keys: Option<KeySet>) {
        self.asking = false;
        self.failed = keys.is_none();
        if let Some(keys) = keys {
            self.keys = keys;
            // Not when it came: a key that was withdrawn meanwhile must not count longer.
            self.keys_of = self.asked_at;
        }
    }

    /// Returns whether the keys were asked for within this time.
    fn count(&self, now: Millis, within_ms: u64) -> bool {
        self.keys_of.is_some_and(|at| now.since(at) < within_ms)
    }

    fn is_asking(&self, now: Millis) -> bool {
        self.asking
            && self
                .asked_at
                .is_some_and(|at| now.since(at) < ASKING_MS_MAX)
    }

    fn may_ask(&self, now: Millis) -> bool {
        let pause_ms = if self.count(now, STALE_MS) {
            PAUSE_MS
        } else {
            PAUSE_WITHOUT_KEYS_MS
        };
        self.asked_at.is_none_or(|at| now.since(at) >= pause_ms)
    }

    fn was_absent(&self, now: Millis, kid: &str) -> bool {
        let mut names = self.absent.iter();
        names.any(|(name, at)| name == kid && now.since(*at) < ABSENT_MS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: u64 = 60_000;

    fn set(kids: &[&str]) -> KeySet {
        let coordinate = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
        let keys: Vec<_> = kids
            .iter()
            .map(|kid| {
                serde_json::json!({"kid": kid, "kty": "EC", "crv": "P-256",
                    "x": coordinate, "y": coordinate})
            })
            .collect();
        let document = serde_json::json!({ "keys": keys }).to_string();
        KeySet::parse(document.as_bytes()).unwrap()
    }

    /// What came of a look-up, in a word.
    fn look_up(cache: &mut KeyCache, at: u64, kid: &str) -> &'static str {
        match cache.look_up(Millis(at), kid) {
            LookUp::Found(_) => "found",
            LookUp::Unknown => "unknown",
            LookUp::Unavailable => "unavailable",
            LookUp::Wait { ask: true, .. } => "ask",
            LookUp::Wait { ask: false, .. } => "wait",
        }
    }

    /// Asked at 0 with success.
    fn holding(kids: &[&str]) -> KeyCache {
        let mut cache = KeyCache::default();
        assert_eq!(look_up(&mut cache, 0, "k1"), "ask");
        cache.answered(Some(set(kids)));
        cache
    }

    #[test]
    fn one_asks_and_all_others_wait_for_the_same_answer() {
        let mut cache = KeyCache::default();
        assert_eq!(look_up(&mut cache, 0, "k1"), "ask");
        for kid in ["k1", "k2", "k3"] {
            assert_eq!(look_up(&mut cache, 1, kid), "wait");
        }
        cache.answered(Some(set(&["k1", "k2"])));
        // Whoever waited has a clock that stands where they began.
        assert_eq!(look_up(&mut cache, 0, "k1"), "found");
        assert_eq!(look_up(&mut cache, 1, "k2"), "found");
        assert_eq!(look_up(&mut cache, 1, "k3"), "unknown");
    }

    #[test]
    fn keys_are_fresh_for_ten_minutes_and_then_asked_for_again() {
        let mut cache = holding(&["k1"]);
        assert_eq!(look_up(&mut cache, FRESH_MS - 1, "k1"), "found");
        assert_eq!(look_up(&mut cache, FRESH_MS, "k1"), "ask");
        assert_eq!(look_up(&mut cache, FRESH_MS, "k1"), "wait");
        cache.answered(Some(set(&["k2"])));
        assert_eq!(look_up(&mut cache, FRESH_MS + 1, "k1"), "unknown");
        assert_eq!(look_up(&mut cache, FRESH_MS + 1, "k2"), "found");
    }

    #[test]
    fn an_issuer_that_is_away_locks_nobody_out_for_an_hour_and_then_everybody() {
        let mut cache = holding(&["k1"]);
        let mut asked = 0;
        for at in (FRESH_MS..STALE_MS).step_by(1_000) {
            match look_up(&mut cache, at, "k1") {
                "found" => {}
                "ask" => {
                    asked += 1;
                    cache.answered(None);
                    assert_eq!(look_up(&mut cache, at, "k1"), "found");
                }
                other => panic!("{other} at {at}"),
            }
            // It may be a new key; nobody can say.
            assert_eq!(look_up(&mut cache, at, "k2"), "unavailable");
        }
        assert_eq!(asked, 100, "twice a minute");
        assert_eq!(look_up(&mut cache, STALE_MS + MINUTE, "k1"), "ask");
        cache.answered(None);
        assert_eq!(look_up(&mut cache, STALE_MS + MINUTE, "k1"), "unavailable");
        let soon = STALE_MS + MINUTE + PAUSE_WITHOUT_KEYS_MS;
        assert_eq!(look_up(&mut cache, soon, "k1"), "ask");
        cache.answered(Some(set(&["k1"])));
        assert_eq!(look_up(&mut cache, soon, "k1"), "found");
    }

    #[test]
    fn a_name_that_nobody_knows_is_asked_for_once_and_a_thousand_of_them_hardly_more() {
        let mut cache = holding(&["k1"]);
        let mut asked = 0;
        for number in 0..1_000_u64 {
            let at = PAUSE_MS + number * 60;
            match look_up(&mut cache, at, &format!("unknown {number}")) {
                "unknown" => {}
                "ask" => {
                    asked += 1;
                    cache.answered(Some(set(&["k1"])));
                }
                other => panic!("{other} at {at}"),
            }
        }
        assert_eq!(asked, 2, "in a minute");
        assert!(cache.absent.len() <= ABSENT_MAX);
        assert_eq!(look_up(&mut cache, MINUTE, &"x".repeat(257)), "unknown");
    }

    #[test]
    fn the_same_unknown_name_is_asked_for_once_a_minute() {
        let mut cache = holding(&["k1"]);
        assert_eq!(look_up(&mut cache, MINUTE, "gone"), "ask");
        cache.answered(Some(set(&["k1"])));
        let at = |seconds: u64| MINUTE + seconds * 1_000;
        assert_eq!(look_up(&mut cache, at(59), "gone"), "unknown");
        assert_eq!(look_up(&mut cache, at(59), "k1"), "found");
        assert_eq!(look_up(&mut cache, at(60), "gone"), "ask");
        for number in 0..ABSENT_MAX as u64 + 5 {
            cache.answered(Some(set(&["k1"])));
            let at = at(60) + (number + 1) * PAUSE_MS;
            if look_up(&mut cache, at, "k1") == "ask" {
                cache.answered(Some(set(&["k1"])));
            }
            look_up(&mut cache, at + PAUSE_MS, &format!("other {number}"));
            assert!(cache.absent.len() <= ABSENT_MAX);
        }
    }

    #[test]
    fn a_key_that_appears_is_found_at_once_if_the_issuer_was_not_asked_just_now() {
        let mut cache = holding(&["k1"]);
        assert_eq!(look_up(&mut cache, PAUSE_MS - 1, "k2"), "unknown");
        assert_eq!(look_up(&mut cache, PAUSE_MS, "k2"), "ask");
        // Meanwhile the old key goes on without waiting.
        assert_eq!(look_up(&mut cache, PAUSE_MS, "k1"), "found");
        cache.answered(Some(set(&["k1", "k2"])));
        assert_eq!(look_up(&mut cache, PAUSE_MS, "k2"), "found");
    }

    #[test]
    fn an_unknown_name_is_not_called_unknown_by_an_answer_that_failed() {
        let mut cache = holding(&["k1"]);
        assert_eq!(look_up(&mut cache, PAUSE_MS, "k2"), "ask");
        cache.answered(None);
        assert_eq!(look_up(&mut cache, PAUSE_MS, "k2"), "unavailable");
        assert_eq!(look_up(&mut cache, PAUSE_MS, "k1"), "found");
        assert_eq!(look_up(&mut cache, 2 * PAUSE_MS, "k2"), "ask");
    }

    #[test]
    fn who_asked_and_died_does_not_stop_the_others_for_ever() {
        let mut cache = KeyCache::default();
        assert_eq!(look_up(&mut cache, 0, "k1"), "ask");
        assert_eq!(look_up(&mut cache, ASKING_MS_MAX - 1, "k1"), "wait");
        assert_eq!(look_up(&mut cache, ASKING_MS_MAX, "k1"), "ask");
    }
}
