//! Time as the engine knows it: always an argument, never asked for.

use rejoinder_protocol::UnixMillis;

/// A moment on a clock that never goes back, in milliseconds since an arbitrary start.
///
/// All deadlines and periods are on this clock. It may stand still while the device sleeps.
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
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Now {
    /// For every decision.
    pub monotonic: Millis,
    /// For display, and to notice sleep: it jumps ahead of `monotonic` when the device wakes.
    pub wall: UnixMillis,
}

impl Now {
    /// Returns what a wall clock will show at `moment`, for display.
    #[must_use]
    pub fn wall_at(self, moment: Millis) -> UnixMillis {
        let ahead = moment.since(self.monotonic);
        UnixMillis::try_from(self.wall.get().saturating_add(ahead)).unwrap_or(self.wall)
    }
}
