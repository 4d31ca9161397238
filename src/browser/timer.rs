//! The one timer, set to the engine's next wake-up.

use std::cell::RefCell;
use std::rc::Rc;

use gloo_timers::callback::Timeout;

use super::door::Door;
use crate::engine::{Input, Millis};

/// A longer delay overflows in `setTimeout` and fires at once. A wake-up that is too early only
/// sets the timer again.
const DELAY_MS_MAX: u64 = 0x7fff_ffff;

/// Reports [`Input::Woke`] when the moment has come; dropped, it never does.
pub(crate) struct Timer {
    door: Door,
    pending: Rc<RefCell<Option<(Millis, Timeout)>>>,
}

impl Timer {
    pub(crate) fn new(door: Door) -> Self {
        let pending = Rc::default();
        Self { door, pending }
    }

    /// Sets the timer to `wakeup`, or stops it.
    pub(crate) fn set(&self, now: Millis, wakeup: Option<Millis>) {
        let mut pending = self.pending.borrow_mut();
        if pending.as_ref().map(|(moment, _)| *moment) == wakeup {
            return;
        }
        *pending = wakeup.map(|moment| {
            let delay = moment.since(now).min(DELAY_MS_MAX);
            (moment, self.start(delay as u32))
        });
    }

    fn start(&self, delay_ms: u32) -> Timeout {
        let door = self.door.clone();
        let pending = Rc::downgrade(&self.pending);
        Timeout::new(delay_ms, move || {
            // Forgotten first, so that the same moment can be asked for again.
            if let Some(pending) = pending.upgrade() {
                pending.take();
            }
            door.tell(Input::Woke);
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gloo_timers::future::TimeoutFuture;
    use std::cell::Cell;
    use wasm_bindgen_test::*;

    fn counting() -> (Timer, Rc<Cell<u32>>) {
        let fired = Rc::new(Cell::new(0));
        let count = Rc::clone(&fired);
        let door = Door::new(move |input| {
            assert_eq!(input, Input::Woke);
            count.set(count.get() + 1);
        });
        (Timer::new(door), fired)
    }

    #[wasm_bindgen_test]
    async fn fires_once_for_the_last_moment_asked_for() {
        let (timer, fired) = counting();
        timer.set(Millis(1_000), Some(Millis(1_005)));
        timer.set(Millis(1_000), Some(Millis(1_020)));
        timer.set(Millis(1_001), Some(Millis(1_020)));
        TimeoutFuture::new(60).await;
        assert_eq!(fired.get(), 1);

        timer.set(Millis(1_000), Some(Millis(1_020)));
        TimeoutFuture::new(60).await;
        assert_eq!(fired.get(), 2, "the same moment again");
    }

    #[wasm_bindgen_test]
    async fn a_far_moment_does_not_fire_at_once_and_a_stopped_timer_never() {
        let (timer, fired) = counting();
        timer.set(Millis(0), Some(Millis(u64::MAX)));
        TimeoutFuture::new(30).await;
        timer.set(Millis(0), Some(Millis(1)));
        timer.set(Millis(0), None);
        TimeoutFuture::new(30).await;
        timer.set(Millis(0), Some(Millis(1)));
        drop(timer);
        TimeoutFuture::new(30).await;
        assert_eq!(fired.get(), 0);
    }
}
