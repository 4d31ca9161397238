//! Identifiers, parsed once at the edge so that no raw string travels inside.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The longest identifier in bytes, and in characters, for they are ASCII.
const ID_BYTES_MAX: usize = 128;

/// Why a text is not an identifier.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum IdError {
    /// Identifiers have 1 to 128 characters.
    #[error("an id has 1 to 128 characters, not {0}")]
    Length(usize),
    /// Identifiers are made of `[A-Za-z0-9_.:|-]`.
    #[error("an id is made of letters, digits and _ . : | -")]
    Character,
    /// A `client_msg_id` is a UUID.
    #[error("a client_msg_id is a UUID")]
    NotAUuid,
}

fn parse(text: &str) -> Result<Arc<str>, IdError> {
    if text.is_empty() || text.len() > ID_BYTES_MAX {
        return Err(IdError::Length(text.len()));
    }
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_.:|-".contains(&byte);
    if !text.bytes().all(allowed) {
        return Err(IdError::Character);
    }
    Ok(text.into())
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        ///
        /// 1 to 128 characters of `[A-Za-z0-9_.:|-]`. Cheap to clone.
        #[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// Returns the identifier as it travels.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                parse(text).map(Self)
            }
        }

        /// As 36 characters with hyphens, which always are an id.
        impl From<Uuid> for $name {
            fn from(uuid: Uuid) -> Self {
                Self(uuid.hyphenated().to_string().into())
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;

            fn try_from(text: String) -> Result<Self, IdError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0.as_ref().to_owned()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }
    };
}

text_id! {
    /// A conversation. The application may choose it; otherwise the gateway derives it from the
    /// pair of participants.
    ThreadId
}
text_id! {
    /// A person, as the token names them (`sub`).
    UserId
}
text_id! {
    /// The identity that the store gave to a message. Opaque: never compared for order.
    ServerMsgId
}
text_id! {
    /// One history of the database. Another epoch means that numbers start a new meaning: every
    /// cursor of the old one is void.
    Epoch
}
text_id! {
    /// One connection of one client, for logs and support.
    SessionId
}

/// The idempotency key of a message: a UUID that the client makes before the first attempt.
///
/// Unique together with thread and sender, for ever. Upper case is accepted and canonicalised.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct ClientMsgId(Uuid);

impl ClientMsgId {
    /// Wraps a UUID, which should be of version 7 so that ids sort by their making.
    #[must_use]
    pub fn new(uuid: Uuid) -> Self {
        Self(uuid)
    }

    /// Returns the UUID.
    #[must_use]
    pub fn uuid(self) -> Uuid {
        self.0
    }
}

impl FromStr for ClientMsgId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        // `Uuid` also reads the braced, URN and undashed forms; on the wire there is one form.
        if text.len() != uuid::fmt::Hyphenated::LENGTH {
            return Err(IdError::NotAUuid);
        }
        Uuid::try_parse(text)
            .map(Self)
            .map_err(|_| IdError::NotAUuid)
    }
}

impl TryFrom<String> for ClientMsgId {
    type Error = IdError;

    fn try_from(text: String) -> Result<Self, IdError> {
        text.parse()
    }
}

impl From<ClientMsgId> for String {
    fn from(id: ClientMsgId) -> Self {
        id.0.to_string()
    }
}

impl fmt::Display for ClientMsgId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl fmt::Debug for ClientMsgId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_bounded_and_plain() {
        assert!("alice|bob".parse::<ThreadId>().is_ok());
        assert_eq!("".parse::<ThreadId>(), Err(IdError::Length(0)));
        assert_eq!("x".repeat(129).parse::<UserId>(), Err(IdError::Length(129)));
        for bad in ["a b", "../x", "a\0b", "é", "a/b"] {
            assert_eq!(bad.parse::<ThreadId>(), Err(IdError::Character), "{bad:?}");
        }
    }

    #[test]
    fn client_msg_id_is_canonical() {
        let lower: ClientMsgId = "0198c0de-0000-7000-8000-00000000000a".parse().unwrap();
        let upper: ClientMsgId = "0198C0DE-0000-7000-8000-00000000000A".parse().unwrap();
        assert_eq!(lower, upper);
        assert_eq!(upper.to_string(), "0198c0de-0000-7000-8000-00000000000a");
        for bad in [
            "",
            "x",
            "0198c0de000070008000000000000001",
            &"f".repeat(1024),
        ] {
            assert_eq!(bad.parse::<ClientMsgId>(), Err(IdError::NotAUuid));
        }
    }
}
