//! The words that a Rejoinder client and gateway exchange, and nothing else.
//!
//! Everything here is data: frames ([`ClientFrame`], [`ServerFrame`]), the parsed types they are
//! made of, the codes they carry and the limits both sides hold. There is no I/O, no clock and no
//! randomness. `docs/protocol.md` tells the same in prose for authors of other clients.

mod client_frame;
mod close_code;
mod codec;
mod content;
mod error_code;
mod ids;
mod limits;
mod numbers;
mod objects;
mod server_frame;
mod since;

pub use client_frame::{
    Auth, Cancel, ClientFrame, ClientFrameType, Hello, HistoryRequest, InboxRequest, Resume, Send,
    StreamHello, Subscribe, Sync, Token, Typing, Unsubscribe,
};
pub use close_code::{CloseCode, Reaction, reaction};
pub use codec::{
    DecodeError, DecodeErrorKind, ServerDecodeError, decode_client_frame, decode_server_frame,
    decode_stream_hello, encode,
};
pub use content::{Attachment, ContentError, check_content};
pub use error_code::ErrorCode;
pub use ids::{ClientMsgId, Epoch, IdError, ServerMsgId, SessionId, ThreadId, UserId};
pub use limits::{
    ATTACHMENTS_BYTES_MAX, ATTACHMENTS_MAX, BODY_BYTES_MAX, CATCH_UP_CHANGES_MAX, FRAME_BYTES_MAX,
    HELLO_BYTES_MAX, HELLO_TIMEOUT_MS, IDLE_MS, JSON_DEPTH_MAX, Limits, PAGE_BYTES_MAX,
    PAGE_CHANGES_MAX, PING_INTERVAL_MS, PREVIEW_BYTES_MAX, RESET_MESSAGES, RESUME_THREADS_MAX,
    SEND_BYTES_MAX, SERVER_FRAME_BYTES_MAX, STREAM_THREADS_MAX, TOKEN_BYTES_MAX,
};
pub use numbers::{NumberError, Revision, SequenceNumber, UnixMillis};
pub use objects::{Message, Object, Participant, Preview, ThreadSummary};
pub use server_frame::{
    Ack, Authenticated, Cancelled, Change, ErrorFrame, ErrorRef, Goodbye, Heartbeat, HistoryPage,
    InboxPage, Live, Page, Presence, PresenceState, Removed, Reset, ServerFrame, TypingNotice,
    Welcome,
};
pub use since::{Cursor, Since};

/// The version of the protocol that this crate speaks; sent in `hello`.
///
/// A gateway of version N serves clients of version N−1.
pub const PROTOCOL_VERSION: u32 = 1;
