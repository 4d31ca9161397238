//! What a seed adds about several gateways, from a stream of its own: days of one gateway stay the
//! days that they were.

use super::Day;
use crate::action::Action;
use crate::random::{pick, stream};
use crate::schedule::{Setting, Step};

/// Gives one seed of three two or three gateways, and trouble between them.
pub(crate) fn add(seed: u64, end: u64, setting: &mut Setting, steps: &mut Vec<Step>) {
    let mut rng = stream(seed, "peers", 0);
    if rng.u8(0..3) > 0 {
        return;
    }
    setting.gateways = pick(&mut rng, &[2, 2, 3]);
    let mut day = Day {
        rng: &mut rng,
        open: &setting.open,
        end,
        steps,
    };
    for _ in 0..day.rng.usize(0..4) {
        day.between_gateways();
    }
    if day.rng.u8(0..3) < 2 {
        day.let_in_meanwhile();
        setting.store_ms = 200;
    }
}

impl Day<'_> {
    /// Somebody who was removed comes back, and is let in while the store is about to refuse them;
    /// and nobody writes after that.
    fn let_in_meanwhile(&mut self) {
        let (at, thread) = (self.end + 2_000, 0);
        let (who, tab) = pick(self.rng, &[(0, 0), (1, 3)]);
        self.at(at, Action::Remove { thread, who });
        self.at(at + 600, Action::Reload { tab });
        let by_others = false;
        let admit = Action::Admit {
            thread,
            who,
            by_others,
        };
        let mut soon = at + 600 + self.rng.u64(0..300);
        if self.rng.bool() {
            // What is read by then is answered late.
            let (each_ms, ms) = (1_500, 150);
            self.at(soon, Action::SlowStore { each_ms, ms });
            soon += ms + self.rng.u64(0..300);
        }
        self.at(soon, admit);
    }

    fn between_gateways(&mut self) {
        let at = self.rng.u64(200..self.end);
        match self.rng.u8(0..5) {
            0 | 1 => {
                let ms = pick(self.rng, &[50, 1_000, 8_000, 40_000]);
                let is_forgotten = self.rng.bool();
                self.at(at, Action::Part { ms, is_forgotten });
            }
            2 | 3 => {
                let count = self.rng.u32(1..6);
                self.at(at, Action::LoseWords { count });
                let tab = self.tab();
                let thread = self.thread(tab);
                self.send_short(at + 5, tab, thread);
            }
            _ => {
                let down_ms = pick(self.rng, &[100, 3_000, 60_000]);
                self.at(at, Action::Kill { down_ms });
            }
        }
    }
}
