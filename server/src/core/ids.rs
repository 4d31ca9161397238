//! Ids for messages and sessions, from a seed and the time.

use rejoinder_protocol::{ServerMsgId, SessionId, UnixMillis};
use uuid::Uuid;

/// Makes ids. The same seed and times give the same ids.
#[derive(Clone, Debug)]
pub struct Ids {
    random: fastrand::Rng,
}

impl Ids {
    /// Starts from a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            random: fastrand::Rng::with_seed(seed),
        }
    }

    fn uuid(&mut self, now: UnixMillis) -> Uuid {
        let mut bytes = [0; 10];
        self.random.fill(&mut bytes);
        uuid::Builder::from_unix_timestamp_millis(now.get(), &bytes).into_uuid()
    }

    /// Returns an id for a message. UUIDv7: neighbours in time are neighbours in the index.
    pub fn server_msg_id(&mut self, now: UnixMillis) -> Option<ServerMsgId> {
        self.uuid(now).to_string().parse().ok()
    }

    /// Returns an id for a session.
    pub fn session_id(&mut self, now: UnixMillis) -> Option<SessionId> {
        self.uuid(now).simple().to_string().parse().ok()
    }

    /// Returns a duration below `limit_ms`.
    pub fn jitter_ms(&mut self, limit_ms: u64) -> u64 {
        self.random.u64(0..limit_ms.max(1))
    }

    /// Returns a duration from `least_ms` on and below twice that: whoever is told together to come
    /// back comes apart.
    pub fn spread_ms(&mut self, least_ms: u64) -> u64 {
        least_ms + self.jitter_ms(least_ms)
    }
}
