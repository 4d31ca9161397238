//! Every limit that both sides hold, each with its derivation.

use serde::{Deserialize, Serialize};

/// The text of a message, in bytes of UTF-8: some 2,500 words.
pub const BODY_BYTES_MAX: usize = 16 * 1024;

/// Attachments of one message.
pub const ATTACHMENTS_MAX: usize = 16;

/// All attachments of one message together, as JSON: 16 × 512 bytes, room for a signed URL each.
pub const ATTACHMENTS_BYTES_MAX: usize = 8 * 1024;

/// One `send` frame, encoded: a body of control characters grows sixfold (`\u0001`), so
/// 6 × 16 KiB + 8 KiB of attachments + ids and names under 1 KiB = 105 KiB, rounded up.
pub const SEND_BYTES_MAX: usize = 120 * 1024;

/// One frame from a client: the largest `send`, and 64 threads × ~300 bytes of a `hello` and its
/// token fit too.
pub const FRAME_BYTES_MAX: usize = 128 * 1024;

/// The first frame, before anybody is authenticated: a token of 8 KiB and 64 × ~230 bytes of
/// cursors, so that a stranger can make us hold little.
pub const HELLO_BYTES_MAX: usize = 24 * 1024;

/// A token: what common proxies allow as one header.
pub const TOKEN_BYTES_MAX: usize = 8 * 1024;

/// Threads in `hello.resume`; the rest follow by `subscribe`.
pub const RESUME_THREADS_MAX: usize = 64;

/// Threads that one connection may be subscribed to; all of them are in the `hello` of a stream, which
/// has no token: 100 × ~230 bytes are within [`HELLO_BYTES_MAX`].
pub const STREAM_THREADS_MAX: usize = 100;

/// Changes in one `page`, and messages in one `history` answer.
pub const PAGE_CHANGES_MAX: usize = 200;

/// One `page`, encoded. A page holds at least one change, even a larger one.
pub const PAGE_BYTES_MAX: usize = 256 * 1024;

/// One frame from a gateway: a page may pass [`PAGE_BYTES_MAX`] by one message of
/// [`SEND_BYTES_MAX`]; the rest is room. A client closes the connection on a longer one.
pub const SERVER_FRAME_BYTES_MAX: usize = 512 * 1024;

/// Messages in the window of a `reset`: one screen and a half.
pub const RESET_MESSAGES: usize = 50;

/// A client that is further behind is answered with `reset`: 25 pages, about a second of work.
pub const CATCH_UP_CHANGES_MAX: u64 = 5_000;

/// The text of a message in a thread list.
pub const PREVIEW_BYTES_MAX: usize = 256;

/// Nesting of a frame; ours reach 5. Keeps a parser's stack small.
pub const JSON_DEPTH_MAX: usize = 16;

/// A connection without a valid `hello` is closed after this many milliseconds.
pub const HELLO_TIMEOUT_MS: u64 = 5_000;

/// How often the gateway pings, in milliseconds: proxies cut idle connections at 60 s, often 30.
pub const PING_INTERVAL_MS: u64 = 25_000;

/// A client that sent nothing for this long is gone, in milliseconds: background tabs run timers
/// once a minute, and three pings went unanswered.
pub const IDLE_MS: u64 = 90_000;

/// The limits that a gateway tells its clients in `welcome`, so that a client refuses a message
/// before it is queued instead of queueing poison.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Deserialize, Serialize)]
pub struct Limits {
    /// See [`BODY_BYTES_MAX`].
    pub body_bytes_max: usize,
    /// See [`ATTACHMENTS_MAX`].
    pub attachments_max: usize,
    /// See [`ATTACHMENTS_BYTES_MAX`].
    pub attachments_bytes_max: usize,
    /// See [`SEND_BYTES_MAX`].
    pub send_bytes_max: usize,
    /// See [`FRAME_BYTES_MAX`].
    pub frame_bytes_max: usize,
    /// See [`RESUME_THREADS_MAX`].
    pub resume_threads_max: usize,
    /// See [`PAGE_CHANGES_MAX`].
    pub page_changes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes_max: BODY_BYTES_MAX,
            attachments_max: ATTACHMENTS_MAX,
            attachments_bytes_max: ATTACHMENTS_BYTES_MAX,
            send_bytes_max: SEND_BYTES_MAX,
            frame_bytes_max: FRAME_BYTES_MAX,
            resume_threads_max: RESUME_THREADS_MAX,
            page_changes_max: PAGE_CHANGES_MAX,
        }
    }
}
