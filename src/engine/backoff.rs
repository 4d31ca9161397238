//! How long to wait before the next attempt.

use fastrand::Rng;

/// Growing, random delays between attempts.
///
/// Full jitter: a delay is uniform between the floor and a ceiling that doubles. A gateway that
/// restarts drops all its clients in one second and must not meet them again in one second.
#[derive(Clone, Debug)]
pub(crate) struct Backoff {
    rng: Rng,
    failures: u32,
}

impl Backoff {
    /// No delay is shorter, in milliseconds: whatever fails at once must not become a busy loop.
    pub(crate) const FLOOR_MS: u64 = 100;
    /// The first ceiling, in milliseconds.
    pub(crate) const FIRST_CEILING_MS: u64 = 2_000;
    /// The last ceiling, in milliseconds.
    pub(crate) const LAST_CEILING_MS: u64 = 30_000;

    pub(crate) fn new(seed: u64) -> Self {
        Self {
            rng: Rng::with_seed(seed),
            failures: 0,
        }
    }

    /// Returns the delay before the next attempt, in milliseconds, and counts a failure.
    ///
    /// Uniform in 100 ms..=ceiling; the ceiling is 2 s, then doubles up to 30 s. A delay that the
    /// gateway asked for is never undercut: ours is then added to it.
    pub(crate) fn next_delay_ms(&mut self, retry_after_ms: Option<u64>) -> u64 {
        let failures = self.failures;
        self.failures = failures.saturating_add(1);
        self.delay_ms(failures, retry_after_ms)
    }

    /// Returns the delay after so many failures that are counted elsewhere, in milliseconds.
    pub(crate) fn delay_ms(&mut self, failures: u32, retry_after_ms: Option<u64>) -> u64 {
        let doubled = Self::FIRST_CEILING_MS.saturating_mul(1 << failures.min(10));
        let ceiling = doubled.min(Self::LAST_CEILING_MS);
        match retry_after_ms {
            // The gateway already spread its clients; a little of our own keeps ties apart.
            Some(floor) => floor.saturating_add(self.rng.u64(0..=Self::FLOOR_MS)),
            None => self.rng.u64(Self::FLOOR_MS..=ceiling),
        }
    }

    /// Returns a random part of a delay, up to and with `max_ms`.
    pub(crate) fn jitter_ms(&mut self, max_ms: u64) -> u64 {
        self.rng.u64(0..=max_ms)
    }

    /// Forgets the failures, after a connection that was stable.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_stay_between_floor_and_a_doubling_ceiling() {
        for seed in 0..200 {
            let mut backoff = Backoff::new(seed);
            for ceiling in [2_000, 4_000, 8_000, 16_000, 30_000, 30_000] {
                let delay = backoff.next_delay_ms(None);
                assert!((100..=ceiling).contains(&delay), "{delay} of {ceiling}");
            }
            backoff.reset();
            assert!(backoff.next_delay_ms(None) <= 2_000);
        }
    }

    #[test]
    fn delays_use_the_whole_range_and_differ_between_clients() {
        let firsts: Vec<u64> = (0..200)
            .map(|seed| Backoff::new(seed).next_delay_ms(None))
            .collect();
        assert!(firsts.iter().any(|&delay| delay < 400));
        assert!(firsts.iter().any(|&delay| delay > 1_600));
    }

    #[test]
    fn the_gateway_is_never_undercut() {
        for seed in 0..200 {
            let delay = Backoff::new(seed).next_delay_ms(Some(7_000));
            assert!((7_000..=7_100).contains(&delay), "{delay}");
        }
    }
}
