//! Days on which tokens end and a page changes hands.

use super::{ALICE, BOB, OTHER, PAIR};
use crate::action::Action;
use crate::scenario::Scenario;

/// S-10: a token is replaced while the connection lives, though the application has none at first.
#[must_use]
pub fn replaced_token() -> Scenario {
    let tab = ALICE;
    Scenario::with(&[ALICE, BOB])
        .token_ms(15_000)
        .at(11_000, Action::NoToken { tab, ms: 8_000 })
        .sends(12_000, ALICE, PAIR, 2)
        .sends(40_000, ALICE, PAIR, 2)
        .sends(48_000, BOB, PAIR, 1)
}

/// S-10: the token is a text and ends; what is sent then waits until its user signs in again.
#[must_use]
pub fn text_that_ends() -> Scenario {
    let tab = ALICE;
    Scenario::with(&[ALICE, BOB])
        .token_ms(5_000)
        .token_text()
        .sends(100, ALICE, PAIR, 1)
        .sends(36_000, ALICE, PAIR, 3)
        .at(38_000, Action::Reload { tab })
        .sends(39_000, ALICE, OTHER, 1)
        .at(45_000, Action::Connect { tab })
}

/// S-10: the token ends while there is no network, and the application brings it once more.
#[must_use]
pub fn ends_offline() -> Scenario {
    let tab = ALICE;
    Scenario::with(&[ALICE, BOB])
        .token_ms(5_000)
        .at(1_000, Action::Cut { tab, ms: 60_000 })
        .at(1_000, Action::SameToken { tab, ms: 95_000 })
        .sends(2_000, ALICE, PAIR, 2)
        .at(30_000, Action::Reload { tab })
        .sends(31_000, ALICE, PAIR, 2)
        .at(100_000, Action::Connect { tab })
}

/// S-11: a user leaves their page with a full outbox to another one, who writes, too; then they
/// come back.
#[must_use]
pub fn user_switch() -> Scenario {
    let tab = ALICE;
    Scenario::with(&[ALICE, BOB])
        .sends(50, ALICE, PAIR, 1)
        .at(1_000, Action::Cut { tab, ms: 3_000 })
        .sends(1_100, ALICE, PAIR, 6)
        .sends(1_200, ALICE, OTHER, 2)
        .at(1_500, Action::SwitchUser { tab })
        .sends(1_600, ALICE, PAIR, 3)
        .sends(8_000, ALICE, PAIR, 2)
        .at(8_003, Action::SwitchUser { tab })
        .sends(8_100, ALICE, PAIR, 2)
}

/// S-11: the application's function brings the next user's token before the page is theirs.
#[must_use]
pub fn switch_behind_the_page() -> Scenario {
    let tab = ALICE;
    Scenario::with(&[ALICE, BOB])
        .token_ms(15_000)
        .at(10_500, Action::OthersToken { tab, ms: 20_000 })
        .sends(11_000, ALICE, PAIR, 1)
        .sends(16_000, ALICE, PAIR, 3)
        .at(17_000, Action::SwitchUser { tab })
        .sends(17_100, ALICE, PAIR, 2)
        .at(20_000, Action::SwitchUser { tab })
}
