//! Running many seeds on all cores.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rejoinder_mutants::{Mutant, plant};
use rejoinder_simulation::coverage::Coverage;
use rejoinder_simulation::invariant::{Invariant, LEFT_OUT};
use rejoinder_simulation::run::{Verdict, run};
use rejoinder_simulation::schedule::Schedule;
use rejoinder_simulation::swarm;

use crate::options::Options;
use crate::report;

/// Seeds that break something are enough after so many.
const FAILURES_MAX: usize = 3;
/// One seed of so many is run twice, to compare the traces.
const TWICE: u64 = 50;

/// What many runs came to.
#[derive(Default)]
struct Sum {
    runs: u64,
    events: u64,
    twice: u64,
    coverage: Coverage,
    failures: BTreeMap<u64, (Schedule, Verdict)>,
}

/// Runs seeds until all are run, the time is up, or some have failed.
fn many(
    start: u64,
    count: u64,
    until: Option<Instant>,
    failures_max: usize,
    tell: impl Fn(u64) + Sync,
) -> Sum {
    let next = AtomicU64::new(start);
    let is_over = AtomicBool::new(false);
    let sum = Mutex::new(Sum::default());
    let work = || {
        let mut mine = Sum::default();
        while !is_over.load(Ordering::Relaxed) {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed - start >= count || until.is_some_and(|until| Instant::now() >= until) {
                break;
            }
            tell(seed - start);
            let schedule = swarm::schedule(seed);
            let mut verdict = run(&schedule, false);
            mine.runs += 1;
            mine.events += verdict.events;
            if seed % TWICE == 0 {
                mine.twice += 1;
                compare(&schedule, &mut verdict);
            }
            mine.coverage.merge(&verdict.coverage);
            if verdict.violation.is_some() {
                mine.failures.insert(seed, (schedule, verdict));
                if mine.failures.len() >= failures_max {
                    is_over.store(true, Ordering::Relaxed);
                }
            }
        }
        let mut sum = sum.lock().expect("no thread panics while it adds");
        sum.runs += mine.runs;
        sum.events += mine.events;
        sum.twice += mine.twice;
        sum.coverage.merge(&mine.coverage);
        sum.failures.extend(mine.failures);
    };
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(work);
        }
    });
    sum.into_inner().expect("no thread panics while it adds")
}

fn compare(schedule: &Schedule, verdict: &mut Verdict) {
    let again = run(schedule, false);
    if again.hash != verdict.hash && verdict.violation.is_none() {
        verdict.violation = Some(rejoinder_simulation::invariant::Violation {
            invariant: Invariant::SameSeedSameTrace,
            at: 0,
            detail: format!("{:x} and {:x}", verdict.hash, again.hash),
        });
    }
}

/// The command without options: runs seeds and says what they came to.
pub(crate) fn seeds(options: &Options) -> bool {
    let started = Instant::now();
    let until = options
        .minutes
        .map(|minutes| started + Duration::from_secs(minutes * 60));
    let count = options
        .seeds
        .unwrap_or(if until.is_some() { u64::MAX } else { 10_000 });
    let is_watched = std::io::stderr().is_terminal();
    let tell = |done: u64| {
        if is_watched && done % 100 == 0 {
            let rate = done as f64 / started.elapsed().as_secs_f64().max(0.001);
            eprint!("\r{done} schedules, {rate:.0} per second ");
            let _ = std::io::stderr().flush();
        }
    };
    let sum = many(options.start, count, until, FAILURES_MAX, tell);
    if is_watched {
        eprintln!();
    }
    for (seed, (schedule, verdict)) in &sum.failures {
        report::failure(*seed, schedule, verdict);
    }
    let seconds = started.elapsed().as_secs_f64();
    println!(
        "{} schedules from seed {}, {} events, {} run twice: {} broke an invariant; {seconds:.0} s, {:.0} per second",
        sum.runs,
        options.start,
        sum.events,
        sum.twice,
        sum.failures.len(),
        sum.runs as f64 / seconds
    );
    sum.failures.is_empty()
}

/// Plants every mutant, and prints how many seeds find it.
pub(crate) fn mutants(count: u64) -> bool {
    let next = AtomicU64::new(0);
    let found: Mutex<BTreeMap<Mutant, Option<(u64, Invariant)>>> = Mutex::default();
    let work = || {
        while let Some(mutant) = Mutant::ALL.get(next.fetch_add(1, Ordering::Relaxed) as usize) {
            plant(Some(*mutant));
            let killed = (0..count).find_map(|seed| {
                let violation = run(&swarm::schedule(seed), false).violation?;
                Some((seed + 1, violation.invariant))
            });
            plant(None);
            let mut found = found.lock().expect("no thread panics while it adds");
            found.insert(*mutant, killed);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(work);
        }
    });
    let found = found.into_inner().expect("no thread panics while it adds");
    println!("| Mutant | What is wrong | Seeds | Found by |\n|---|---|---|---|");
    for (mutant, killed) in &found {
        let sentence = mutant.sentence();
        match killed {
            Some((seeds, invariant)) => {
                println!(
                    "| {mutant:?} | {sentence} | {seeds} | {} {invariant:?} |",
                    invariant.label()
                );
            }
            None => println!("| {mutant:?} | {sentence} | none of {count} | |"),
        }
    }
    let alive = found.values().filter(|killed| killed.is_none()).count();
    println!("{} mutants, {alive} alive", found.len());
    alive == 0
}

/// Prints the invariants, what is left out, and what some seeds reach.
pub(crate) fn coverage(count: u64) -> bool {
    println!("| | Invariant | |\n|---|---|---|");
    for invariant in Invariant::ALL {
        println!(
            "| {} | {invariant:?} | {} |",
            invariant.label(),
            invariant.sentence()
        );
    }
    println!("\n| Not checked here | Where instead |\n|---|---|");
    for (what, place) in LEFT_OUT {
        println!("| {what} | {place} |");
    }
    let sum = many(0, count, None, usize::MAX, |_| {});
    println!("\n| Reached in {count} schedules | | Times |\n|---|---|---|");
    for (group, name, times) in sum.coverage.iter() {
        println!("| {group} | {name} | {times} |");
    }
    sum.failures.is_empty()
}
