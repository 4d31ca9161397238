//! What the program can be asked for.

use std::path::PathBuf;

use clap::Parser;
use rejoinder_simulation::schedule::Schedule;
use rejoinder_simulation::swarm;

/// Runs bad days until one breaks something.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask sim", version)]
pub(crate) struct Options {
    /// How many seeds to run; 10,000 unless told, as many as there is time for with --minutes.
    #[arg(long, value_name = "N")]
    pub(crate) seeds: Option<u64>,
    /// The first seed.
    #[arg(long, value_name = "SEED", default_value_t = 0)]
    pub(crate) start: u64,
    /// Stop after so many minutes.
    #[arg(long, value_name = "MINUTES")]
    pub(crate) minutes: Option<u64>,
    /// Switch each planted bug on, and see how many seeds find it.
    #[arg(long)]
    mutants: bool,
    /// List the invariants, and which faults and states the seeds reach.
    #[arg(long)]
    coverage: bool,
    /// Tell everything that happens with one seed.
    #[arg(long, value_name = "SEED")]
    trace: Option<u64>,
    /// Tell everything that happens in a schedule that was printed or kept.
    #[arg(long, value_name = "FILE")]
    replay: Option<PathBuf>,
    /// With --trace or --replay: leave out first whatever is not needed to break the same.
    #[arg(long = "shrink")]
    pub(crate) is_shrunk: bool,
}

/// What to do.
pub(crate) enum Task {
    Trace(Schedule),
    Mutants,
    Coverage,
    Seeds,
    Unreadable(String),
}

impl Options {
    pub(crate) fn task(&self) -> Task {
        if let Some(seed) = self.trace {
            return Task::Trace(swarm::schedule(seed));
        }
        if let Some(path) = &self.replay {
            let text = std::fs::read_to_string(path).map_err(|error| error.to_string());
            let schedule = text.and_then(|text| {
                serde_json::from_str::<Schedule>(&text).map_err(|error| error.to_string())
            });
            return match schedule {
                Ok(schedule) => Task::Trace(schedule),
                Err(why) => Task::Unreadable(format!("{}: {why}", path.display())),
            };
        }
        match (self.mutants, self.coverage) {
            (true, _) => Task::Mutants,
            (_, true) => Task::Coverage,
            _ => Task::Seeds,
        }
    }
}
