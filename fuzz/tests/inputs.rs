//! Every target, without a fuzzer: the inputs that one found worth keeping, and random ones.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::cell::Cell;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Once;

use fastrand::Rng;
use rejoinder_fuzz::{TARGETS, Target};

fn here(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn names(folder: &Path) -> BTreeSet<String> {
    let entries = std::fs::read_dir(folder).unwrap().map(Result::unwrap);
    let stem = |path: PathBuf| path.file_stem().unwrap().to_string_lossy().into_owned();
    entries.map(|entry| stem(entry.path())).collect()
}

thread_local! {
    static HAS_PANICKED: Cell<bool> = const { Cell::new(false) };
}

/// A panic in a task of the gateway's ends the task alone; here it must end the test, in whose
/// thread the task runs.
fn note_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let default = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            HAS_PANICKED.set(true);
            default(info);
        }));
    });
}

fn try_input((name, run): &Target, input: &[u8], origin: &str) {
    let done = std::panic::catch_unwind(|| run(input));
    let is_fine = done.is_ok() && !HAS_PANICKED.get();
    assert!(is_fine, "{name} fails on {origin}; see above");
}

#[test]
fn what_a_fuzzer_found_worth_keeping_harms_nothing() {
    note_panics();
    for target in TARGETS {
        let folder = here("corpus").join(target.0);
        let mut count = 0;
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let input = std::fs::read(&path).unwrap();
            try_input(target, &input, &path.display().to_string());
            count += 1;
        }
        assert!(count > 20, "{} inputs for {}", count, target.0);
    }
}

#[test]
fn whatever_arrives_harms_nothing() {
    note_panics();
    for target in TARGETS {
        let mut random = Rng::with_seed(1);
        for number in 0..100 {
            let length = random.usize(0..2_000);
            let input: Vec<u8> = std::iter::repeat_with(|| random.u8(..))
                .take(length)
                .collect();
            try_input(target, &input, &format!("random input {number}"));
        }
    }
}

#[test]
fn every_target_has_a_program_and_a_corpus() {
    let targets: BTreeSet<_> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names(&here("targets")), targets);
    assert_eq!(names(&here("corpus")), targets);
}
