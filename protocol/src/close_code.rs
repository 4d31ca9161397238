//! Why the gateway ends a connection, and what the client does about it.

/// Why the gateway ends a connection; also in `goodbye`, its last frame.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u16)]
pub enum CloseCode {
    /// The gateway is being stopped.
    Draining = 4000,
    /// The client did not read what it was sent.
    SlowConsumer = 4001,
    /// No valid `hello` in time.
    HelloTimeout = 4002,
    /// Too many connections or frames.
    Limited = 4003,
    /// The client sent nothing for too long.
    Idle = 4004,
    /// A fault of the gateway.
    Internal = 4005,
    /// The token is not valid.
    TokenInvalid = 4100,
    /// The token was valid once.
    TokenExpired = 4101,
    /// A frame where none may be, or too many that are not frames.
    ProtocolError = 4500,
    /// The gateway does not speak the client's version.
    UnsupportedVersion = 4501,
    /// `auth` named another user than `hello`.
    WrongUser = 4502,
    /// The user may not connect.
    Forbidden = 4503,
}

impl CloseCode {
    /// Returns the number that travels.
    #[must_use]
    pub fn number(self) -> u16 {
        self as u16
    }

    /// Returns the name for logs and for the close frame's reason.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Draining => "draining",
            Self::SlowConsumer => "slow_consumer",
            Self::HelloTimeout => "hello_timeout",
            Self::Limited => "limited",
            Self::Idle => "idle",
            Self::Internal => "internal",
            Self::TokenInvalid => "token_invalid",
            Self::TokenExpired => "token_expired",
            Self::ProtocolError => "protocol_error",
            Self::UnsupportedVersion => "unsupported_version",
            Self::WrongUser => "wrong_user",
            Self::Forbidden => "forbidden",
        }
    }
}

/// What a client does when its connection ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reaction {
    /// Wait and connect again.
    ComeBack,
    /// Get a new token, once, and connect again.
    NewToken,
    /// Tell the application; trying again cannot help.
    Stop,
}

/// Returns what a client does about any close code, known or not.
///
/// The ranges carry the meaning, so that an old client understands a code it has never seen:
/// 4000–4099 come back, 4100–4199 new token, 4500–4999 stop, everything else come back.
#[must_use]
pub fn reaction(code: u16) -> Reaction {
    match code {
        4100..=4199 => Reaction::NewToken,
        4500..=4999 => Reaction::Stop,
        _ => Reaction::ComeBack,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_tell_the_reaction() {
        assert_eq!(reaction(CloseCode::Draining.number()), Reaction::ComeBack);
        assert_eq!(
            reaction(CloseCode::TokenExpired.number()),
            Reaction::NewToken
        );
        assert_eq!(reaction(CloseCode::WrongUser.number()), Reaction::Stop);
        for unknown in [1000, 1006, 1013, 3000, 4099, 4200, 4499, 5000, 0] {
            assert_eq!(reaction(unknown), Reaction::ComeBack, "{unknown}");
        }
        assert_eq!(reaction(4199), Reaction::NewToken);
        assert_eq!(reaction(4999), Reaction::Stop);
    }
}
