//! What a seed adds about networks that let no WebSocket through, from a stream of its own: other
//! days stay the days that they were.

use super::Day;
use crate::action::Action;
use crate::random::{pick, stream};
use crate::schedule::{Setting, Step};

/// Gives one seed of four tabs behind a proxy that refuses upgrades, some from the beginning.
pub(crate) fn add(seed: u64, end: u64, setting: &mut Setting, steps: &mut Vec<Step>) {
    let mut rng = stream(seed, "streams", 0);
    if rng.u8(0..4) > 0 {
        return;
    }
    let open = setting.open.clone();
    let several = setting.gateways > 1;
    let mut day = Day {
        rng: &mut rng,
        open: &open,
        end,
        steps,
    };
    for tab in open.clone() {
        match day.rng.u8(0..3) {
            0 => {}
            1 => day.at(
                0,
                Action::RefuseUpgrades {
                    tab,
                    ms: end + 60_000,
                },
            ),
            _ => {
                let at = day.when();
                let ms = pick(day.rng, &[2_000, 20_000, 100_000]);
                day.at(at, Action::RefuseUpgrades { tab, ms });
            }
        }
    }
    // What a stream cannot be told is told by another one that follows it.
    for _ in 0..day.rng.usize(0..5) {
        let (at, tab) = (day.when(), day.tab());
        let thread = day.thread(tab);
        day.at(at, Action::Close { tab, thread });
        let soon = at + pick(day.rng, &[1, 400, 3_000]);
        day.at(soon, Action::Open { tab, thread });
        day.send_short(soon + 1, tab, thread);
    }
    if several && day.rng.bool() {
        // One gateway finds out before the other; requests meet either.
        let (at, tab) = (day.when(), day.tab());
        let batches = day.rng.u32(1..4);
        day.at(at, Action::Restore { batches });
        for _ in 0..4 {
            let thread = day.thread(tab);
            let soon = at + day.rng.u64(1..400);
            day.send_short(soon, tab, thread);
        }
    }
    for _ in 0..day.rng.usize(0..3) {
        // Something happens to a request or a stream, not to both in the same way.
        let (at, tab) = (day.when(), day.tab());
        let thread = day.thread(tab);
        day.send_short(at, tab, thread);
        let soon = at + day.rng.u64(1..300);
        let ms = pick(day.rng, &[1, 200]);
        day.at(soon, Action::Cut { tab, ms });
    }
    add_refusals(&mut day);
}

/// Something on the way refuses requests, or cuts WebSockets soon.
fn add_refusals(day: &mut Day<'_>) {
    for _ in 0..day.rng.usize(0..3) {
        let (at, tab) = (day.when(), day.tab());
        let ms = pick(day.rng, &[500, 5_000, 60_000]);
        day.at(at, Action::RefuseRequests { tab, ms });
        for _ in 0..3 {
            let thread = day.thread(tab);
            let soon = at + day.rng.u64(1..2_000);
            day.send_short(soon, tab, thread);
        }
    }
    if day.rng.u8(0..3) == 0 {
        let (at, tab) = (day.when(), day.tab());
        let ms = pick(day.rng, &[20_000, 100_000]);
        day.at(at, Action::CutSockets { tab, ms });
    }
}
