//! A schedule from a seed. Each seed picks few kinds of trouble, and then plenty of each: a run in
//! which everything goes wrong at once rarely gets far enough for anything interesting.

mod identity;
mod others;
mod peers;
mod streams;

use fastrand::Rng;

use crate::action::{Action, Ending, Hint, Key, Size};
use crate::random::{pick, stream};
use crate::schedule::{Schedule, Setting, Step, TABS, threads_of};

/// Makes the schedule of a seed.
#[must_use]
pub fn schedule(seed: u64) -> Schedule {
    let mut rng = stream(seed, "swarm", 0);
    let rng = &mut rng;
    let mut setting = setting(rng);
    let end = rng.u64(10_000..120_000);
    let mut steps = Vec::new();
    let mut day = Day {
        rng,
        open: &setting.open,
        end,
        steps: &mut steps,
    };
    day.people();
    for _ in 0..day.rng.usize(0..6) {
        day.trouble();
    }
    identity::add(seed, end, &mut setting, &mut steps);
    others::add(seed, end, &mut setting, &mut steps);
    peers::add(seed, end, &mut setting, &mut steps);
    streams::add(seed, end, &mut setting, &mut steps);
    // Three tabs, and what is left of those that were cut off.
    let mut rng = stream(seed, "limits", 0);
    if rng.u8(0..3) == 0 {
        setting.user_connections = rng.usize(4..6);
    }
    steps.sort_by_key(|step| step.at);
    Schedule {
        seed,
        setting,
        steps,
    }
}

fn setting(rng: &mut Rng) -> Setting {
    // Alice and Bob are always there.
    let mut open = vec![0, 3];
    for tab in [1, 2, 4, 5] {
        if rng.u8(0..3) == 0 {
            open.push(tab);
        }
    }
    open.sort_unstable();
    Setting {
        open,
        skip_failed: rng.u8(0..6) == 0,
        network_ms: pick(rng, &[1, 20, 20, 100, 400]),
        storage_ms: pick(rng, &[1, 1, 5, 5, 60, 400]),
        store_ms: pick(rng, &[1, 1, 5, 50]),
        is_token_text: false,
        others_write: false,
        gateways: 1,
        token_ms: (rng.u8(0..6) == 0).then(|| rng.u64(5_000..60_000)),
        gateway_skew_ms: if rng.bool() {
            0
        } else {
            rng.i64(-5_000..5_000)
        },
        // Drawn elsewhere, so that the days of before stay what they were.
        user_connections: 20,
    }
}

/// A day being made up.
struct Day<'a> {
    rng: &'a mut Rng,
    open: &'a [usize],
    end: u64,
    steps: &'a mut Vec<Step>,
}

