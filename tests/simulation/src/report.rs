//! Telling people what happened.

use rejoinder_simulation::run::{Verdict, run};
use rejoinder_simulation::schedule::Schedule;
use rejoinder_simulation::shrink::shrink;

/// Prints everything that happens in a schedule; returns whether all is well.
pub(crate) fn trace(schedule: &Schedule, is_shrunk: bool) -> bool {
    let mut schedule = schedule.clone();
    if is_shrunk && let Some(violation) = run(&schedule, false).violation {
        schedule = shrink(&schedule, violation.invariant);
    }
    let verdict = run(&schedule, true);
    for line in &verdict.lines {
        println!("{line}");
    }
    if verdict.violation.is_some() {
        println!("{}", serde_json::to_string(&schedule).unwrap_or_default());
    }
    conclude(&schedule, &verdict)
}

/// Prints what a schedule is, and what did not hold in it.
pub(crate) fn conclude(schedule: &Schedule, verdict: &Verdict) -> bool {
    let Some(violation) = &verdict.violation else {
        println!("all is well, {} events", verdict.events);
        return true;
    };
    println!("\nwho is there: {:?}", schedule.setting);
    for step in &schedule.steps {
        println!("{:>9} ms  {:?}", step.at, step.action);
    }
    println!("\n{violation}");
    false
}

/// Prints a seed that broke something, as short as it can be made.
pub(crate) fn failure(seed: u64, schedule: &Schedule, verdict: &Verdict) {
    let Some(violation) = &verdict.violation else {
        return;
    };
    let short = shrink(schedule, violation.invariant);
    println!(
        "\nseed {seed} breaks an invariant; {} of its {} steps are enough:",
        short.steps.len(),
        schedule.steps.len()
    );
    conclude(&short, &run(&short, false));
    println!("    cargo xtask sim --trace {seed} --shrink");
}
