//! The only place that asks the time.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use rejoinder_protocol::UnixMillis;

use crate::core::{Millis, Now};

/// Both clocks of this process.
#[derive(Debug)]
pub(super) struct Clock {
    start: Instant,
}

impl Clock {
    pub(super) fn start() -> Self {
        Self {
            start: Instant::now(),
        }
    }

    pub(super) fn now(&self) -> Now {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH);
        let wall = wall.map_or(0, |since| since.as_millis());
        let wall = u64::try_from(wall).unwrap_or_default();
        let monotonic = u64::try_from(self.start.elapsed().as_millis());
        Now {
            monotonic: Millis(monotonic.unwrap_or(u64::MAX)),
            wall: UnixMillis::try_from(wall).unwrap_or_default(),
        }
    }
}
