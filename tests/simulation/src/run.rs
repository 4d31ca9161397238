//! A run from its seed to its verdict.

use std::panic::{AssertUnwindSafe, catch_unwind};

use rejoinder::engine::{AppInput, ConnectionState};

use crate::coverage::Coverage;
use crate::invariant::{Invariant, Violation};
use crate::schedule::Schedule;
use crate::world::{FaultAt, World};

/// From the last fault until everybody must be connected, in virtual milliseconds: a connection
/// that died in silence is noticed after 53 s, and the longest wait between attempts is 30 s.
const CONNECT_MS: u64 = 95_000;
/// From then until nothing may wait: a thread pauses up to 32 s after a refusal, and of many that
/// fail one after another, each must be discarded.
const FLUSH_MS: u64 = 180_000;
/// Users look at failed messages this often after the last fault, in virtual milliseconds.
const LOOK_MS: u64 = 5_000;

/// … and look again so soon after they have discarded one.
const GLANCE_MS: u64 = 300;

/// What came of a run.
#[derive(Debug)]
pub struct Verdict {
    /// What did not hold, if anything.
    pub violation: Option<Violation>,
    /// Equal for equal runs.
    pub hash: u64,
    /// How many events there were.
    pub events: u64,
    /// Effects of pages and of gateways before the faults ended.
    pub effects: (u64, u64),
    /// Writes to browsers' storage before the faults ended.
    pub writes: u64,
    /// Which faults and states were reached.
    pub coverage: Coverage,
    /// What happened, if it was asked for.
    pub lines: Vec<String>,
}

/// Runs a schedule.
#[must_use]
pub fn run(schedule: &Schedule, is_told: bool) -> Verdict {
    run_with(schedule, None, is_told)
}

/// Runs a schedule with one more fault at an exact place.
#[must_use]
pub fn run_with(schedule: &Schedule, fault: Option<FaultAt>, is_told: bool) -> Verdict {
    let mut world = World::new(schedule, is_told);
    world.fault = fault;
    let mut effects = (0, 0);
    let mut writes = 0;
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        misbehave(&mut world, schedule);
        (effects, writes) = (world.effects, world.writes);
        recover(&mut world, schedule);
    }));
    if let Err(panic) = outcome {
        let words = panic.downcast_ref::<String>().map(String::as_str);
        let words = words
            .or_else(|| panic.downcast_ref::<&str>().copied())
            .unwrap_or("a panic");
        world.fail(Invariant::NoPanic, || words.to_owned());
    }
    if let Some(violation) = &world.violation {
        let Violation {
            invariant, detail, ..
        } = violation;
        world
            .trace
            .note(|| format!("VIOLATION {invariant:?}: {detail}"));
    }
    let (hash, lines) = world.trace.finish();
    Verdict {
        violation: world.violation,
        hash,
        events: world.events,
        effects,
        writes,
        coverage: world.coverage,
        lines,
    }
}

/// Safety: everything happens that the schedule says.
fn misbehave(world: &mut World, schedule: &Schedule) {
    let end = schedule.steps.last().map_or(0, |step| step.at) + 2_000;
    world.run_until(end, schedule);
}

/// Liveness: everything is mended, and then everything must come right.
fn recover(world: &mut World, schedule: &Schedule) {
    world.heal();
    come_right(world, schedule, CONNECT_MS, World::check_connected);
    come_right(world, schedule, FLUSH_MS, World::check_quiet);
    // Everybody comes back on another day, and scrolls up to the beginning.
    for tab in 0..world.tabs.len() {
        if world.page_in(tab).is_some() {
            world.close_tab(tab);
            world.open_tab(tab);
        }
    }
    come_right(world, schedule, CONNECT_MS, World::check_connected);
    come_right(world, schedule, FLUSH_MS, World::check_quiet);
    scroll_up(world, schedule);
    come_right(world, schedule, FLUSH_MS, World::check_quiet);
    if world.violation.is_none() {
        world.check_fates();
    }
}

/// Lets time pass until a check holds; it must within so many virtual milliseconds.
fn come_right(world: &mut World, schedule: &Schedule, ms: u64, check: fn(&mut World)) {
    let end = world.now + ms;
    while world.violation.is_none() {
        wait(world, schedule, LOOK_MS.min(end - world.now));
        if world.violation.is_some() {
            return;
        }
        check(world);
        if world.violation.is_none() || world.now >= end {
            return;
        }
        world.violation = None;
    }
}

/// Lets time pass; meanwhile users discard what has failed, and applications connect again where
/// the engine has given up.
fn wait(world: &mut World, schedule: &Schedule, ms: u64) {
    let end = world.now + ms;
    while world.now < end && world.violation.is_none() {
        let mut pause_ms = LOOK_MS;
        for page in 0..world.pages.len() {
            if !world.pages[page].is_open {
                continue;
            }
            let has_ended = matches!(
                world.pages[page].screen.state(),
                Some(
                    ConnectionState::AuthRequired
                        | ConnectionState::Stopped
                        | ConnectionState::WrongUser
                )
            );
            if has_ended {
                world.app(page, AppInput::Connect);
            }
            for key in world.pages[page].screen.failed() {
                // Those behind it may fail as well: there is more to do soon.
                pause_ms = GLANCE_MS;
                world.discard(page, key);
            }
        }
        world.run_until((world.now + pause_ms).min(end), schedule);
    }
}

fn scroll_up(world: &mut World, schedule: &Schedule) {
    for _ in 0..20 {
        let mut is_done = true;
        for page in 0..world.pages.len() {
            if !world.pages[page].is_open {
                continue;
            }
            for thread_id in world.threads_of(world.pages[page].device) {
                let timeline = world.pages[page].screen.threads.get(&thread_id);
                let meta = timeline.and_then(|timeline| timeline.meta.as_ref());
                if meta.is_some_and(|meta| meta.has_older && meta.unavailable.is_none()) {
                    is_done = false;
                    world.app(page, AppInput::LoadOlder { thread_id });
                }
            }
        }
        if is_done || world.violation.is_some() {
            return;
        }
        world.run_until(world.now + LOOK_MS, schedule);
    }
}
