//! Numbers with a meaning, and the only arithmetic each allows.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The largest integer that JavaScript holds exactly, 2^53 − 1.
const SAFE_INTEGER_MAX: u64 = (1 << 53) - 1;

/// A number that JavaScript could not hold exactly.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("numbers stay below 2^53")]
pub struct NumberError;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        ///
        /// At most 2^53 − 1, so that JavaScript holds it exactly.
        #[derive(
            Clone, Copy, Default, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize,
        )]
        #[serde(try_from = "u64", into = "u64")]
        pub struct $name(u64);

        impl $name {
            /// Returns the plain number.
            #[must_use]
            pub fn get(self) -> u64 {
                self.0
            }
        }

        impl TryFrom<u64> for $name {
            type Error = NumberError;

            fn try_from(number: u64) -> Result<Self, NumberError> {
                if number > SAFE_INTEGER_MAX { Err(NumberError) } else { Ok(Self(number)) }
            }
        }

        impl From<$name> for u64 {
            fn from(number: $name) -> Self {
                number.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(formatter)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(formatter)
            }
        }
    };
}

number! {
    /// Position of a message in its thread: 1 for the first, then +1, with no holes, for ever.
    /// It is the only order there is. 0 stands before the first message.
    SequenceNumber
}
number! {
    /// Number of a change in its thread: 1 for the first, then +1, with no holes. 0 is the state
    /// of a thread in which nothing ever happened.
    Revision
}
number! {
    /// A moment: milliseconds since 1970-01-01 UTC. For display only; no rule depends on it.
    UnixMillis
}

impl SequenceNumber {
    /// The place before the first message.
    pub const ZERO: Self = Self(0);

    /// Returns the next position.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl Revision {
    /// The state in which nothing ever happened.
    pub const ZERO: Self = Self(0);

    /// Returns the revision of the change that follows.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// Returns how many changes lie in `(earlier, self]`; 0 if `earlier` is not earlier.
    #[must_use]
    pub fn changes_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay_exact_in_javascript() {
        let largest = serde_json::from_str::<Revision>("9007199254740991").unwrap();
        assert_eq!(largest.get(), SAFE_INTEGER_MAX);
        for bad in [
            "9007199254740992",
            "-1",
            "1.0",
            "1.5",
            "\"1\"",
            "1e3",
            "null",
        ] {
            assert!(serde_json::from_str::<Revision>(bad).is_err(), "{bad}");
        }
    }
}
