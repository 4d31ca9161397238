//! What a seed adds about tokens and users, from a stream of its own: days without it stay the days
//! that they were.

use super::Day;
use crate::action::Action;
use crate::random::{pick, stream};
use crate::schedule::{Setting, Step};

/// The page that two users share.
const SHARED: usize = 0;
/// The thread of the two.
const PAIR: usize = 0;

/// Adds to one seed of three that tokens end, what the applications make of it, and that a page
/// changes hands.
pub(crate) fn add(seed: u64, end: u64, setting: &mut Setting, steps: &mut Vec<Step>) {
    let mut rng = stream(seed, "identity", 0);
    if rng.u8(0..3) > 0 {
        return;
    }
    let life = rng.u64(12_000..70_000);
    setting.token_ms = (rng.u8(0..8) > 0).then_some(life);
    setting.is_token_text = rng.u8(0..6) == 0;
    let mut day = Day {
        rng: &mut rng,
        open: &setting.open,
        end: end.max(30_000),
        steps,
    };
    for _ in 0..day.rng.usize(0..4) {
        day.identity_trouble();
    }
}

impl Day<'_> {
    fn send_to_pair(&mut self, at: u64, tab: usize, count: u64) {
        for number in 0..count {
            self.send_short(at + number * 3, tab, PAIR);
        }
    }

    fn identity_trouble(&mut self) {
        let at = self.rng.u64(200..self.end);
        let tab = pick(self.rng, self.open);
        let longest = pick(self.rng, &[3_000, 20_000, 90_000]);
        let ms = self.rng.u64(500..longest);
        match self.rng.u8(0..11) {
            0 => self.function(at, tab, Action::NoToken { tab, ms }),
            1 => self.function(at, tab, Action::SlowToken { tab, ms }),
            2 => self.function(at, tab, Action::HangingToken { tab, ms }),
            3 => self.function(at, tab, Action::SameToken { tab, ms }),
            4 => self.function(at, tab, Action::WrongToken { tab, ms }),
            5 => self.function(at, tab, Action::OthersToken { tab, ms }),
            6 => {
                self.at(at, Action::RefuseTokens { ms });
                self.meet(at, tab);
            }
            7 => {
                let code = pick(self.rng, &[4100, 4101, 4101, 4502]);
                self.at(at, Action::HangUp { tab, code });
            }
            _ => self.switch(at),
        }
    }

    /// A token function that does this for a while.
    fn function(&mut self, at: u64, tab: usize, action: Action) {
        self.at(at, action);
        self.meet(at, tab);
    }

    /// A new connection meets it, or the application that connects again, or the next refresh.
    fn meet(&mut self, at: u64, tab: usize) {
        let soon = at + self.rng.u64(0..12_000);
        let count = self.rng.u64(0..4);
        self.send_to_pair(soon, tab, count);
        match self.rng.u8(0..4) {
            0 => self.at(soon, Action::Truncate { tab }),
            1 => self.at(soon, Action::Connect { tab }),
            _ => {}
        }
    }

    /// The page changes hands with messages that wait, mostly without a network.
    fn switch(&mut self, at: u64) {
        let tab = SHARED;
        let count = self.rng.u64(0..6);
        if self.rng.u8(0..4) > 0 {
            let ms = self.rng.u64(500..15_000);
            self.at(at, Action::Cut { tab, ms });
        }
        self.send_to_pair(at, tab, count);
        let then = at + self.rng.u64(0..6_000);
        if self.rng.bool() {
            // The application's function already knows of the next one, the page does not.
            let ms = self.rng.u64(500..8_000);
            self.at(then, Action::OthersToken { tab, ms });
            self.at(then, Action::Connect { tab });
        }
        let then = then + self.rng.u64(0..2_000);
        self.at(then, Action::SwitchUser { tab });
        let count = self.rng.u64(0..4);
        self.send_to_pair(then + 1, tab, count);
        if self.rng.bool() {
            let back = then + self.rng.u64(0..15_000);
            self.at(back, Action::SwitchUser { tab });
        }
    }
}
