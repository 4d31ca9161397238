//! Many runs at once, on all cores.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rejoinder_simulation::coverage::Coverage;
use rejoinder_simulation::invariant::{Invariant, Violation};
use rejoinder_simulation::run::{Verdict, run};
use rejoinder_simulation::schedule::Schedule;
use rejoinder_simulation::swarm;

/// One seed of so many is run twice, to compare the traces.
const TWICE: u64 = 50;
/// How often the progress is shown, in runs.
const SHOWN_EVERY: u64 = 64;

/// Which runs, and for how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// The first seed.
    pub(crate) start: u64,
    /// How many.
    pub(crate) count: u64,
    /// No run begins after so long.
    pub(crate) limit: Option<Duration>,
    /// So many that break something are enough.
    pub(crate) failures_max: usize,
}

/// What they came to.
#[derive(Default)]
pub(crate) struct Sum {
    pub(crate) runs: u64,
    pub(crate) events: u64,
    pub(crate) twice: u64,
    pub(crate) coverage: Coverage,
    pub(crate) failures: BTreeMap<u64, (Schedule, Verdict)>,
}

impl Sum {
    fn add(mut self, other: Self) -> Self {
        self.runs += other.runs;
        self.events += other.events;
        self.twice += other.twice;
        self.coverage.merge(&other.coverage);
        self.failures.extend(other.failures);
        self
    }
}

/// Runs seeds until all are run, the time is up, or enough have failed.
pub(crate) fn many(plan: Plan) -> Sum {
    let work = Work {
        plan,
        started: now(),
        next: AtomicU64::new(0),
        is_over: AtomicBool::new(false),
        is_watched: std::io::stderr().is_terminal(),
    };
    let sum = on_all_cores(|| work.some())
        .into_iter()
        .fold(Sum::default(), Sum::add);
    if work.is_watched {
        eprintln!();
    }
    sum
}

/// Does the same on every core, and returns what each came to.
pub(crate) fn on_all_cores<T: Send>(work: impl Fn() -> T + Sync) -> Vec<T> {
    std::thread::scope(|scope| {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let threads: Vec<_> = (0..cores).map(|_| scope.spawn(&work)).collect();
        let done = threads.into_iter().map(|thread| thread.join());
        done.map(|one| one.expect("a panic of the code under test is caught in the run"))
            .collect()
    })
}

struct Work {
    plan: Plan,
    started: Instant,
    next: AtomicU64,
    is_over: AtomicBool,
    is_watched: bool,
}

impl Work {
    fn some(&self) -> Sum {
        let mut sum = Sum::default();
        while !self.is_over.load(Ordering::Relaxed) {
            let done = self.next.fetch_add(1, Ordering::Relaxed);
            let is_late = self
                .plan
                .limit
                .is_some_and(|limit| self.started.elapsed() >= limit);
            if done >= self.plan.count || is_late {
                break;
            }
            if self.is_watched && done.is_multiple_of(SHOWN_EVERY) {
                self.show(done);
            }
            one(self.plan.start + done, &mut sum);
            if sum.failures.len() >= self.plan.failures_max {
                self.is_over.store(true, Ordering::Relaxed);
            }
        }
        sum
    }

    /// Draws the progress over itself.
    fn show(&self, done: u64) {
        let elapsed = self.started.elapsed();
        let by_count = done as f64 / self.plan.count as f64;
        let by_time = self
            .plan
            .limit
            .map(|limit| elapsed.as_secs_f64() / limit.as_secs_f64());
        let part = by_time.unwrap_or(by_count).max(by_count).min(1.0);
        let bar: String = (0..30)
            .map(|place| {
                if f64::from(place) < part * 30.0 {
                    '#'
                } else {
                    ' '
                }
            })
            .collect();
        let rate = done as f64 / elapsed.as_secs_f64().max(0.001);
        eprint!("\r[{bar}] {done} schedules, {rate:.0} per second ");
        // A terminal that is gone is no reason to stop.
        let _ = std::io::stderr().flush();
    }
}

fn one(seed: u64, sum: &mut Sum) {
    let schedule = swarm::schedule(seed);
    let mut verdict = run(&schedule, false);
    sum.runs += 1;
    sum.events += verdict.events;
    sum.coverage.merge(&verdict.coverage);
    if seed.is_multiple_of(TWICE) {
        sum.twice += 1;
        let again = run(&schedule, false);
        if again.hash != verdict.hash && verdict.violation.is_none() {
            let detail = format!("{:x} and {:x}", verdict.hash, again.hash);
            let invariant = Invariant::SameSeedSameTrace;
            verdict.violation = Some(Violation {
                invariant,
                at: 0,
                detail,
            });
        }
    }
    if verdict.violation.is_some() {
        sum.failures.insert(seed, (schedule, verdict));
    }
}

/// The clock of whoever waits for this program.
#[expect(
    clippy::disallowed_methods,
    reason = "nothing that is simulated sees it"
)]
pub(crate) fn now() -> Instant {
    Instant::now()
}
