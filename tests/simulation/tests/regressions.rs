//! Every schedule that once broke something.
#![allow(clippy::unwrap_used, reason = "a test")]

use rejoinder_simulation::regression;
use rejoinder_simulation::run::run;

#[test]
fn nothing_breaks_again() {
    let all = regression::all().unwrap();
    assert!(!all.is_empty(), "where are they?");
    for (name, regression) in all {
        let violation = run(&regression.schedule, false).violation;
        assert_eq!(violation, None, "{name}: {}", regression.what);
    }
}
