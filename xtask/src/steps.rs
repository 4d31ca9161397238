//! The steps of a long command: each says when it begins, how long it took, and what went wrong.

use std::time::Instant;

/// How many checks passed and failed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: u32,
    pub(crate) failed: u32,
}

impl Counts {
    /// A step that is one check and passed.
    pub(crate) const ONE: Self = Self {
        passed: 1,
        failed: 0,
    };

    fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }

    /// Sums up what the test runners print: cargo, wasm-bindgen, vitest and Node's TAP.
    pub(crate) fn read(output: &str) -> Self {
        let mut sum = Self::default();
        for line in output.lines().map(str::trim) {
            if let Some(counts) = line.strip_prefix("test result: ") {
                sum.passed += number_before(counts, "passed");
                sum.failed += number_before(counts, "failed");
            } else if let Some(counts) = line.strip_prefix("Tests ") {
                sum.passed += number_before(counts, "passed");
                sum.failed += number_before(counts, "failed");
            } else if let Some(count) = line.strip_prefix("# pass ") {
                sum.passed += count.parse().unwrap_or(0);
            } else if let Some(count) = line.strip_prefix("# fail ") {
                sum.failed += count.parse().unwrap_or(0);
            }
        }
        sum
    }
}

fn number_before(text: &str, word: &str) -> u32 {
    let mut words = text
        .split_whitespace()
        .map(|word| word.trim_matches([';', '|', '.']));
    let mut last = 0;
    words
        .find_map(|next| {
            if next == word {
                return Some(last);
            }
            last = next.parse().unwrap_or(0);
            None
        })
        .unwrap_or(0)
}

/// Runs steps one after the other and counts.
pub(crate) struct Steps {
    total: Counts,
    started: Instant,
}

impl Steps {
    pub(crate) fn begin() -> Self {
        Self {
            total: Counts::default(),
            started: Instant::now(),
        }
    }

    /// A step that is one check.
    pub(crate) fn check<T>(&mut self, name: &str, step: impl FnOnce() -> Result<T, String>) {
        self.step(name, || step().map(|_| Counts::ONE));
    }

    /// A step that runs tests; `step` gives what their runner printed.
    pub(crate) fn tests(&mut self, name: &str, step: impl FnOnce() -> Result<String, String>) {
        self.step(name, || {
            let output = step()?;
            match Counts::read(&output) {
                Counts { passed: 0, .. } => Err(format!("{output}no test ran")),
                counts => Ok(counts),
            }
        });
    }

    fn step(&mut self, name: &str, step: impl FnOnce() -> Result<Counts, String>) {
        println!("{name}");
        let started = Instant::now();
        let outcome = step();
        let seconds = started.elapsed().as_secs_f32();
        match outcome {
            Ok(counts) => {
                println!("    ok, {} passed, {seconds:.1} s", counts.passed);
                self.total.add(counts);
            }
            Err(output) => {
                println!("{output}\n    FAILED: {name}, {seconds:.1} s");
                let Counts { passed, failed } = Counts::read(&output);
                self.total.add(Counts {
                    passed,
                    failed: failed.max(1),
                });
            }
        }
    }

    /// Prints the closing line, which other programs read.
    pub(crate) fn finish(self) -> Result<(), String> {
        let Counts { passed, failed } = self.total;
        println!("\n{:.0} s in all\n{passed} passed, {failed} failed", {
            self.started.elapsed().as_secs_f32()
        });
        // The line above has said it, and must be the last.
        if failed == 0 {
            Ok(())
        } else {
            Err(String::new())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_runner() {
        for (line, passed, failed) in [
            (
                "test result: ok. 9 passed; 0 failed; 0 ignored; 0 measured",
                9,
                0,
            ),
            ("test result: FAILED. 8 passed; 1 failed; 0 ignored", 8, 1),
            ("      Tests  5 passed (5)", 5, 0),
            ("      Tests  1 failed | 4 passed (5)", 4, 1),
            ("# pass 11\n# fail 2", 11, 2),
            (" Test Files  2 passed (2)", 0, 0),
            (
                "test result: ok. 1 passed; 0 failed\ntest result: ok. 2 passed; 0 failed",
                3,
                0,
            ),
        ] {
            assert_eq!(Counts::read(line), Counts { passed, failed }, "{line}");
        }
    }

    #[test]
    fn counts_a_failing_step_even_if_its_runner_counted_nothing() {
        let mut steps = Steps::begin();
        steps.check("one", || Ok(()));
        steps.check("two", || Err::<(), _>("does not compile".into()));
        steps.tests("three", || Ok("test result: ok. 0 passed; 0 failed".into()));
        steps.tests("four", || {
            Err("test result: FAILED. 7 passed; 3 failed".into())
        });
        assert_eq!(
            steps.total,
            Counts {
                passed: 8,
                failed: 5
            }
        );
        assert!(steps.finish().is_err());
    }
}
