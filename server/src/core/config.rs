//! What an operator may choose, and the bounds that nobody may.

use rejoinder_protocol::{Epoch, STREAM_THREADS_MAX};

/// Frames and bytes of changes that may wait for one client; more makes it fall back to pages.
pub(crate) const CHANGES_MAX: usize = 256;
/// See [`CHANGES_MAX`].
pub(crate) const CHANGES_BYTES_MAX: usize = 256 * 1024;
/// Typing frames that may wait for one client; the oldest makes place.
pub(crate) const EPHEMERAL_MAX: usize = 32;
/// Requests of one client that may be under way or whose reply waits to be written.
pub(crate) const REQUESTS_MAX: usize = 64;
/// Questions of one client to the store at once; each answer may be a page of 256 KiB.
pub(crate) const QUESTIONS_MAX: usize = 8;
/// Questions of one user to the store at once, over all connections and requests; more are told to
/// come back.
pub(crate) const USER_QUESTIONS_MAX: usize = 16;
/// Questions that one user may ask at once …
pub(crate) const QUESTIONS_BURST: u32 = 60;
/// … and per second after that: a client asks some when it comes back, then as people scroll.
pub(crate) const QUESTIONS_PER_SECOND: u32 = 10;
/// Whatever else one user may say at once, beside messages …
pub(crate) const REQUESTS_BURST: u32 = 1_024;
/// … and per second after that. A client that keeps to the other limits is far from it.
pub(crate) const REQUESTS_PER_SECOND: u32 = 128;
/// Bytes of replies that may wait before nothing more is read from a client: two pages. With
/// [`QUESTIONS_MAX`] under way, a client makes us hold 2.5 MiB at most.
pub(crate) const REPLY_BYTES_MAX: usize = 512 * 1024;
/// Frames of other kinds (`live`, `removed`) that may wait: twice a full `hello.resume`.
pub(crate) const CONTROL_MAX: usize = 256;
/// What is handed to the socket at once, in bytes; a longer frame goes alone.
pub(crate) const BATCH_BYTES_MAX: usize = 64 * 1024;
/// Commands of one transaction.
pub(crate) const COMMANDS_MAX: usize = 256;
/// Commands that may wait for a transaction: 32 batches, some tenths of a second.
pub(crate) const WAITING_COMMANDS_MAX: usize = 8192;
/// A thread that was locked by somebody else so often in a row is waited for.
pub(crate) const SKIPS_MAX: u32 = 3;
/// Threads that one session may be subscribed to.
pub(crate) const SUBSCRIPTIONS_MAX: usize = STREAM_THREADS_MAX;
/// Thread summaries that a session may owe its client before it must start over.
pub(crate) const SUMMARIES_MAX: usize = 1024;
/// Threads with a commit of unknown fate that are remembered (16 failed batches).
pub(crate) const UNSURE_MAX: usize = 4096;
/// A client that takes nothing for so long while something waits is closed, in milliseconds.
pub(crate) const STALL_MS: u64 = 10_000;
/// A reader ahead of what was published looks again after so long, in milliseconds.
pub(crate) const PARKED_MS: u64 = 1_000;
/// Unreadable frames within this time, in milliseconds …
pub(crate) const BAD_JSON_WINDOW_MS: u64 = 10_000;
/// … end the connection when there are so many.
pub(crate) const BAD_JSON_MAX: usize = 3;
/// A user without a connection is still online for so long, in milliseconds: a reload takes less.
pub(crate) const PRESENCE_GRACE_MS: u64 = 10_000;
/// Users whose last moment online is remembered.
pub(crate) const LAST_SEEN_MAX: usize = 10_000;
/// A user's lease is renewed so often, in milliseconds …
pub(crate) const LEASE_RENEW_MS: u64 = 15_000;
/// … and ends by itself after so long: two renewals may be lost.
#[cfg(feature = "shell")]
pub(crate) const LEASE_MS: u64 = 45_000;
/// Leases that are renewed or looked at together.
pub(crate) const LEASES_MAX: usize = 250;
/// "Is writing" counts for so long without renewal, in milliseconds.
pub(crate) const TYPING_LEASE_MS: u64 = 6_000;
/// A token still counts for so long after its expiry, in milliseconds: clocks differ.
pub(crate) const TOKEN_LEEWAY_MS: u64 = 30_000;
/// A draining gateway waits so long for the replies that are under way, in milliseconds.
pub(crate) const DRAIN_MS: u64 = 2_000;
/// A draining gateway's clients come back spread over so long, in milliseconds.
pub(crate) const DRAIN_SPREAD_MS: u64 = 5_000;
/// Every so often all that somebody here waits for is looked at, though changes are told to us …
pub(crate) const POLL_HEARING_MS: u64 = 15_000;
/// … and so often while they are not, in milliseconds.
pub(crate) const POLL_MS: u64 = 1_000;
/// Threads or users of one question of a poll.
pub(crate) const POLL_CHUNK: usize = 1_000;
/// A poll asks for what changed since the one before and so long before that, in milliseconds: a
/// transaction's changes have the time of its work, not of its commit, and clocks differ.
pub(crate) const POLL_OVERLAP_MS: u64 = 60_000;
/// Threads that are looked at at once, because somebody else may have changed them …
pub(crate) const LOOKS_MAX: usize = 16;
/// … and that may wait for it.
pub(crate) const LOOKS_WAITING_MAX: usize = 10_000;
/// "Not now, try again after so long", in milliseconds.
pub(crate) const BUSY_RETRY_MS: u64 = 1_000;
/// A connection for which its user has too many, or on which too much is asked, may be opened again
/// after so long, in milliseconds, and up to as much again.
pub(crate) const LIMITED_RETRY_MS: u64 = 5_000;

/// A client whose token could not be checked comes back after so long, in milliseconds, and up to
/// as much again: until then the keys may have been fetched.
pub(crate) const UNVERIFIED_RETRY_MS: u64 = 5_000;

/// What an operator may choose.
#[derive(Clone, Debug)]
pub struct Config {
    /// The history of the database behind this gateway.
    pub epoch: Epoch,
    /// Whether threads named `alice|bob` come into being by being used (`--dev`).
    pub dev_pairs: bool,
    /// Whether others write into the store as well.
    pub others_write: bool,
    /// Whether other gateways use the store as well.
    pub has_peers: bool,
    /// From which ids and jitter are made; must differ from start to start.
    pub seed: u64,
    /// Messages that one user may send at once …
    pub messages_burst: u32,
    /// … and per second after that.
    pub messages_per_second: u32,
    /// Connections that one user may have.
    pub user_connections: usize,
}

impl Config {
    /// Returns the defaults.
    #[must_use]
    pub fn new(epoch: Epoch, seed: u64) -> Self {
        Self {
            epoch,
            dev_pairs: false,
            others_write: false,
            has_peers: false,
            seed,
            messages_burst: 60,
            messages_per_second: 10,
            user_connections: 20,
        }
    }
}
