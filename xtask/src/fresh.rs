//! What need not be built again.

use crate::paths;
use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    time::SystemTime,
};

/// Runs `build`, unless `output` exists and nothing in `inputs` changed since it was built.
///
/// Paths are relative to the top of the repository; of a folder, everything below counts.
pub(crate) fn unless_fresh(
    output: &str,
    inputs: &[&str],
    build: impl FnOnce() -> Result<(), String>,
) -> Result<(), String> {
    let stamp = stamp_of(output);
    let newest = inputs.iter().map(|path| newest(&paths::root().join(path)));
    let built = fs::metadata(&stamp).and_then(|stamp| stamp.modified()).ok();
    if paths::root().join(output).exists() && built.is_some() && built >= newest.max().flatten() {
        return Ok(());
    }
    // Before the build: what changes while it runs is newer than the stamp.
    let began = SystemTime::now();
    build()?;
    write_stamp(&stamp, began).map_err(|error| format!("{}: {error}", stamp.display()))
}

/// Not the output's own time: a build may write it first, and fail after that.
fn stamp_of(output: &str) -> PathBuf {
    let name = output.replace(['/', '\\'], "-");
    paths::root().join("target/fresh").join(name)
}

fn write_stamp(stamp: &Path, time: SystemTime) -> std::io::Result<()> {
    fs::create_dir_all(stamp.parent().unwrap_or(stamp))?;
    File::create(stamp)?.set_modified(time)
}

/// When something at or below `path` last changed; a deleted file changes its folder.
fn newest(path: &Path) -> Option<SystemTime> {
    let own = fs::metadata(path).and_then(|it| it.modified()).ok();
    let below = fs::read_dir(path).into_iter().flatten().flatten();
    below
        .map(|entry| newest(&entry.path()))
        .max()
        .max(Some(own))
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn builds_again_only_after_a_change() {
        let folder = "target/fresh-test";
        let root = paths::root().join(folder);
        let source = root.join("source/deep/file");
        fs::create_dir_all(source.parent().unwrap()).unwrap();
        fs::write(&source, "").unwrap();
        let _ = fs::remove_file(stamp_of("target/fresh-test/output"));
        let output = format!("{folder}/output");
        let input = format!("{folder}/source");
        let builds = || {
            let mut count = 0;
            let build = || {
                count += 1;
                fs::write(root.join("output"), "").map_err(|error| error.to_string())
            };
            unless_fresh(&output, &[&input], build).unwrap();
            count
        };

        assert_eq!(builds(), 1);
        assert_eq!(builds(), 0);

        let later = SystemTime::now() + Duration::from_secs(1);
        let file = File::options().write(true).open(&source).unwrap();
        file.set_modified(later).unwrap();
        assert_eq!(builds(), 1);

        fs::remove_file(root.join("output")).unwrap();
        assert_eq!(builds(), 1);
    }

    #[test]
    fn a_failed_build_leaves_nothing_fresh() {
        let output = "target/fresh-test-failed";
        fs::create_dir_all(paths::root().join("target")).unwrap();
        fs::write(paths::root().join(output), "").unwrap();
        let _ = fs::remove_file(stamp_of(output));
        assert!(unless_fresh(output, &[], || Err("broken".into())).is_err());
        let mut built = false;
        let build = || {
            built = true;
            Ok(())
        };
        unless_fresh(output, &[], build).unwrap();
        assert!(built);
    }
}
