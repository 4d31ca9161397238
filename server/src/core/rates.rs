//! How much each user does, over all their connections and requests.

use std::collections::BTreeMap;

use rejoinder_protocol::UserId;

use super::config::{
    QUESTIONS_BURST, QUESTIONS_PER_SECOND, REQUESTS_BURST, REQUESTS_PER_SECOND, USER_QUESTIONS_MAX,
};
use super::{Bucket, Config, Millis};

/// Users who did nothing for a while are forgotten this often, in milliseconds.
const SWEEP_MS: u64 = 60_000;

/// What one user may do.
#[derive(Debug)]
pub(crate) struct Rate {
    /// Messages, and messages taken back.
    pub(crate) messages: Bucket,
    /// Questions to the store.
    questions: Bucket,
    /// Questions that are not answered yet, also of those who have gone since.
    asking: usize,
    /// Whatever is said: these, and what has no limit of its own.
    pub(crate) requests: Bucket,
    /// "Is writing".
    pub(crate) typing: Bucket,
}

/// Why a question is not asked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum NotAsked {
    /// Too many are not answered yet.
    Busy,
    /// Too many in too little time; the milliseconds after which one may be asked.
    Often(u64),
}

impl Rate {
    fn new(now: Millis, config: &Config) -> Self {
        let (burst, per_second) = (config.messages_burst, config.messages_per_second);
        Self {
            messages: Bucket::new(now, burst, per_second),
            questions: Bucket::new(now, QUESTIONS_BURST, QUESTIONS_PER_SECOND),
            asking: 0,
            requests: Bucket::new(
                now,
                burst.saturating_add(REQUESTS_BURST),
                per_second.saturating_add(REQUESTS_PER_SECOND),
            ),
            typing: Bucket::new(now, 5, 5),
        }
    }

    /// Begins a question.
    pub(crate) fn ask(&mut self, now: Millis) -> Result<(), NotAsked> {
        if self.asking >= USER_QUESTIONS_MAX {
            return Err(NotAsked::Busy);
        }
        self.questions.take(now).map_err(NotAsked::Often)?;
        self.asking += 1;
        Ok(())
    }

    /// Returns whether nothing more can be said of its user than of a new one.
    fn is_idle(&self, now: Millis) -> bool {
        let buckets = [
            &self.messages,
            &self.questions,
            &self.requests,
            &self.typing,
        ];
        self.asking == 0 && buckets.iter().all(|bucket| bucket.is_full(now))
    }
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
        let new = || Rate::new(now, config);
        self.users.entry(user_id.clone()).or_insert_with(new)
    }

    /// Ends a question.
    pub(crate) fn answered(&mut self, user_id: &UserId) {
        if let Some(rate) = self.users.get_mut(user_id) {
            rate.asking = rate.asking.saturating_sub(1);
        }
    }

    /// Forgets users of whom nothing more can be said than of new ones.
    pub(crate) fn sweep(&mut self, now: Millis) {
        if now.since(self.swept_at) < SWEEP_MS {
            return;
        }
        self.swept_at = now;
        self.users.retain(|_, rate| !rate.is_idle(now));
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

    #[test]
    fn questions_are_limited_at_once_and_in_time_and_what_is_asked_is_not_forgotten() {
        let config = Config::new("e1".parse().unwrap(), 1);
        let alice: UserId = "alice".parse().unwrap();
        let mut rates = Rates::default();
        let now = Millis(0);
        for _ in 0..USER_QUESTIONS_MAX {
            assert_eq!(rates.of(now, &config, &alice).ask(now), Ok(()));
        }
        let refused = rates.of(now, &config, &alice).ask(now);
        assert_eq!(refused, Err(NotAsked::Busy));
        let later = Millis(10 * SWEEP_MS);
        rates.sweep(later);
        let refused = rates.of(later, &config, &alice).ask(later);
        assert_eq!(refused, Err(NotAsked::Busy), "they still wait");
        for _ in 0..USER_QUESTIONS_MAX {
            rates.answered(&alice);
        }
        let mut asked = 0;
        let refused = loop {
            match rates.of(later, &config, &alice).ask(later) {
                Ok(()) => asked += 1,
                Err(refused) => break refused,
            }
            rates.answered(&alice);
        };
        assert_eq!((asked, refused), (QUESTIONS_BURST, NotAsked::Often(100)));
    }
}
