//! Compares what the database holds with what was ever written, and with what every client shows and
//! has stored. Everything it looks at is handed to it, so that its tests can damage it.

mod clients;
mod database;
mod sent;
#[cfg(test)]
mod tests;

use crate::ledger::Sent;
use crate::records::Records;
use crate::view::View;

/// All that is compared, from a moment in which nothing is under way.
#[derive(Clone, Debug, Default)]
pub(crate) struct Evidence {
    /// What the database holds.
    pub(crate) records: Records,
    /// What was ever written, by the order of writing.
    pub(crate) sent: Vec<Sent>,
    /// What every client shows and has stored.
    pub(crate) views: Vec<View>,
}

/// Returns what is wrong, a sentence for each thing.
pub(crate) fn check(evidence: &Evidence) -> Vec<String> {
    let Evidence {
        records,
        sent,
        views,
    } = evidence;
    let mut wrong = Vec::new();
    database::check(records, &mut wrong);
    sent::check(records, sent, &mut wrong);
    for view in views {
        clients::check(records, view, &mut wrong);
    }
    wrong
}
