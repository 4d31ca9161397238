//! Everything that decides, without I/O, clock, randomness, channels or locks.
//!
//! [`Gateway`] is one process' worth of it: sessions, hub, presence and committer. The world enters
//! through [`Gateway::handle`]; what must be done comes back as a list of [`Effect`]s, each naming
//! the input that answers it. Frames to write are fetched with [`Gateway::take`], when and as fast
//! as the socket takes them. So one deterministic program can run many gateways and clients.

mod committer;
mod config;
mod effect;
mod gateway;
mod hub;
mod ids;
mod input;
mod limiter;
mod measure;
mod outbound;
mod peers;
mod presence;
mod rates;
mod session;
mod time;
mod watch;

pub use committer::{BatchId, Committer, NextBatch, Origin, RequestId, Settled};
pub use config::Config;
#[cfg(feature = "shell")]
pub(crate) use config::{LEASE_MS, PRESENCE_GRACE_MS};
pub use effect::Effect;
pub use gateway::Gateway;
pub use hub::{Arrival, Fallen, Hub, Told};
pub use ids::Ids;
pub use input::{Identity, Input, ReadDone, Refusal, SessionKey};
pub use limiter::Bucket;
pub use measure::{Levels, Measure};
pub use outbound::{Batch, Full, Lane, Outbound};
pub use peers::{FromPeers, Lease, News, Peers, ToPeers};
pub use presence::Presence;
pub(crate) use rates::{NotAsked, Rates};
pub use time::{Millis, Now};
pub use watch::{Others, Watch};

/// Identifies a read from effect to answer.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct ReadId(pub u64);

/// Returns the user that a `--dev` token such as `dev:alice` names.
#[must_use]
pub fn dev_user(token: &rejoinder_protocol::Token) -> Option<rejoinder_protocol::UserId> {
    token.secret().strip_prefix("dev:")?.parse().ok()
}
