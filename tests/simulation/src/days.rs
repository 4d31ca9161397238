//! The days that were thought of in advance, by the numbers of `docs/simulation.md`.

pub mod identity;
pub mod others;
pub mod peers;
pub mod streams;

use crate::action::{Action, Ending, Key, Size};
use crate::scenario::Scenario;

/// Alice's first tab, on her phone.
const ALICE: usize = 0;
/// Alice's second tab, on the same phone.
const ALICE_AGAIN: usize = 1;
/// Alice's laptop.
const LAPTOP: usize = 2;
/// Bob's tab.
const BOB: usize = 3;
/// The thread of Alice and Bob.
const PAIR: usize = 0;
/// The thread of Alice and Carol.
const OTHER: usize = 1;

/// S-01: two people connect for the first time.
#[must_use]
pub fn first_connect() -> Scenario {
    Scenario::with(&[ALICE, BOB]).at(100, Action::WatchInbox { tab: ALICE })
}

/// S-02, S-04: a message is sent, acknowledged, and arrives.
#[must_use]
pub fn send_and_ack() -> Scenario {
    Scenario::with(&[ALICE, BOB]).sends(100, ALICE, PAIR, 1)
}

/// S-03: the ack is lost once.
#[must_use]
pub fn ack_lost() -> Scenario {
    acks_lost(1)
}

/// S-03: the ack is lost five times, each time at a gateway that was started anew.
#[must_use]
pub fn ack_lost_five_times() -> Scenario {
    acks_lost(5)
}

fn acks_lost(times: u64) -> Scenario {
    let mut day = Scenario::with(&[ALICE, BOB]);
    for number in 0..times {
        let at = 1_000 + number * 40_000;
        day = day.goes_deaf(at, ALICE);
        if number == 0 {
            day = day.sends(at, ALICE, PAIR, 1);
        }
        day = day.at(at + 20_000, Action::Kill { down_ms: 500 });
    }
    day
}

/// S-05: many messages wait offline in two threads, and the first of one cannot be delivered.
#[must_use]
pub fn queued_offline() -> Scenario {
    Scenario::with(&[ALICE, BOB])
        .at(
            50,
            Action::Cut {
                tab: ALICE,
                ms: 5_000,
            },
        )
        .at(
            60,
            Action::Remove {
                thread: OTHER,
                who: 0,
            },
        )
        .sends(100, ALICE, OTHER, 3)
        .sends(200, ALICE, PAIR, 20)
}

/// S-06: the page is loaded anew while its queue leaves.
#[must_use]
pub fn reload_while_flushing() -> Scenario {
    Scenario::with(&[ALICE, BOB])
        .at(
            50,
            Action::Cut {
                tab: ALICE,
                ms: 2_000,
            },
        )
        .sends(100, ALICE, PAIR, 8)
        .at(5_005, Action::Reload { tab: ALICE })
        .at(5_020, Action::Reload { tab: ALICE })
}

/// S-07: two tabs of one device send at once.
#[must_use]
pub fn two_tabs() -> Scenario {
    Scenario::with(&[ALICE, ALICE_AGAIN, BOB])
        .sends(100, ALICE, PAIR, 4)
        .sends(101, ALICE_AGAIN, PAIR, 4)
}

/// S-10: the device sleeps until its token has ended and the gateway has given it up.
#[must_use]
pub fn sleep_past_the_token() -> Scenario {
    Scenario::with(&[ALICE, BOB])
        .token_ms(30_000)
        .at(
            100,
            Action::Sleep {
                tab: ALICE,
                ms: 1_200_000,
                clock_stops: false,
                timers_first: true,
            },
        )
        .sends(60_000, BOB, PAIR, 3)
        .sends(1_200_000 + 200, ALICE, PAIR, 2)
}

/// S-12: a device comes back more than 5,000 changes behind.
#[must_use]
pub fn far_behind() -> Scenario {
    Scenario::with(&[ALICE, BOB])
        .sends(50, ALICE, PAIR, 2)
        .at(1_000, Action::CloseTab { tab: BOB })
        .at(
            2_000,
            Action::Import {
                thread: PAIR,
                count: 2_600,
            },
        )
        .at(
            9_000,
            Action::Import {
                thread: PAIR,
                count: 2_600,
            },
        )
        .at(20_000, Action::OpenTab { tab: BOB })
}

/// S-13: messages are edited, deleted and edited again while a device is away.
#[must_use]
pub fn changed_while_offline() -> Scenario {
    Scenario::with(&[ALICE, BOB])
        .sends(50, ALICE, PAIR, 3)
        .at(
            1_000,
            Action::Cut {
                tab: BOB,
                ms: 4_000,
            },
        )
        .at(
            1_100,
            Action::Edit {
                thread: PAIR,
                which: 5,
            },
        )
        .at(
            1_200,
            Action::Delete {
                thread: PAIR,
                which: 1,
            },
        )
        .at(
            1_300,
            Action::Edit {
                thread: PAIR,
                which: 5,
            },
        )
        .sends(1_400, ALICE, PAIR, 1)
        .at(
            1_500,
            Action::Edit {
                thread: PAIR,
                which: 1,
            },
        )
}

