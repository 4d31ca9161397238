//! What the program finds with many runs.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rejoinder_mutants::{Mutant, plant};
use rejoinder_simulation::invariant::{Invariant, LEFT_OUT};
use rejoinder_simulation::run::run;
use rejoinder_simulation::swarm;

use crate::many::{Plan, many, now, on_all_cores};
use crate::options::Options;
use crate::report;

/// Seeds that break something are enough after so many.
const FAILURES_MAX: usize = 3;
/// How many seeds are run unless somebody says otherwise.
const SEEDS: u64 = 10_000;

/// The command without options: runs seeds and says what they came to.
pub(crate) fn seeds(options: &Options) -> bool {
    let started = now();
    let limit = options
        .minutes
        .map(|minutes| Duration::from_secs(minutes * 60));
    let usual = if limit.is_some() { u64::MAX } else { SEEDS };
    let sum = many(Plan {
        start: options.start,
        count: options.seeds.unwrap_or(usual),
        limit,
        failures_max: FAILURES_MAX,
    });
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

/// How many seeds it took to find a mutant, and which invariant did.
type Kill = Option<(u64, Invariant)>;

/// Plants every mutant, and prints how many seeds find it.
pub(crate) fn mutants(count: u64) -> bool {
    let next = AtomicUsize::new(0);
    let some = || {
        let mut found: Vec<(Mutant, Kill)> = Vec::new();
        while let Some(mutant) = Mutant::ALL.get(next.fetch_add(1, Ordering::Relaxed)) {
            found.push((*mutant, kill(*mutant, count)));
        }
        found
    };
    let found: BTreeMap<Mutant, Kill> = on_all_cores(some).into_iter().flatten().collect();
    println!("| Mutant | What is wrong | Seeds | Found by |\n|---|---|---|---|");
    for (mutant, kill) in &found {
        let sentence = mutant.sentence();
        let (seeds, by) = match kill {
            Some((seeds, by)) => (seeds.to_string(), format!("{} {by:?}", by.label())),
            None => (format!("none of {count}"), String::new()),
        };
        println!("| {mutant:?} | {sentence} | {seeds} | {by} |");
    }
    let alive = found.values().filter(|kill| kill.is_none()).count();
    println!("\n{} mutants, {alive} alive", found.len());
    alive == 0
}

/// Plants a mutant on this thread, and runs seeds until one finds it.
fn kill(mutant: Mutant, count: u64) -> Kill {
    plant(Some(mutant));
    let kill = (0..count).find_map(|seed| {
        let violation = run(&swarm::schedule(seed), false).violation?;
        Some((seed + 1, violation.invariant))
    });
    plant(None);
    kill
}

/// Prints the invariants, what is left out, and what some seeds reach.
pub(crate) fn coverage(count: u64) -> bool {
    println!("| | Invariant | |\n|---|---|---|");
    for invariant in Invariant::ALL {
        let (label, sentence) = (invariant.label(), invariant.sentence());
        println!("| {label} | {invariant:?} | {sentence} |");
    }
    println!("\n| Not checked here | Why, and where instead |\n|---|---|");
    for (what, place) in LEFT_OUT {
        println!("| {what} | {place} |");
    }
    let sum = many(Plan {
        start: 0,
        count,
        limit: None,
        failures_max: usize::MAX,
    });
    println!("\n| Reached by {count} schedules | | Times |\n|---|---|---|");
    for (group, name, times) in sum.coverage.iter() {
        println!("| {group} | {name} | {times} |");
    }
    sum.failures.is_empty()
}
