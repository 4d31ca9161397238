//! The pages that say which test shows what: each row has one, and it is there.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Where tests are.
const FOLDERS: [&str; 4] = ["server/tests", "server/src", "protocol/tests", "tests"];

/// Whether a test exists: `tokens::name` is a function of `tokens.rs` in one of the folders,
/// `e2e/chat.test.mjs::what it says` a test of that file.
fn is_test(root: &Path, reference: &str) -> bool {
    let Some((file, name)) = reference.split_once("::") else {
        return false;
    };
    FOLDERS.iter().any(|folder| {
        let is_script = file.ends_with(".mjs");
        let file = if is_script {
            file.to_owned()
        } else {
            format!("{file}.rs")
        };
        let source = fs::read_to_string(root.join(folder).join(file)).unwrap_or_default();
        if is_script {
            return source.contains(&format!("test('{name}',"));
        }
        let lines: Vec<_> = source.lines().map(str::trim).collect();
        lines.windows(2).any(|pair| {
            let function = pair[1].strip_prefix("async ").unwrap_or(pair[1]);
            let is_it = function.starts_with(&format!("fn {name}("));
            is_it && pair[0].starts_with("#[") && pair[0].contains("test")
        })
    })
}

/// Looks at the table of a page: the number of each row, and in its last cell the tests.
fn check(page: &str, rows: u32) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let text = fs::read_to_string(root.join(page)).unwrap();
    let mut seen = BTreeSet::new();
    for line in text.lines() {
        let cells: Vec<_> = line.split(" | ").collect();
        let [number, _, _, tests] = cells[..] else {
            continue;
        };
        let Ok(number) = number.trim_start_matches("| ").parse::<u32>() else {
            continue;
        };
        assert!(seen.insert(number), "{page}: row {number} is there twice");
        let tests: Vec<_> = tests.split('`').skip(1).step_by(2).collect();
        assert!(!tests.is_empty(), "{page}: row {number} has no test");
        for test in tests {
            assert!(
                is_test(root, test),
                "{page}: row {number}: there is no {test}"
            );
        }
    }
    assert_eq!(seen, (1..=rows).collect(), "{page}");
}

#[test]
fn whatever_is_answered_to_bad_input_has_its_test() {
    check("docs/bad-input.md", 70);
}

#[test]
fn every_threat_has_its_test() {
    check("SECURITY.md", 25);
}
