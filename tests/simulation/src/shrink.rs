//! From a schedule that breaks something to a short one that breaks the same.

use crate::invariant::Invariant;
use crate::run::run;
use crate::schedule::{Schedule, Setting};

/// Leaves out of a schedule whatever is not needed for the same invariant to break.
#[must_use]
pub fn shrink(schedule: &Schedule, invariant: Invariant) -> Schedule {
    let breaks = |candidate: &Schedule| {
        let violation = run(candidate, false).violation;
        violation.is_some_and(|violation| violation.invariant == invariant)
    };
    let mut best = schedule.clone();
    loop {
        let before = best.clone();
        best = without_steps(best, &breaks);
        best = with_simple_setting(best, &breaks);
        if best == before {
            return best;
        }
    }
}

/// Leaves out runs of steps, long ones first.
fn without_steps(mut best: Schedule, breaks: &impl Fn(&Schedule) -> bool) -> Schedule {
    let mut length = best.steps.len().div_ceil(2);
    while length > 0 {
        let mut at = 0;
        while at < best.steps.len() {
            let mut candidate = best.clone();
            let end = (at + length).min(candidate.steps.len());
            candidate.steps.drain(at..end);
            if breaks(&candidate) {
                best = candidate;
            } else {
                at += length;
            }
        }
        length /= 2;
    }
    best
}

fn with_simple_setting(mut best: Schedule, breaks: &impl Fn(&Schedule) -> bool) -> Schedule {
    let simpler: [fn(&mut Setting); 6] = [
        |setting| setting.token_ms = None,
        |setting| setting.gateway_skew_ms = 0,
        |setting| setting.skip_failed = false,
        |setting| setting.network_ms = 1,
        |setting| setting.storage_ms = 1,
        |setting| setting.store_ms = 1,
    ];
    for change in simpler {
        let mut candidate = best.clone();
        change(&mut candidate.setting);
        if candidate != best && breaks(&candidate) {
            best = candidate;
        }
    }
    for tab in best.setting.open.clone() {
        let mut candidate = best.clone();
        candidate.setting.open.retain(|one| *one != tab);
        if breaks(&candidate) {
            best = candidate;
        }
    }
    best
}