/// S-14: one message is edited twice at once.
#[must_use]
pub fn edited_at_once() -> Scenario {
    Scenario::with(&[ALICE, BOB])
        .sends(50, ALICE, PAIR, 1)
        .at(
            1_000,
            Action::Edit {
                thread: PAIR,
                which: 1,
            },
        )
        .at(
            1_000,
            Action::Edit {
                thread: PAIR,
                which: 1,
            },
        )
        .at(
            1_000,
            Action::Delete {
                thread: PAIR,
                which: 1,
            },
        )
}

/// S-15: somebody is removed while they write, while they are away, and while they catch up.
#[must_use]
pub fn removed() -> Scenario {
    Scenario::with(&[ALICE, LAPTOP, BOB])
        .sends(50, ALICE, PAIR, 2)
        .at(
            1_000,
            Action::Cut {
                tab: LAPTOP,
                ms: 3_000,
            },
        )
        .sends(1_100, BOB, PAIR, 2)
        .sends(1_101, ALICE, PAIR, 2)
        .at(
            1_102,
            Action::Remove {
                thread: PAIR,
                who: 0,
            },
        )
        .sends(1_103, ALICE, PAIR, 2)
}

/// S-16: the database is restored from a backup that lacks the newest messages.
#[must_use]
pub fn restored() -> Scenario {
    Scenario::with(&[ALICE, BOB])
        .sends(50, ALICE, PAIR, 3)
        .sends(1_000, BOB, PAIR, 3)
        .at(
            2_000,
            Action::Cut {
                tab: BOB,
                ms: 9_000,
            },
        )
        .at(3_000, Action::Restore { batches: 3 })
        .sends(3_100, ALICE, PAIR, 2)
}

/// S-19: the connection to the store dies during a commit.
#[must_use]
pub fn commit_unknown() -> Scenario {
    Scenario::with(&[ALICE, BOB])
        .at(50, Action::StoreUnknown { is_stored: true })
        .at(50, Action::StoreUnknown { is_stored: false })
        .sends(100, ALICE, PAIR, 2)
        .at(20_000, Action::StoreUnknown { is_stored: true })
        .at(
            20_000,
            Action::Edit {
                thread: PAIR,
                which: 1,
            },
        )
}

/// S-20: the disk of the gateway is full for a while. That of the client is in every scenario.
#[must_use]
pub fn store_busy() -> Scenario {
    Scenario::with(&[ALICE, BOB])
        .at(50, Action::StoreBusy { commits: 2 })
        .at(50, Action::ReadsFail { reads: 2 })
        .sends(100, ALICE, PAIR, 2)
}

/// S-21: one client takes nothing while the others write.
#[must_use]
pub fn slow_consumer() -> Scenario {
    Scenario::with(&[ALICE, BOB])
        .sends(50, ALICE, PAIR, 1)
        .at(
            500,
            Action::Stall {
                tab: BOB,
                up: false,
                down: true,
                ms: 4_000,
                ending: Ending::Resumes,
            },
        )
        .at(
            600,
            Action::Import {
                thread: PAIR,
                count: 260,
            },
        )
        .at(
            1_000,
            Action::Import {
                thread: PAIR,
                count: 10,
            },
        )
}

/// S-23: the wall clock jumps while the client connects.
#[must_use]
pub fn clock_jump() -> Scenario {
    Scenario::with(&[ALICE, BOB])
        .at(
            1,
            Action::WallJump {
                tab: ALICE,
                ms: 86_400_000,
            },
        )
        .sends(2, ALICE, PAIR, 1)
        .at(
            3,
            Action::WallJump {
                tab: ALICE,
                ms: -172_800_000,
            },
        )
        .sends(100, ALICE, PAIR, 1)
}

/// S-30: one draft is sent from every device of a user.
#[must_use]
pub fn same_draft_everywhere() -> Scenario {
    let copy = |tab| Action::Send {
        tab,
        thread: PAIR,
        size: Size::Short,
        key: Key::Copied,
    };
    Scenario::with(&[ALICE, LAPTOP, BOB])
        .at(
            50,
            Action::Cut {
                tab: ALICE,
                ms: 1_000,
            },
        )
        .sends(100, ALICE, PAIR, 1)
        .at(101, copy(LAPTOP))
        .at(102, copy(LAPTOP))
}

/// S-31: a message whose ack was lost is sent again much later; a key has no last day.
#[must_use]
pub fn much_later() -> Scenario {
    Scenario::with(&[ALICE, BOB])
        .goes_deaf(90, ALICE)
        .sends(100, ALICE, PAIR, 1)
        .at(200, Action::CloseTab { tab: ALICE })
        .at(300, Action::CloseTab { tab: BOB })
        .at(1_200_000, Action::OpenTab { tab: ALICE })
}

/// S-32: the gateway is killed while everybody is online.
#[must_use]
pub fn presence_after_a_kill() -> Scenario {
    Scenario::with(&[ALICE, BOB])
        .at(
            1_000,
            Action::Type {
                tab: ALICE,
                thread: PAIR,
                is_typing: true,
            },
        )
        .at(1_100, Action::Kill { down_ms: 2_000 })
        .at(1_200, Action::CloseTab { tab: ALICE })
}
