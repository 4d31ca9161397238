//! How much of something a client may do in a time.

use super::Millis;

/// A token bucket: `burst` at once, then `per_second`.
#[derive(Clone, Debug)]
pub struct Bucket {
    burst: u64,
    per_second: u64,
    /// Thousandths of a token.
    held: u64,
    filled_at: Millis,
}

impl Bucket {
    /// Starts full.
    #[must_use]
    pub fn new(now: Millis, burst: u32, per_second: u32) -> Self {
        Self {
            burst: u64::from(burst),
            per_second: u64::from(per_second).max(1),
            held: u64::from(burst) * 1_000,
            filled_at: now,
        }
    }

    /// Returns whether nothing was taken lately.
    #[must_use]
    pub fn is_full(&self, now: Millis) -> bool {
        let gained = now.since(self.filled_at).saturating_mul(self.per_second);
        self.held.saturating_add(gained) >= self.burst * 1_000
    }

    /// Takes one.
    ///
    /// # Errors
    ///
    /// The milliseconds after which one will be there; nothing was taken.
    pub fn take(&mut self, now: Millis) -> Result<(), u64> {
        // `per_second` tokens a second are as many thousandths a millisecond.
        let gained = now.since(self.filled_at).saturating_mul(self.per_second);
        self.held = self.held.saturating_add(gained).min(self.burst * 1_000);
        self.filled_at = now;
        match self.held.checked_sub(1_000) {
            Some(rest) => {
                self.held = rest;
                Ok(())
            }
            None => Err((1_000 - self.held).div_ceil(self.per_second)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_then_the_rate_holds() {
        let mut bucket = Bucket::new(Millis(0), 3, 10);
        for _ in 0..3 {
            assert_eq!(bucket.take(Millis(0)), Ok(()));
        }
        assert_eq!(bucket.take(Millis(0)), Err(100));
        assert_eq!(bucket.take(Millis(99)), Err(1));
        assert_eq!(bucket.take(Millis(100)), Ok(()));
        assert_eq!(bucket.take(Millis(100)), Err(100));
    }
}
