//! What an engine is told at its making, and the durations and bounds it keeps.

use rejoinder_protocol::UserId;

/// What an engine is told at its making.
#[derive(Clone, Debug)]
pub struct Config {
    /// Whose outbox and timeline this is. Nothing of it leaves on a connection of another user.
    pub user_id: UserId,
    /// After a permanent refusal: `false` holds the thread's later messages until the user decides,
    /// `true` sends them.
    pub skip_failed: bool,
}

/// Messages that may wait at once, over all threads: more than a person writes in a week offline.
pub const OUTBOX_ENTRIES_MAX: usize = 1_000;
/// How long a message waits for the browser's storage before it is sent all the same.
pub const STORAGE_TIMEOUT_MS: u64 = 1_000;
/// How long the application may take to bring a token.
pub const TOKEN_TIMEOUT_MS: u64 = 10_000;
/// A connection's token is replaced so long before it ends, or a fifth of a shorter life. Less than
/// the 90 s from which `getSession` of Supabase brings a new one, the random part included.
pub const REFRESH_LEAD_MS: u64 = 60_000;
/// On one connection the application is asked for a token at most so often.
pub const REFRESH_INTERVAL_MS: u64 = 10_000;
/// How long opening a socket, and the answer to `hello`, may each take.
pub const CONNECT_TIMEOUT_MS: u64 = 10_000;
/// A stream is replaced by another, for what must be said on it, at most so often.
pub const REOPEN_INTERVAL_MS: u64 = 1_000;
/// How long the gateway may take to answer a `ping`.
pub const PROBE_TIMEOUT_MS: u64 = 3_000;
/// Without an `ack` for so long the connection is probed.
pub const ACK_TIMEOUT_MS: u64 = 10_000;
/// Without a `page`, `reset` or `live` for so long a subscription is asked for again.
pub const SUBSCRIBE_TIMEOUT_MS: u64 = 15_000;
/// A thread or a list that is refused for now is asked for again after this, unless the gateway names
/// a time.
pub const ASK_AGAIN_MS: u64 = 5_000;
/// A connection that lived so long was a good one: the backoff begins anew.
pub const STABLE_MS: u64 = 30_000;
/// A timer that fires later than this is suspect: what arrived meanwhile is handled first.
pub const LATE_TIMER_MS: u64 = 1_000;
/// The wall clock running ahead by more than this means that the device slept.
pub const SLEEP_JUMP_MS: u64 = 5_000;
/// `online`, `visibilitychange` and the like act at most once in this time.
pub const HINT_INTERVAL_MS: u64 = 5_000;
/// An `ack` or hint above the cursor whose change does not come is followed by a sync after this.
pub const HINT_SYNC_MS: u64 = 1_000;
/// How long "is writing" lasts without being renewed.
pub const TYPING_LEASE_MS: u64 = 6_000;
/// How often "is writing" is renewed at most.
pub const TYPING_INTERVAL_MS: u64 = 3_000;
/// Sending pauses while the socket holds more than this many bytes.
pub const SOCKET_BUFFER_BYTES_MAX: u32 = 64 * 1024;
/// While connected, the outbox is read again this often: a tab may have died with a row unsent.
pub const OUTBOX_RELOAD_MS: u64 = 15_000;
/// Messages asked for when the user scrolls up.
pub const HISTORY_LIMIT: u32 = 50;
/// Threads asked for in an inbox.
pub const INBOX_LIMIT: u32 = 50;
/// Threads kept in an inbox.
pub const INBOX_THREADS_MAX: usize = 200;
