//! Every row of `docs/bad-input.md` has a test, and it is there.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

const ROWS: u32 = 70;

/// The source of a test: `tokens::name` is a function of `server/tests/tokens.rs`, or of
/// `tests/tokens.rs`.
fn is_test(root: &Path, reference: &str) -> bool {
    let Some((file, function)) = reference.split_once("::") else {
        return false;
    };
    ["server/tests", "tests"].iter().any(|folder| {
        let path = root.join(folder).join(format!("{file}.rs"));
        let source = fs::read_to_string(path).unwrap_or_default();
        let attributed = |way: &str| source.contains(&format!("test]\n{way} {function}("));
        attributed("async fn") || attributed("fn")
    })
}

#[test]
fn every_row_has_its_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let list = fs::read_to_string(root.join("docs/bad-input.md")).unwrap();
    let mut seen = BTreeSet::new();
    for line in list.lines() {
        let cells: Vec<_> = line.split(" | ").collect();
        let [number, _, _, tests] = cells[..] else {
            continue;
        };
        let Ok(number) = number.trim_start_matches("| ").parse::<u32>() else {
            continue;
        };
        assert!(seen.insert(number), "row {number} is there twice");
        let tests: Vec<_> = tests.split('`').skip(1).step_by(2).collect();
        assert!(!tests.is_empty(), "row {number} has no test");
        for test in tests {
            assert!(is_test(root, test), "row {number}: there is no {test}");
        }
    }
    assert_eq!(seen, (1..=ROWS).collect());
}
