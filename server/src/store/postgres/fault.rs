//! What an error of the database means for a batch.

use rejoinder_protocol::ErrorCode;
use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

use crate::store::StoreError;

/// How far a batch had come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Stage {
    /// Nothing could have been stored.
    Before,
    /// The commit had been asked for.
    Commit,
}

/// Why a batch was not applied.
#[derive(Debug)]
pub(super) enum Fault {
    /// It lost a race with another writer, and nothing was written: it can be run again at once.
    Again(Error),
    /// Somebody else holds a lock that it needs, for longer than it may wait. Nothing was written.
    Locked(Error),
    /// One of its statements failed, and nothing was written.
    Statement(Error),
    /// The server does not answer, or takes no writes. Nothing was written.
    Unavailable(String),
    /// The server was lost at the commit.
    UnknownFate(String),
}

impl Fault {
    pub(super) fn of(error: Error, stage: Stage) -> Self {
        let Some(code) = error.code() else {
            return Self::lost(stage, words(&error));
        };
        match *code {
            SqlState::T_R_SERIALIZATION_FAILURE
            | SqlState::T_R_DEADLOCK_DETECTED
            | SqlState::UNIQUE_VIOLATION => Self::Again(error),
            SqlState::LOCK_NOT_AVAILABLE => Self::Locked(error),
            // Another server has taken over, and this one only follows.
            SqlState::READ_ONLY_SQL_TRANSACTION => Self::Unavailable(words(&error)),
            _ => match code.code().get(..2) {
                // Connections, shutdowns and crashes; the server ends the session.
                Some("08" | "57") if *code != SqlState::QUERY_CANCELED => {
                    Self::lost(stage, words(&error))
                }
                // Out of memory, disk or connections; internal errors of the server.
                Some("53" | "58" | "XX") => Self::Unavailable(words(&error)),
                _ => Self::Statement(error),
            },
        }
    }

    /// Returns whether the connection can be used for another transaction.
    pub(super) fn leaves_the_connection(&self) -> bool {
        match self {
            Self::Again(_) | Self::Locked(_) | Self::Statement(_) => true,
            Self::Unavailable(_) | Self::UnknownFate(_) => false,
        }
    }

    fn lost(stage: Stage, words: String) -> Self {
        match stage {
            Stage::Before => Self::Unavailable(words),
            Stage::Commit => Self::UnknownFate(words),
        }
    }
}

impl From<Fault> for StoreError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Again(error) | Fault::Locked(error) | Fault::Statement(error) => {
                Self::Unavailable(words(&error))
            }
            Fault::Unavailable(words) => Self::Unavailable(words),
            Fault::UnknownFate(words) => Self::UnknownFate(words),
        }
    }
}

/// Returns what a sender is told whose message the database refuses: a rule of the application's, or
/// a value that its columns do not take, will refuse it again.
pub(super) fn refusal(error: &Error) -> ErrorCode {
    let Some(code) = error.code() else {
        return ErrorCode::Internal;
    };
    match code.code().get(..2) {
        _ if *code == SqlState::RAISE_EXCEPTION => ErrorCode::Forbidden,
        Some("22" | "23") if !is_of_ours(error) => ErrorCode::Invalid,
        _ => ErrorCode::Internal,
    }
}

/// Returns whether what was broken is a rule of ours: then another attempt may keep it.
fn is_of_ours(error: &Error) -> bool {
    error.as_db_error().is_some_and(|error| {
        error.schema() == Some("rejoinder")
            || error
                .constraint()
                .is_some_and(|name| name.starts_with("rejoinder_"))
    })
}

/// Returns what an error says; the values of rows, which the server shows as details, are left out.
pub(super) fn words(error: &Error) -> String {
    match error.as_db_error() {
        Some(error) => format!("{} ({})", error.message(), error.code().code()),
        None => {
            let cause = std::error::Error::source(error);
            cause.map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"))
        }
    }
}
