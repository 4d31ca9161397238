//! Clocks, timers and sleep.

use rejoinder::engine::{Attempt, Input, Lifecycle, Millis, Now};

use super::World;
use super::queue::Event;
use crate::invariant::Invariant;

/// A page that is frozen, or whose device sleeps.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sleep {
    since: u64,
    clock_stops: bool,
    timers_first: bool,
}

impl World {
    pub(super) fn page_now(&self, page: usize) -> Now {
        let one = &self.pages[page];
        Now {
            monotonic: Millis(self.now - one.behind_ms),
            wall: self.wall(self.devices[one.device].wall_offset_ms),
        }
    }

    pub(super) fn set_timer(&mut self, page: usize) {
        let one = &self.pages[page];
        if !one.is_open || one.sleep.is_some() {
            return;
        }
        let Some(due) = one.engine.next_wakeup() else {
            return;
        };
        let mut at = (due.0 + one.behind_ms).max(self.now);
        if self.tabs[one.tab].throttled_until > self.now {
            at = at.next_multiple_of(60_000);
        }
        if one.wake_at.is_none_or(|planned| at < planned) {
            self.pages[page].wake_at = Some(at);
            self.queue.push(at, Event::Wake(page));
        }
    }

    pub(super) fn wake(&mut self, page: usize) {
        let now = self.page_now(page);
        let one = &mut self.pages[page];
        if one.wake_at != Some(self.now) {
            return;
        }
        one.wake_at = None;
        if !one.is_open || one.sleep.is_some() {
            return;
        }
        if one
            .engine
            .next_wakeup()
            .is_some_and(|due| due <= now.monotonic)
        {
            self.feed(page, Input::Woke);
        } else {
            self.set_timer(page);
        }
    }

    /// Freezes a page.
    pub(super) fn fall_asleep(
        &mut self,
        page: usize,
        ms: u64,
        clock_stops: bool,
        timers_first: bool,
    ) {
        let one = &mut self.pages[page];
        if one.sleep.is_none() {
            one.sleep = Some(Sleep {
                since: self.now,
                clock_stops,
                timers_first,
            });
            self.queue.push(self.now + ms, Event::Thaw(page));
        }
    }

    /// Wakes a page: overdue timers and what arrived meanwhile, in either order.
    pub(super) fn thaw(&mut self, page: usize) {
        let Some(sleep) = self.pages[page].sleep.take() else {
            return;
        };
        self.pages[page].cut_sockets = 0;
        if sleep.clock_stops {
            self.pages[page].behind_ms += self.now - sleep.since;
        }
        let now = self.page_now(page).monotonic;
        let is_due = self.pages[page]
            .engine
            .next_wakeup()
            .is_some_and(|due| due <= now);
        if sleep.timers_first && is_due {
            self.feed(page, Input::Woke);
        }
        while let Some(input) = self.pages[page].missed.pop_front() {
            self.feed(page, input);
        }
        self.feed(page, Input::Lifecycle(Lifecycle::Visible));
        self.set_timer(page);
    }

    /// Returns the engine's next wish for time.
    pub fn next_wakeup(&self, page: usize) -> Option<Millis> {
        self.pages[page].engine.next_wakeup()
    }

    /// Notes a claim that an engine makes without reason.
    pub(super) fn heard_before_judged(&mut self, page: usize, attempt: Attempt) {
        let waits =
            |input: &Input| matches!(input, Input::Frame { attempt: of, .. } if *of == attempt);
        if self.pages[page].missed.iter().any(waits) {
            self.fail(Invariant::HeardBeforeJudged, || {
                format!("page {page} gives its connection up before it reads what arrived")
            });
        }
    }
}
