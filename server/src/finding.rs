//! What a check has found: for an operator who wonders why something does not work.

/// One thing that was looked at.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Finding {
    /// What was looked at.
    pub name: &'static str,
    /// How it is.
    pub state: State,
}

/// How something is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum State {
    /// As it should be, and how.
    Good(String),
    /// It could not be looked at, and why not.
    Skipped(String),
    /// Not as it should be.
    Bad {
        /// What is wrong.
        problem: String,
        /// What to do about it.
        remedy: String,
    },
}

impl Finding {
    /// Returns a finding that all is well.
    #[must_use]
    pub fn good(name: &'static str, how: impl Into<String>) -> Self {
        let state = State::Good(how.into());
        Self { name, state }
    }

    /// Returns a finding of something that could not be looked at.
    #[must_use]
    pub fn skipped(name: &'static str, why: impl Into<String>) -> Self {
        let state = State::Skipped(why.into());
        Self { name, state }
    }

    /// Returns a finding that something is wrong.
    #[must_use]
    pub fn bad(name: &'static str, problem: impl Into<String>, remedy: impl Into<String>) -> Self {
        let state = State::Bad {
            problem: problem.into(),
            remedy: remedy.into(),
        };
        Self { name, state }
    }

    /// Returns whether something is wrong.
    #[must_use]
    pub fn is_bad(&self) -> bool {
        matches!(self.state, State::Bad { .. })
    }
}
