//! Schedules that once broke something, kept so that they never do again.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::schedule::Schedule;

/// A schedule that once broke something.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Regression {
    /// What was wrong.
    pub what: String,
    /// The schedule, as short as it could be made.
    #[serde(flatten)]
    pub schedule: Schedule,
}

/// Reads every regression, by rising name.
///
/// # Errors
///
/// The file that cannot be read, and why.
pub fn all() -> Result<Vec<(String, Regression)>, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("regressions");
    let entries =
        fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut paths: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|end| end == "json"))
        .collect();
    paths.sort();
    paths.iter().map(|path| read(path)).collect()
}

fn read(path: &Path) -> Result<(String, Regression), String> {
    let say = |error: String| format!("{}: {error}", path.display());
    let text = fs::read_to_string(path).map_err(|error| say(error.to_string()))?;
    let regression = serde_json::from_str(&text).map_err(|error| say(error.to_string()))?;
    let name = path
        .file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    Ok((name, regression))
}
