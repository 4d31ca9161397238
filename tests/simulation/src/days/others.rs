//! Days on which others write into the database, past the gateway.

use super::{ALICE, BOB, OTHER, PAIR};
use crate::action::Action;
use crate::scenario::Scenario;

/// S-33: two people talk while others write, edit and delete beside them, and the news of some of it
/// are late or lost.
#[must_use]
pub fn side_by_side() -> Scenario {
    let (thread, which) = (PAIR, 0);
    let change = |is_deleted| Action::OthersChange {
        thread,
        which,
        is_deleted,
    };
    Scenario::with(&[ALICE, BOB])
        .others_write()
        .at(20, Action::WatchInbox { tab: BOB })
        .sends(100, ALICE, PAIR, 1)
        .at(600, Action::OthersSend { thread, count: 2 })
        .sends(601, ALICE, PAIR, 2)
        .at(1_000, change(false))
        .at(1_500, Action::LoseNews { changes: 1 })
        .at(1_501, Action::OthersSend { thread, count: 1 })
        .at(3_000, Action::Deafen { ms: 4_000 })
        .at(4_000, change(true))
        .sends(4_100, BOB, PAIR, 1)
}

/// S-34: a transaction of others holds one thread for ten seconds. The other one does not wait.
#[must_use]
pub fn locked_thread() -> Scenario {
    let thread = PAIR;
    Scenario::with(&[ALICE, BOB])
        .others_write()
        .sends(100, ALICE, PAIR, 1)
        .sends(110, ALICE, OTHER, 1)
        .at(1_000, Action::Hold { thread, ms: 10_000 })
        .sends(1_100, ALICE, PAIR, 2)
        .sends(1_200, ALICE, OTHER, 2)
        .sends(2_000, BOB, PAIR, 1)
        .sends(3_000, ALICE, OTHER, 1)
}

/// S-15: others remove a participant and let them in again, with news and without.
#[must_use]
pub fn let_in_again() -> Scenario {
    let (thread, who) = (PAIR, 1);
    let again = |by_others| Action::Admit {
        thread,
        who,
        by_others,
    };
    Scenario::with(&[ALICE, BOB])
        .others_write()
        .sends(100, ALICE, PAIR, 2)
        .at(1_000, Action::OthersRemove { thread, who })
        .at(1_300, again(true))
        .sends(1_400, BOB, PAIR, 1)
        .at(2_000, Action::LoseNews { changes: 1 })
        .at(2_001, Action::OthersRemove { thread, who })
        .sends(2_002, ALICE, PAIR, 1)
        .at(2_003, again(false))
        .sends(3_000, BOB, PAIR, 1)
}

/// S-15: others remove a participant, and nobody says so.
#[must_use]
pub fn removed_by_others() -> Scenario {
    let (thread, who) = (PAIR, 1);
    Scenario::with(&[ALICE, BOB])
        .others_write()
        .sends(100, ALICE, PAIR, 2)
        .at(1_000, Action::LoseNews { changes: 1 })
        .at(1_001, Action::OthersRemove { thread, who })
        .sends(2_000, ALICE, PAIR, 2)
        .sends(2_500, BOB, PAIR, 1)
}
