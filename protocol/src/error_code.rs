//! Why the gateway refused a frame. The connection lives on.

use serde::{Deserialize, Serialize};

/// Why the gateway refused a frame.
///
/// The codes that are permanent for a message are a closed list ([`Self::is_permanent`]).
/// Everything else is transient, a code that this version does not know included: to call a
/// passing trouble permanent loses a message, the opposite costs a retry.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// Not JSON, nested too deep, or without a `type`. Permanent after three times.
    BadJson,
    /// The other person blocked the sender.
    Blocked,
    /// The gateway cannot do it now.
    Busy,
    /// Another edit came first.
    EditConflict,
    /// The sender may not do this.
    Forbidden,
    /// The key was voided by `cancel`, or the object was deleted.
    Gone,
    /// The same `client_msg_id` was used for another payload.
    IdConflict,
    /// A fault of the gateway.
    Internal,
    /// A field is missing or out of its range.
    Invalid,
    /// Too many of something at once, for example subscriptions.
    Limit,
    /// No such thread, or not the user's: the two are not told apart.
    NotFound,
    /// Too many frames in too little time.
    RateLimited,
    /// Longer than a limit of `welcome.limits`.
    TooLarge,
    /// A frame type that this gateway does not know. Permanent after three times: an older
    /// gateway may be on its way out.
    UnknownType,
    /// A code of a later version.
    #[serde(other)]
    Unknown,
}

impl ErrorCode {
    /// Returns whether repeating the same frame can never succeed.
    #[must_use]
    pub fn is_permanent(self) -> bool {
        match self {
            Self::Blocked
            | Self::EditConflict
            | Self::Forbidden
            | Self::Gone
            | Self::IdConflict
            | Self::Invalid
            | Self::NotFound
            | Self::TooLarge => true,
            Self::BadJson
            | Self::Busy
            | Self::Internal
            | Self::Limit
            | Self::RateLimited
            | Self::Unknown
            | Self::UnknownType => false,
        }
    }

    /// Returns the code as it travels.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BadJson => "bad_json",
            Self::Blocked => "blocked",
            Self::Busy => "busy",
            Self::EditConflict => "edit_conflict",
            Self::Forbidden => "forbidden",
            Self::Gone => "gone",
            Self::IdConflict => "id_conflict",
            Self::Internal => "internal",
            Self::Invalid => "invalid",
            Self::Limit => "limit",
            Self::NotFound => "not_found",
            Self::RateLimited => "rate_limited",
            Self::TooLarge => "too_large",
            Self::Unknown => "unknown",
            Self::UnknownType => "unknown_type",
        }
    }
}
