//! What happened: a hash to compare two runs by, and lines for people who ask.

use std::hash::{DefaultHasher, Hash, Hasher};

/// What happened in a run.
#[derive(Debug)]
pub struct Trace {
    hasher: DefaultHasher,
    lines: Option<Vec<String>>,
    now: u64,
}

impl Trace {
    /// Starts empty; `is_told` keeps lines for people.
    pub fn new(is_told: bool) -> Self {
        Self {
            hasher: DefaultHasher::new(),
            lines: is_told.then(Vec::new),
            now: 0,
        }
    }

    /// Moves to a moment.
    pub fn at(&mut self, now: u64) {
        self.now = now;
        now.hash(&mut self.hasher);
    }

    /// Takes what tells two runs apart.
    pub fn hash(&mut self, what: impl Hash) {
        what.hash(&mut self.hasher);
    }

    /// Notes a line, which is only made if somebody reads it.
    pub fn note(&mut self, line: impl FnOnce() -> String) {
        if let Some(lines) = &mut self.lines {
            lines.push(format!("{:>9} ms  {}", self.now, line()));
        }
    }

    /// Returns the hash of everything, and the lines.
    pub fn finish(self) -> (u64, Vec<String>) {
        (self.hasher.finish(), self.lines.unwrap_or_default())
    }
}