impl Day<'_> {
    fn at(&mut self, at: u64, action: Action) {
        self.steps.push(Step { at, action });
    }

    /// A short message, by a call of its own.
    fn send_short(&mut self, at: u64, tab: usize, thread: usize) {
        let (size, key) = (Size::Short, Key::Fresh);
        let action = Action::Send {
            tab,
            thread,
            size,
            key,
        };
        self.at(at, action);
    }

    fn when(&mut self) -> u64 {
        self.rng.u64(200..self.end)
    }

    /// One of the tabs that are open at the beginning.
    fn tab(&mut self) -> usize {
        pick(self.rng, self.open)
    }

    /// A thread of the tab's user.
    fn thread(&mut self, tab: usize) -> usize {
        let theirs: Vec<usize> = threads_of(TABS[tab]).collect();
        // Mostly the first: two who talk are more interesting than three who do not.
        if self.rng.u8(0..4) > 0 {
            theirs[0]
        } else {
            pick(self.rng, &theirs)
        }
    }

    fn device(&mut self) -> usize {
        let tab = self.tab();
        TABS[tab]
    }

    fn send(&mut self, at: u64, tab: usize, key: Key) {
        let thread = self.thread(tab);
        let size = match self.rng.u8(0..40) {
            0 => Size::TooLong,
            1..=3 => Size::Long,
            _ => Size::Short,
        };
        self.at(
            at,
            Action::Send {
                tab,
                thread,
                size,
                key,
            },
        );
    }

    /// What people do. They write in bursts.
    fn people(&mut self) {
        for _ in 0..self.rng.usize(2..10) {
            let (mut at, tab) = (self.when(), self.tab());
            for _ in 0..self.rng.usize(1..6) {
                self.send(at, tab, Key::Fresh);
                at += pick(self.rng, &[0, 1, 5, 300, 2_000]);
            }
        }
        for _ in 0..self.rng.usize(0..6) {
            let (at, tab) = (self.when(), self.tab());
            let thread = self.thread(tab);
            let action = match self.rng.u8(0..11) {
                0..=2 => Action::Discard {
                    tab,
                    which: self.rng.u32(..),
                },
                3 => Action::Retry { tab },
                4 | 5 => Action::LoadOlder { tab, thread },
                6 => Action::Close { tab, thread },
                7 => Action::Open { tab, thread },
                8 => Action::WatchInbox { tab },
                _ => Action::Type {
                    tab,
                    thread,
                    is_typing: self.rng.u8(0..4) > 0,
                },
            };
            self.at(at, action);
        }
    }

    /// The backend edits or deletes a message.
    fn change(&mut self, at: u64, thread: usize, which: u32) {
        let action = match self.rng.bool() {
            true => Action::Delete { thread, which },
            false => Action::Edit { thread, which },
        };
        self.at(at, action);
    }

    /// One kind of trouble, some times.
    fn trouble(&mut self) {
        let kind = self.rng.u8(0..37);
        let times = match kind {
            0..=3 | 17 | 24 => self.rng.usize(1..3),
            _ => self.rng.usize(1..6),
        };
        for _ in 0..times {
            let at = self.when();
            match kind {
                0..=7 => self.backend_and_people(kind, at),
                8..=16 => self.pages(kind, at),
                17..=20 => self.storage(kind, at),
                21..=23 => self.network(at),
                33..=36 => self.unlucky(kind, at),
                _ => self.gateway(kind, at),
            }
        }
    }

    fn backend_and_people(&mut self, kind: u8, at: u64) {
        let tab = self.tab();
        let thread = self.thread(tab);
        match kind {
            0 => {
                let who = self.rng.u32(0..2);
                self.at(at, Action::Remove { thread, who });
            }
            1 => {
                let count = pick(self.rng, &[20, 30, 60, 60, 70, 260]);
                self.at(at, Action::Import { thread, count });
            }
            2 => self.at(at, Action::Logout { tab }),
            3 => {
                self.at(at, Action::Disconnect { tab });
                let back = at + self.rng.u64(0..20_000);
                self.at(back, Action::Connect { tab });
            }
            4 => {
                let key = pick(self.rng, &[Key::Stolen, Key::Copied, Key::Clashing]);
                self.send(at, tab, key);
            }
            5 => {
                // Taken back at once, on its way or before.
                self.send(at, tab, Key::Fresh);
                let soon = at + self.rng.u64(0..400);
                let which = self.rng.u32(..);
                self.at(soon, Action::Discard { tab, which });
            }
            _ => {
                let which = self.rng.u32(..);
                self.change(at, thread, which);
            }
        }
    }

    fn pages(&mut self, kind: u8, at: u64) {
        let tab = self.tab();
        let ms = self.some_time();
        match kind {
            8 => {
                self.at(at, Action::Reload { tab });
            }
            9 => self.at(at, Action::Crash { tab }),
            10 | 11 => {
                let effects = self.rng.u32(0..20);
                self.at(at, Action::CrashAfter { tab, effects });
                let back = at + self.rng.u64(10..10_000);
                self.at(back, Action::OpenTab { tab });
            }
            12 => {
                // A tab dies while another of its device stays.
                let other = self.rng.usize(0..TABS.len() - 1);
                self.at(at, Action::OpenTab { tab: other });
                let later = at + self.rng.u64(0..10_000);
                let action = if self.rng.bool() {
                    Action::Crash { tab }
                } else {
                    Action::CloseTab { tab: other }
                };
                self.at(later, action);
            }
            13 => {
                if self.rng.bool() {
                    // In the middle of connecting anew.
                    let before = at.saturating_sub(self.rng.u64(0..2_500));
                    self.at(before, Action::Truncate { tab });
                }
                let (clock_stops, timers_first) = (self.rng.bool(), self.rng.bool());
                let ms = if self.rng.bool() { ms } else { ms * 100 };
                self.at(
                    at,
                    Action::Sleep {
                        tab,
                        ms,
                        clock_stops,
                        timers_first,
                    },
                );
            }
            14 => self.at(at, Action::Throttle { tab, ms: ms * 5 }),
            15 => {
                let ms = pick(self.rng, &[-86_400_000, -3_000, 4_000, 60_000, 86_400_000]);
                self.at(at, Action::WallJump { tab, ms });
            }
            _ => {
                let hint = [Hint::Hidden, Hint::Offline, Hint::Online, Hint::Visible];
                let hint = pick(self.rng, &hint);
                self.at(at, Action::Tell { tab, hint });
            }
        }
    }

    fn storage(&mut self, kind: u8, at: u64) {
        let device = self.device();
        let few = self.rng.u32(1..5);
        let action = match (kind, self.rng.u8(0..4)) {
            (17, 0) => Action::Evict { device },
            (17, 1) => Action::CloseDatabase { device },
            (20, 0) => Action::Damage { device },
            (17, _) => Action::Quota {
                device,
                writes: few,
            },
            (18, _) => Action::AbortWrites {
                device,
                writes: few,
            },
            (19, _) => {
                let each_ms = pick(self.rng, &[300, 1_500, 30_000]);
                Action::SlowStorage {
                    device,
                    each_ms,
                    ms: self.some_time() * 3,
                }
            }
            _ => Action::PowerLoss { device },
        };
        self.at(at, action);
    }

    fn network(&mut self, at: u64) {
        let (tab, ms) = (self.tab(), self.some_time());
        let ending = pick(self.rng, &[Ending::Resumes, Ending::Resets, Ending::Dies]);
        let action = match self.rng.u8(0..16) {
            0..=3 => Action::Cut { tab, ms },
            4..=7 => {
                let (up, down) = pick(self.rng, &[(true, true), (true, false), (false, true)]);
                Action::Stall {
                    tab,
                    up,
                    down,
                    ms: ms * 2,
                    ending,
                }
            }
            8 => {
                let code = pick(
                    self.rng,
                    &[1000, 1001, 1006, 1011, 1012, 1013, 4000, 4100, 3000],
                );
                Action::HangUp { tab, code }
            }
            9 => Action::Truncate { tab },
            10 | 11 => Action::Flap { tab, ms: ms * 3 },
            12 => Action::Portal { tab, ms },
            13 => Action::Lag {
                tab,
                usual_ms: 1_500,
                ms: ms * 2,
            },
            14 => match self.rng.u8(0..3) {
                0 => Action::NoToken { tab, ms },
                1 => Action::SlowToken { tab, ms },
                _ => Action::WrongToken { tab, ms },
            },
            _ => Action::Cut { tab, ms: 50 },
        };
        let is_token = matches!(
            action,
            Action::Portal { .. }
                | Action::NoToken { .. }
                | Action::SlowToken { .. }
                | Action::WrongToken { .. }
                | Action::Lag { .. }
        );
        self.at(at, action);
        if is_token {
            // Only a new connection meets it.
            self.at(at, Action::Truncate { tab });
        }
    }

    fn gateway(&mut self, kind: u8, at: u64) {
        let down_ms = self.rng.u64(1..8_000);
        let few = self.rng.u32(1..4);
        let action = match kind {
            24 => Action::Restore {
                batches: self.rng.u32(1..12),
            },
            25 => Action::Kill { down_ms },
            26 | 27 => Action::KillAfter {
                effects: self.rng.u32(0..30),
                down_ms,
            },
            28 => Action::Drain { down_ms },
            29 => Action::Pause {
                ms: self.some_time(),
            },
            30 => {
                if self.rng.bool() {
                    // Nobody asks again for what the backend did.
                    let which = self.rng.u32(..);
                    self.at(at + 1, Action::Edit { thread: 0, which });
                }
                Action::StoreUnknown {
                    is_stored: self.rng.u8(0..3) > 0,
                }
            }
            31 => {
                if self.rng.bool() {
                    Action::StoreBusy { commits: few }
                } else {
                    Action::ReadsFail { reads: few }
                }
            }
            _ => {
                let each_ms = pick(self.rng, &[100, 600, 4_000]);
                Action::SlowStore {
                    each_ms,
                    ms: self.some_time(),
                }
            }
        };
        self.at(at, action);
    }

    /// What rarely meets by chance.
    fn unlucky(&mut self, kind: u8, at: u64) {
        let tab = self.tab();
        let thread = self.thread(tab);
        let (size, key) = (Size::Short, Key::Fresh);
        let send = || Action::Send {
            tab,
            thread,
            size,
            key,
        };
        let soon = at + self.rng.u64(5..2_000);
        match kind {
            33 => {
                // The ack is lost, and the message changed before it is asked for again.
                self.at(at, Action::goes_deaf(tab));
                self.at(at, send());
                self.change(soon, thread, 0);
            }
            36 => {
                // Older messages are on their way while they change.
                self.at(at, Action::Import { thread, count: 60 });
                let device = TABS[tab];
                self.at(at + 500, Action::Evict { device });
                self.at(at + 500, Action::Reload { tab });
                self.at(at + 500, Action::OpenTab { tab });
                let (each_ms, ms) = (100, 3_000);
                self.at(at + 1_400, Action::SlowStore { each_ms, ms });
                self.at(at + 1_500, Action::LoadOlder { tab, thread });
                for _ in 0..4 {
                    // One of the oldest.
                    let which = self.rng.u32(45..65) * 4;
                    let soon = at + 1_500 + self.rng.u64(0..150);
                    self.at(soon, Action::Edit { thread, which });
                }
            }
            34 => {
                // The clock goes back between two messages that are read again later.
                self.at(at, Action::Cut { tab, ms: 8_000 });
                self.at(at, send());
                self.at(
                    at,
                    Action::WallJump {
                        tab,
                        ms: -3_600_000,
                    },
                );
                self.at(soon, send());
                let later = soon + self.rng.u64(10..3_000);
                self.at(later, Action::Reload { tab });
            }
            _ => {
                // Some wait behind one that fails.
                self.at(at, Action::Cut { tab, ms: 1_500 });
                let who = self.rng.u32(0..2);
                self.at(at, Action::Remove { thread, who });
                (0..3).for_each(|_| self.at(at + 1, send()));
                let which = self.rng.u32(..);
                self.at(soon + 3_000, Action::Discard { tab, which });
            }
        }
    }

    fn some_time(&mut self) -> u64 {
        let longest = pick(self.rng, &[500, 5_000, 20_000, 60_000]);
        self.rng.u64(50..longest)
    }
}
