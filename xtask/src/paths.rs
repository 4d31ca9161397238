//! Where things are.

use std::path::{Path, PathBuf};

/// The top of the repository.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

/// The npm package.
pub(crate) fn js() -> PathBuf {
    root().join("js")
}

/// The example app.
pub(crate) fn example() -> PathBuf {
    root().join("examples/react-chat")
}

/// The example app of a team that comes from Supabase.
pub(crate) fn nextjs_example() -> PathBuf {
    root().join("examples/nextjs-supabase")
}

/// Where cargo puts its debug binaries, this one among them.
pub(crate) fn binaries() -> Result<PathBuf, String> {
    let this = std::env::current_exe().map_err(|error| format!("where am I? {error}"))?;
    Ok(this.parent().unwrap_or(&this).to_owned())
}

/// The program `name` on the PATH.
pub(crate) fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}
