//! What no compiler checks: file and function lengths, and the arrows between the parts.

use crate::{
    paths,
    process::{self, command},
};
use std::fs;

/// A file longer than this has more than one idea.
const LONG: usize = 400;
const TOO_LONG: usize = 600;
/// Tests are lists of examples, easier to read in one piece.
const TOO_LONG_TEST: usize = 900;
const LONG_FUNCTION: usize = 70;

/// Where a word must not appear, since an import would point backwards.
const FORBIDDEN: &[(&str, &[&str])] = &[
    (
        "src/engine/",
        &["web_sys", "js_sys", "wasm_bindgen", "crate::browser"],
    ),
    ("server/src/core/", &["tokio"]),
    // The file, and the folder of its parts.
    ("server/src/store/plan", &["tokio"]),
    ("js/src/react", &["pkg/", "/rejoinder.js"]),
];

/// The command `tidy`.
pub(crate) fn run() -> Result<(), String> {
    let list = ["ls-files", "--cached", "--others", "--exclude-standard"];
    let files = process::run(&mut command("git", &list))?;
    let mut problems = Vec::new();
    for path in files.lines().filter(|path| is_source(path)) {
        // A file that is listed but gone is being deleted.
        let Ok(text) = fs::read_to_string(paths::root().join(path)) else {
            continue;
        };
        for warning in warnings(path, &text) {
            println!("    {warning}");
        }
        problems.extend(errors(path, &text));
    }
    if problems.is_empty() {
        Ok(())
    } else {
        Err(problems.join("\n"))
    }
}

fn is_source(path: &str) -> bool {
    [".rs", ".ts", ".tsx", ".mjs", ".js"]
        .iter()
        .any(|end| path.ends_with(end))
}

fn is_test(path: &str) -> bool {
    path.contains("tests/") || path.ends_with("tests.rs") || path.contains(".test.")
}

fn errors(path: &str, text: &str) -> Vec<String> {
    let limit = if is_test(path) {
        TOO_LONG_TEST
    } else {
        TOO_LONG
    };
    let lines = text.lines().count();
    let mut errors = Vec::new();
    if lines > limit {
        errors.push(format!("{path}: {lines} lines, at most {limit}"));
    }
    let words = FORBIDDEN
        .iter()
        .filter(|(place, _)| path.starts_with(place));
    for word in words.flat_map(|(_, words)| words.iter()) {
        for (index, line) in text.lines().enumerate() {
            let code = line.split("//").next().unwrap_or(line);
            if code.contains(word) {
                errors.push(format!("{path}:{}: `{word}` points backwards", index + 1));
            }
        }
    }
    errors
}

fn warnings(path: &str, text: &str) -> Vec<String> {
    let lines = text.lines().count();
    let mut warnings = Vec::new();
    if lines > LONG && !is_test(path) {
        warnings.push(format!("{path}: {lines} lines, better below {LONG}"));
    }
    if path.ends_with(".rs") {
        let long = functions(text)
            .into_iter()
            .filter(|(_, length)| *length > LONG_FUNCTION);
        warnings.extend(long.map(|(line, length)| {
            format!("{path}:{line}: a function of {length} lines, better below {LONG_FUNCTION}")
        }));
    }
    warnings
}

/// Line and length of each function, by the indentation that rustfmt guarantees.
fn functions(text: &str) -> Vec<(usize, usize)> {
    let mut open = Vec::new();
    let mut functions = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let indent = line.len() - line.trim_start().len();
        let words = line.trim_start();
        let begins = words.starts_with("fn ") || words.contains(" fn ");
        if begins && !words.starts_with("//") && !words.ends_with(';') {
            open.push((indent, index));
        } else if words == "}" && open.last().is_some_and(|(depth, _)| *depth == indent) {
            functions.extend(open.pop().map(|(_, start)| (start + 1, index - start + 1)));
        }
    }
    functions
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arrow_that_points_backwards_is_an_error() {
        let import = "use web_sys::Window;\n";
        assert_eq!(errors("src/engine/outbox.rs", import).len(), 1);
        assert!(errors("src/browser/socket.rs", import).is_empty());
        assert!(errors("src/engine/outbox.rs", "// not web_sys\n").is_empty());
        assert_eq!(
            errors("server/src/store/plan.rs", "tokio::spawn(f);").len(),
            1
        );
        assert_eq!(
            errors("server/src/store/plan/changes.rs", "tokio::spawn(f);").len(),
            1
        );
        assert!(errors("server/src/store/sqlite.rs", "tokio::spawn(f);").is_empty());
        let glue = "import * as glue from '../rejoinder.js';";
        assert_eq!(errors("js/src/react/index.ts", glue).len(), 1);
        assert!(errors("js/src/load.ts", glue).is_empty());
    }

    #[test]
    fn long_files_are_named() {
        let lines = |count| "x\n".repeat(count);
        assert!(warnings("src/a.rs", &lines(LONG)).is_empty());
        assert_eq!(warnings("src/a.rs", &lines(LONG + 1)).len(), 1);
        assert!(errors("src/a.rs", &lines(TOO_LONG)).is_empty());
        assert_eq!(errors("src/a.rs", &lines(TOO_LONG + 1)).len(), 1);
        assert!(errors("tests/a.rs", &lines(TOO_LONG_TEST)).is_empty());
        assert_eq!(errors("src/a/tests.rs", &lines(TOO_LONG_TEST + 1)).len(), 1);
    }

    #[test]
    fn functions_are_measured() {
        let text =
            "impl A {\n    fn b(\n        c: u8,\n    ) {\n        d();\n    }\n    fn e();\n}\n";
        assert_eq!(functions(text), [(2, 5)]);
        let long = format!(
            "pub fn a() {{\n{}}}\n",
            "    b();\n".repeat(LONG_FUNCTION - 1)
        );
        assert_eq!(warnings("src/a.rs", &long).len(), 1);
    }
}
