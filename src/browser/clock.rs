//! The two clocks of the browser.

use rejoinder_protocol::UnixMillis;
use wasm_bindgen::prelude::*;

use crate::engine::{Millis, Now};

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = performance, js_name = now)]
    fn performance_now() -> f64;
}

/// Reads both clocks.
pub(crate) fn now() -> Now {
    Now {
        monotonic: Millis(whole(performance_now())),
        // A device whose clock is set beyond 2^53 ms shows the epoch; nothing rests on it.
        wall: UnixMillis::try_from(whole(js_sys::Date::now())).unwrap_or_default(),
    }
}

/// Casting saturates: below zero and not-a-number become 0.
fn whole(milliseconds: f64) -> u64 {
    milliseconds as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use gloo_timers::future::TimeoutFuture;
    use wasm_bindgen_test::*;

    #[wasm_bindgen_test]
    async fn both_clocks_advance() {
        let before = now();
        TimeoutFuture::new(30).await;
        let after = now();
        assert!(after.monotonic.since(before.monotonic) >= 29);
        assert!(after.wall > before.wall);
        assert!(after.wall.get() > 1_600_000_000_000);
    }
}
