//! How much each user does, over all their connections and requests.

use std::collections::BTreeMap;

use rejoinder_protocol::UserId;

use super::{Bucket, Config, Millis};

/// Users who did nothing for a while are forgotten this often, in milliseconds.
const SWEEP_MS: u64 = 60_000;

/// What one user may do.
#[derive(Debug)]
pub(crate) struct Rate {
    /// Messages, and messages taken back.
    pub(crate) messages: Bucket,
    /// "Is writing".
    pub(crate) typing: Bucket,
}

/// What each user did lately.
#[derive(Debug, Default)]
pub(crate) struct Rates {
    users: BTreeMap<UserId, Rate>,
    swept_at: Millis,
}

impl Rates {
    /// Returns a user's.
    pub(crate) fn of(&mut self, now: Millis, config: &Config, user_id: &UserId) -> &mut Rate {
        self.users.entry(user_id.clone()).or_insert_with(|| Rate {
            messages: Bucket::new(now, config.messages_burst, config.messages_per_second),
            typing: Bucket::new(now, 5, 5),
        })
    }

    /// Forgets users of whom nothing more can be said than of new ones.
    pub(crate) fn sweep(&mut self, now: Millis) {
        if now.since(self.swept_at) < SWEEP_MS {
            return;
        }
        self.swept_at = now;
        self.users.retain(|_, rate| {
            let Rate { messages, typing } = rate;
            !(messages.is_full(now) && typing.is_full(now))
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_does_nothing_is_forgotten_and_who_does_much_is_not() {
        let config = Config::new("e1".parse().unwrap(), 1);
        let (alice, bob): (UserId, UserId) = ("alice".parse().unwrap(), "bob".parse().unwrap());
        let mut rates = Rates::default();
        rates
            .of(Millis(0), &config, &alice)
            .messages
            .take(Millis(0))
            .unwrap();
        let busy = Millis(SWEEP_MS - 1);
        while rates.of(busy, &config, &bob).messages.take(busy).is_ok() {}
        rates.sweep(busy);
        assert_eq!(rates.users.len(), 2, "not yet");
        rates.sweep(Millis(SWEEP_MS));
        assert_eq!(rates.users.keys().collect::<Vec<_>>(), [&bob]);
        let wait = rates
            .of(Millis(SWEEP_MS), &config, &bob)
            .messages
            .take(Millis(SWEEP_MS));
        assert!(wait.is_err(), "being swept gives nothing back");
    }
}
