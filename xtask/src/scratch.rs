//! A folder for what other programs forget to delete.

use std::{
    fs,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

/// Who writes into it may outlive its parent a little, so deleting is tried for two seconds.
const ATTEMPTS: u32 = 20;
const PAUSE: Duration = Duration::from_millis(100);

/// A new temporary folder, deleted when it is dropped.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    /// Makes one; no other live one of this process may have the same `name`.
    pub(crate) fn new(name: &str) -> Result<Self, String> {
        let process = std::process::id();
        // Not in `target/`: browsers put sockets here, whose paths must be short.
        let path = std::env::temp_dir().join(format!("rejoinder-{name}-{process}"));
        fs::create_dir_all(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Self(path))
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        for _ in 0..ATTEMPTS {
            let _ = fs::remove_dir_all(&self.0);
            thread::sleep(PAUSE);
            // A writer makes it again.
            if !self.0.exists() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_gone_afterwards_even_if_somebody_still_writes() {
        let scratch = Scratch::new("test").unwrap();
        let path = scratch.path().to_owned();
        let profile = path.join("profile");
        fs::create_dir_all(&profile).unwrap();
        let writer = thread::spawn(move || {
            for number in 0..15 {
                let _ = fs::create_dir_all(&profile);
                let _ = fs::write(profile.join(number.to_string()), "late");
                thread::sleep(Duration::from_millis(20));
            }
        });
        drop(scratch);
        writer.join().unwrap();
        assert!(!path.exists());
    }
}
