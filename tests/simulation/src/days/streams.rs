//! Days behind a proxy that lets no WebSocket through.

use super::{ALICE, BOB, OTHER, PAIR};
use crate::action::Action;
use crate::scenario::Scenario;

/// S-24: streams only, several gateways; what a request is answered comes before and after what the
/// stream says of it.
#[must_use]
pub fn streams_only() -> Scenario {
    let refuse = |tab| Action::RefuseUpgrades { tab, ms: 100_000 };
    let mut day = Scenario::with(&[ALICE, BOB])
        .gateways(2)
        .at(0, refuse(ALICE))
        .at(0, refuse(BOB));
    for round in 0..8 {
        let at = 3_000 + round * 700;
        day = day
            .sends(at, ALICE, PAIR, 3)
            .sends(at + 10, BOB, PAIR, 2)
            .sends(at + 20, ALICE, OTHER, 1);
    }
    let (tab, thread) = (ALICE, OTHER);
    day.at(9_000, Action::Close { tab, thread })
        .at(9_500, Action::Open { tab, thread })
        .sends(9_501, ALICE, OTHER, 1)
        .at(10_000, Action::Cut { tab, ms: 300 })
}

/// S-24, the way back: a WebSocket is had again while people talk by streams.
#[must_use]
pub fn back_to_a_socket() -> Scenario {
    let refuse = |tab| Action::RefuseUpgrades { tab, ms: 10_000 };
    let mut day = Scenario::with(&[ALICE, BOB])
        .at(1_000, refuse(ALICE))
        .at(1_000, refuse(BOB));
    for round in 0..100 {
        let at = 3_000 + round * 1_000;
        day = day.sends(at, ALICE, PAIR, 1).sends(at + 500, BOB, PAIR, 1);
    }
    day
}
