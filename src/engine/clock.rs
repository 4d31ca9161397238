//! Noticing sleep, and timers that fire too late.

use rejoinder_protocol::UnixMillis;

use super::config::{LATE_TIMER_MS, SLEEP_JUMP_MS};
use super::time::{Millis, Now};

/// The last known time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    pub(crate) now: Now,
    is_started: bool,
    /// A timer was late: until this moment only what arrived meanwhile is handled.
    pub(crate) grace_until: Option<Millis>,
}

impl Default for Clock {
    fn default() -> Self {
        let now = Now {
            monotonic: Millis(0),
            wall: UnixMillis::default(),
        };
        Self {
            now,
            is_started: false,
            grace_until: None,
        }
    }
}

impl Clock {
    /// Takes the time of an input. Returns whether the device slept since the last one: then the
    /// wall clock ran ahead of the other.
    pub(crate) fn advance(&mut self, now: Now) -> bool {
        let elapsed = now.monotonic.since(self.now.monotonic);
        let elapsed_wall = now.wall.get().saturating_sub(self.now.wall.get());
        let slept = self.is_started && elapsed_wall > elapsed.saturating_add(SLEEP_JUMP_MS);
        // A clock that goes back would undo deadlines; it is held.
        let monotonic = now.monotonic.max(self.now.monotonic);
        self.now = Now {
            monotonic,
            wall: now.wall,
        };
        self.is_started = true;
        slept
    }

    /// Returns whether a timer that was due at `due` is too late to be believed. The second look,
    /// a second later, always is.
    pub(crate) fn is_suspect(&mut self, due: Option<Millis>) -> bool {
        if self.grace_until.take().is_some() {
            return false;
        }
        let late = due.is_some_and(|due| self.now.monotonic.since(due) > LATE_TIMER_MS);
        #[cfg(feature = "mutants")]
        let late = late && !rejoinder_mutants::planted!(LateTimerBelieved);
        if late {
            self.grace_until = Some(self.now.monotonic.after(LATE_TIMER_MS));
        }
        late
    }
}
