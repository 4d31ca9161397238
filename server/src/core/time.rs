//! Time as the cores know it: always an argument, never asked for.

use rejoinder_protocol::UnixMillis;

/// A moment on a clock that never goes back, in milliseconds since an arbitrary start.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct Millis(pub u64);

impl Millis {
    /// Returns the moment `duration_ms` later.
    #[must_use]
    pub fn after(self, duration_ms: u64) -> Self {
        Self(self.0.saturating_add(duration_ms))
    }

    /// Returns the milliseconds since `earlier`; 0 if that is not earlier.
    #[must_use]
    pub fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// The two clocks at the moment of an input.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Now {
    /// For every deadline.
    pub monotonic: Millis,
    /// For what people see, and for the expiry of tokens.
    pub wall: UnixMillis,
}
