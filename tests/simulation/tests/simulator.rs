//! The simulator itself.
#![allow(clippy::unwrap_used, reason = "a test")]

use rejoinder_mutants::{Mutant, plant};
use rejoinder_simulation::run::run;
use rejoinder_simulation::shrink::shrink;
use rejoinder_simulation::swarm;

#[test]
fn the_same_seed_is_the_same_day() {
    for seed in 0..20 {
        let schedule = swarm::schedule(seed);
        assert_eq!(swarm::schedule(seed), schedule);
        let (first, second) = (run(&schedule, false), run(&schedule, true));
        assert_eq!(first.hash, second.hash, "telling changes nothing");
        assert_ne!(first.hash, run(&swarm::schedule(seed + 1), false).hash);
    }
}

#[test]
fn a_schedule_survives_being_written_down() {
    for seed in 0..100 {
        let schedule = swarm::schedule(seed);
        let text = serde_json::to_string(&schedule).unwrap();
        assert_eq!(
            serde_json::from_str::<rejoinder_simulation::schedule::Schedule>(&text).unwrap(),
            schedule
        );
    }
}

#[test]
fn what_breaks_is_made_short_and_breaks_the_same() {
    plant(Some(Mutant::SkipOnFailure));
    let found = (0..500).find_map(|seed| {
        let schedule = swarm::schedule(seed);
        let violation = run(&schedule, false).violation?;
        Some((schedule, violation))
    });
    let (schedule, violation) = found.unwrap();
    let short = shrink(&schedule, violation.invariant);
    assert!(short.steps.len() < schedule.steps.len());
    let again = run(&short, true);
    assert_eq!(again.violation.unwrap().invariant, violation.invariant);
    assert!(again.lines.iter().any(|line| line.contains("VIOLATION")));
    plant(None);
    assert_eq!(run(&short, false).violation, None, "it was the mutant");
}
