//! What the commands need from the machine: found, or installed where we may, or named.

use crate::{
    paths::on_path,
    process::{command, run},
};
use std::path::Path;

/// The compiler's part for WebAssembly.
pub(crate) fn wasm_target() -> Result<(), String> {
    rust_target("wasm32-unknown-unknown")
}

/// The compiler's part for a target.
pub(crate) fn rust_target(target: &str) -> Result<(), String> {
    let sysroot = run(&mut command("rustc", &["--print", "sysroot"]))?;
    if Path::new(sysroot.trim())
        .join("lib/rustlib")
        .join(target)
        .is_dir()
    {
        return Ok(());
    }
    if on_path("rustup").is_none() {
        return Err(format!(
            "This Rust cannot compile for {target}: install that target."
        ));
    }
    run(&mut command("rustup", &["target", "add", target])).map(drop)
}

/// Node, which builds and tests the npm package.
pub(crate) fn node() -> Result<(), String> {
    let missing = "Node 20.19 or newer is missing: install it from https://nodejs.org";
    let version = run(&mut command("node", &["--version"])).map_err(|_| missing.to_owned())?;
    let mut numbers = version
        .trim()
        .trim_start_matches('v')
        .split('.')
        .map(str::parse::<u32>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) if (major, minor) >= (20, 19) => Ok(()),
        _ => Err(format!("{missing} (this is {})", version.trim())),
    }
}

/// A browser and its driver.
pub(crate) fn browser() -> Result<(), String> {
    if has_driver() && has_browser() {
        return Ok(());
    }
    let (names, packages) = (
        "chromium and chromium-driver",
        ["chromium", "chromium-driver"],
    );
    if debian(names, &packages)? {
        return Ok(());
    }
    Err(
        "No browser to test in: install Chromium or Chrome, and chromedriver on the PATH \
         (Debian: apt-get install chromium chromium-driver)."
            .into(),
    )
}

/// PostgreSQL's programs: the tests start servers of their own.
pub(crate) fn postgres() -> Result<(), String> {
    if has_postgres() || debian("postgresql", &["postgresql"])? {
        return Ok(());
    }
    Err(
        "PostgreSQL is missing: install it (Debian: apt-get install postgresql); no server needs \
         to run."
            .into(),
    )
}

/// Redis' programs: the tests start servers of their own.
pub(crate) fn redis() -> Result<(), String> {
    let has_redis = || on_path("redis-server").is_some() && on_path("redis-cli").is_some();
    if has_redis() || debian("redis", &["redis-server", "redis-tools"])? {
        return Ok(());
    }
    Err(
        "Redis is missing: install it (Debian: apt-get install redis-server); no server needs to \
         run."
            .into(),
    )
}

/// nginx' program: a test starts a server of its own.
pub(crate) fn nginx() -> Result<(), String> {
    let has_nginx = || on_path("nginx").is_some() || Path::new("/usr/sbin/nginx").exists();
    if has_nginx() || debian("nginx", &["nginx"])? {
        return Ok(());
    }
    Err(
        "nginx is missing: install it (Debian: apt-get install nginx); no server needs to \
         run."
            .into(),
    )
}

/// What checks units of systemd; systemd itself need not run.
pub(crate) fn systemd_analyze() -> Result<(), String> {
    if on_path("systemd-analyze").is_some() || debian("systemd", &["systemd"])? {
        return Ok(());
    }
    Err("systemd-analyze is missing: install it (Debian: apt-get install systemd).".into())
}

/// A C compiler for programs that need no C library of the system.
pub(crate) fn musl() -> Result<(), String> {
    if on_path("musl-gcc").is_some() || debian("musl-gcc", &["musl-tools"])? {
        return Ok(());
    }
    Err("musl-gcc is missing: install it (Debian: apt-get install musl-tools).".into())
}

/// Installs packages where we may; returns whether that was so.
fn debian(names: &str, packages: &[&str]) -> Result<bool, String> {
    if on_path("apt-get").is_none() || !is_root() {
        return Ok(false);
    }
    // A message that a person can act on; apt's own words follow if it fails.
    println!("    installing {names}");
    run(&mut command("apt-get", &["update"]))?;
    let install = [&["install", "-y", "--no-install-recommends"], packages].concat();
    run(command("apt-get", &install).env("DEBIAN_FRONTEND", "noninteractive"))?;
    Ok(true)
}

fn has_postgres() -> bool {
    let places = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten();
    on_path("initdb").is_some()
        || places
            .map(|place| place.path().join("bin/initdb"))
            .any(|path| path.exists())
}

fn has_driver() -> bool {
    std::env::var_os("CHROMEDRIVER").is_some() || on_path("chromedriver").is_some()
}

fn has_browser() -> bool {
    [
        "chromium",
        "chromium-browser",
        "google-chrome",
        "google-chrome-stable",
        "chrome",
    ]
    .into_iter()
    .any(|name| on_path(name).is_some())
        || Path::new("/Applications/Google Chrome.app").exists()
}

fn is_root() -> bool {
    run(&mut command("id", &["-u"])).is_ok_and(|id| id.trim() == "0")
}
