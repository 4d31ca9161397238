//! Time and ids, which the engine is given from outside.

use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

use rejoinder::engine::{Millis, Now};
use rejoinder_protocol::{ClientMsgId, UnixMillis};
use tokio::time::{Duration, Instant};
use uuid::Uuid;

/// Where the engines' monotonic clock begins.
fn start() -> Instant {
    static START: OnceLock<Instant> = OnceLock::new();
    *START.get_or_init(Instant::now)
}

/// Reads both clocks.
#[expect(clippy::disallowed_methods, reason = "a driver brings the time")]
pub(crate) fn now() -> Now {
    let wall = SystemTime::now().duration_since(UNIX_EPOCH);
    let wall = wall.map_or(0, |since| since.as_millis());
    Now {
        monotonic: Millis(whole(start().elapsed().as_millis())),
        wall: UnixMillis::try_from(whole(wall)).unwrap_or_default(),
    }
}

/// Returns when a moment of the engines' clock is.
pub(crate) fn instant(moment: Millis) -> Instant {
    start() + Duration::from_millis(moment.0)
}

/// Names a new message, so that names sort by their making.
#[expect(clippy::disallowed_methods, reason = "a driver brings the ids")]
pub(crate) fn new_client_msg_id() -> ClientMsgId {
    ClientMsgId::new(Uuid::now_v7())
}

fn whole(milliseconds: u128) -> u64 {
    u64::try_from(milliseconds).unwrap_or(u64::MAX)
}
