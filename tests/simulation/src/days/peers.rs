//! Days with several gateways.

use super::{ALICE, BOB, LAPTOP, OTHER, PAIR};
use crate::action::Action;
use crate::scenario::Scenario;

/// S-17: gateways part and meet again, over and over, while people talk.
#[must_use]
pub fn flapping() -> Scenario {
    let mut day = Scenario::with(&[ALICE, BOB]).gateways(2);
    for round in 0..6 {
        let (at, is_forgotten) = (200 + round * 4_000, round == 3);
        let ms = 2_000;
        day = day
            .at(at, Action::Part { ms, is_forgotten })
            .sends(at + 100, ALICE, PAIR, 1)
            .sends(at + 3_000, BOB, PAIR, 1);
    }
    day
}

/// S-35: one gateway after the other is killed while people talk by way of them, and some of what
/// they tell each other is lost.
#[must_use]
pub fn killed_in_turn() -> Scenario {
    let down_ms = 2_000;
    Scenario::with(&[ALICE, LAPTOP, BOB])
        .gateways(3)
        .sends(100, ALICE, PAIR, 2)
        .at(500, Action::LoseWords { count: 2 })
        .sends(501, BOB, PAIR, 2)
        .at(2_000, Action::Kill { down_ms })
        .sends(2_001, ALICE, PAIR, 1)
        .sends(2_002, LAPTOP, OTHER, 1)
        .at(4_500, Action::Kill { down_ms })
        .sends(4_501, BOB, PAIR, 1)
}

/// S-16: a backup is put in place under two gateways, which find out by what they ask next.
#[must_use]
pub fn restored_beneath() -> Scenario {
    Scenario::with(&[ALICE, BOB])
        .gateways(2)
        .sends(100, ALICE, PAIR, 2)
        .sends(2_000, BOB, PAIR, 1)
        .at(2_001, Action::Restore { batches: 1 })
        .sends(2_002, ALICE, PAIR, 2)
}
