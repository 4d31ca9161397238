//! What a seed adds about others who write into the database, from a stream of its own: days without
//! it stay the days that they were.

use super::Day;
use crate::action::Action;
use crate::random::{pick, stream};
use crate::schedule::{Setting, Step, TABS, threads_of};

/// Adds to one seed of three that others write, too, and that the gateway is not always told.
pub(crate) fn add(seed: u64, end: u64, setting: &mut Setting, steps: &mut Vec<Step>) {
    let mut rng = stream(seed, "others", 0);
    if rng.u8(0..3) > 0 {
        return;
    }
    setting.others_write = true;
    let mut day = Day {
        rng: &mut rng,
        open: &setting.open,
        end,
        steps,
    };
    for _ in 0..day.rng.usize(1..8) {
        day.others_write();
    }
    for _ in 0..day.rng.usize(0..4) {
        day.others_trouble();
    }
    if day.rng.u8(0..3) == 0 {
        day.others_race();
        setting.store_ms = 60;
    }
}

impl Day<'_> {
    fn others_thread(&mut self) -> usize {
        pick(self.rng, &[0, 0, 0, 1])
    }

    /// Others write, and mostly somebody writes here at the same time.
    fn others_write(&mut self) {
        let (at, thread) = (self.rng.u64(200..self.end), self.others_thread());
        let which = self.rng.u32(..);
        let action = match self.rng.u8(0..12) {
            0..=5 => Action::OthersSend {
                thread,
                count: pick(self.rng, &[1, 1, 2, 5, 60]),
            },
            6 => Action::OthersRemove {
                thread,
                who: which % 2,
            },
            _ => Action::OthersChange {
                thread,
                which,
                is_deleted: self.rng.bool(),
            },
        };
        if let Action::OthersRemove { thread, who } = action
            && self.rng.u8(0..4) > 0
        {
            let by_others = self.rng.bool();
            let again = Action::Admit {
                thread,
                who,
                by_others,
            };
            let later = at + pick(self.rng, &[1, 40, 300, 20_000]);
            self.at(later, again);
        }
        self.at(at, action);
        if self.rng.u8(0..3) > 0 {
            let around = self.rng.u64(0..400);
            self.send_to((at + around).saturating_sub(200), thread);
        }
    }

    fn send_to(&mut self, at: u64, thread: usize) {
        let theirs = |tab: &&usize| threads_of(TABS[**tab]).any(|one| one == thread);
        let tabs: Vec<_> = self.open.iter().filter(theirs).copied().collect();
        let tab = pick(self.rng, &tabs);
        for number in 0..self.rng.u64(1..4) {
            self.send_short(at + number, tab, thread);
        }
    }

    /// Others write faster than the store answers, in another order than it was asked; and nobody
    /// writes after them.
    fn others_race(&mut self) {
        let thread = self.others_thread();
        let mut at = self.end;
        for _ in 0..self.rng.usize(4..16) {
            at += self.rng.u64(5..120);
            self.at(at, Action::OthersSend { thread, count: 1 });
        }
    }

    fn others_trouble(&mut self) {
        let (at, thread) = (self.rng.u64(200..self.end), self.others_thread());
        match self.rng.u8(0..5) {
            0 => {
                let ms = pick(self.rng, &[200, 3_000, 20_000]);
                self.at(at, Action::Deafen { ms });
                let soon = at + self.rng.u64(0..ms);
                self.at(soon, Action::OthersSend { thread, count: 1 });
            }
            1 | 2 => {
                let changes = self.rng.u32(1..4);
                self.at(at, Action::LoseNews { changes });
                let soon = at + self.rng.u64(0..2_000);
                self.at(soon, Action::OthersSend { thread, count: 1 });
            }
            _ => {
                let ms = pick(self.rng, &[50, 1_500, 5_000, 12_000]);
                self.at(at, Action::Hold { thread, ms });
                let soon = at + self.rng.u64(0..ms);
                self.send_to(soon, thread);
                self.send_to(soon + 5, thread);
            }
        }
    }
}
