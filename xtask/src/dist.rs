//! The command `dist`: what those use who have no Rust.

use crate::{
    install, npm, paths,
    process::{command, run},
    rust,
};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Of the whole workspace; the npm packages must have it, too.
const VERSION: &str = env!("CARGO_PKG_VERSION");
const SUMS: &str = "SHA256SUMS";

const HELP: &str = "cargo xtask dist [--target TRIPLE]

  --target TRIPLE   what to compile the gateway for. On Linux otherwise x86_64-unknown-linux-musl or
                    aarch64-unknown-linux-musl, which run with any C library; elsewhere this machine";

/// Makes `dist/`: the gateway as a program and as npm packages, the client, and their checksums.
pub(crate) fn run_command(options: &[String]) -> Result<(), String> {
    let target = match options {
        [] => default_target()?,
        [option, target] if option == "--target" => target.clone(),
        [option] if option == "--help" => {
            println!("{HELP}");
            return Ok(());
        }
        _ => return Err(HELP.to_owned()),
    };
    npm::build_all()?;
    make(&target).map(|files| {
        for file in files {
            println!("{file}");
        }
    })
}

/// Fills `dist/`; the client must have been built. Returns what is in it.
fn make(target: &str) -> Result<Vec<String>, String> {
    let folder = paths::root().join("dist");
    let say = |error: std::io::Error| format!("{}: {error}", folder.display());
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).map_err(say)?;

    println!("the gateway for {target}, optimised (minutes)");
    let program = build(target)?;
    // Its mode comes along.
    fs::copy(&program, folder.join(program_name(target))).map_err(say)?;
    npm::pack_client(&folder)?;
    npm::pack_gateway(&program, target, &folder)?;
    sums(&folder)
}

/// What the gateway is compiled for unless somebody says otherwise.
fn default_target() -> Result<String, String> {
    // One file for every Linux: another C library, or an older one, would refuse a `gnu` program.
    Ok(host()?.replace("-linux-gnu", "-linux-musl"))
}

/// What the compiler compiles for by itself.
fn host() -> Result<String, String> {
    let about = run(&mut command("rustc", &["--version", "--verbose"]))?;
    let host = about.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned)
        .ok_or_else(|| "rustc does not say what it compiles for".to_owned())
}

fn program_name(target: &str) -> String {
    format!("rejoinder-gateway-{VERSION}-{target}")
}

/// What makes and compares checksums.
fn sha256() -> (&'static str, &'static [&'static str]) {
    match paths::on_path("sha256sum") {
        Some(_) => ("sha256sum", &[]),
        // macOS; it prints and reads the same.
        None => ("shasum", &["--algorithm", "256"]),
    }
}

/// Compiles the gateway and returns where it is.
fn build(target: &str) -> Result<PathBuf, String> {
    install::rust_target(target)?;
    if target.ends_with("-musl") {
        install::musl()?;
    }
    let flags = ["build", "--release", "--locked", "--target", target];
    let what = ["--package", "rejoinder-gateway"];
    let mut cargo = command("cargo", &[flags.as_slice(), &what].concat());
    cargo.env("CARGO_ENCODED_RUSTFLAGS", without_own_paths()?);
    run(&mut cargo)?;
    let debug = paths::binaries()?;
    let targets = debug.parent().unwrap_or(&debug);
    Ok(targets
        .join(target)
        .join("release")
        .join("rejoinder-gateway"))
}

/// What keeps this machine's folders out of the program: where they are is nobody's business, and
/// the same sources elsewhere are to give the same.
fn without_own_paths() -> Result<String, String> {
    let cargo = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let cargo = cargo.or_else(|| Some(std::env::home_dir()?.join(".cargo")));
    let cargo = cargo.ok_or("neither CARGO_HOME nor HOME is set")?;
    let flag = |from: &Path, to: &str| format!("--remap-path-prefix={}={to}", from.display());
    Ok([flag(&cargo, "/cargo"), flag(&paths::root(), "/rejoinder")].join("\x1f"))
}

/// Writes the checksums, in the form that `sha256sum --check` takes, and returns the names.
fn sums(folder: &Path) -> Result<Vec<String>, String> {
    let say = |error: std::io::Error| format!("{}: {error}", folder.display());
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(say)? {
        let name = entry.map_err(say)?.file_name();
        names.push(name.to_string_lossy().into_owned());
    }
    names.sort();
    let (program, arguments) = sha256();
    let mut sum = command(program, arguments);
    let text = run(sum.args(&names).current_dir(folder))?;
    fs::write(folder.join(SUMS), text).map_err(say)?;
    names.push(SUMS.to_owned());
    Ok(names)
}

/// Compares the files in a folder with their checksums.
fn compare(folder: &Path) -> Result<String, String> {
    let (program, arguments) = sha256();
    let mut check = command(program, arguments);
    run(check.args(["--check", SUMS]).current_dir(folder))
}

/// Starts an unoptimised gateway as a package's user does: the way is the same, and built already.
pub(crate) fn test_debug() -> Result<String, String> {
    rust::build_gateway()?;
    npm::test_gateway(&paths::binaries()?.join("rejoinder-gateway"), &host()?)
}

/// Makes everything, compares the checksums, and starts the gateway as a package's user does.
pub(crate) fn test() -> Result<String, String> {
    let target = default_target()?;
    make(&target)?;
    let folder = paths::root().join("dist");
    compare(&folder)?;
    npm::test_gateway(&folder.join(program_name(&target)), &target)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    #[test]
    fn checksums_are_of_every_file_and_notice_a_change() {
        let scratch = Scratch::new("sums").unwrap();
        let folder = scratch.path();
        for name in ["two", "one"] {
            fs::write(folder.join(name), name).unwrap();
        }
        assert_eq!(sums(folder).unwrap(), ["one", "two", SUMS]);
        assert_eq!(compare(folder).unwrap(), "one: OK\ntwo: OK\n");
        fs::write(folder.join("two"), "changed").unwrap();
        assert!(compare(folder).unwrap_err().contains("two: FAILED"));
    }
}
