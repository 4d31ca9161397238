//! The npm package.

use crate::{
    install, paths,
    process::{command, run},
    wasm,
};
use std::{fs, path::Path, process::Command, time::SystemTime};

fn npm(arguments: &[&str]) -> Command {
    npm_in(&paths::js(), arguments)
}

fn npm_in(folder: &Path, arguments: &[&str]) -> Command {
    let mut npm = command("npm", arguments);
    npm.current_dir(folder);
    npm
}

/// Installs what the package and the first example need.
pub(crate) fn dependencies() -> Result<(), String> {
    dependencies_of(&paths::js())?;
    dependencies_of(&paths::example())
}

/// Installs what the Next.js example needs, apart: it is ten times as much.
pub(crate) fn nextjs_dependencies() -> Result<(), String> {
    dependencies_of(&paths::nextjs_example())
}

/// Installs what the lock file in `folder` names, unless that has been done since it changed.
fn dependencies_of(folder: &Path) -> Result<(), String> {
    let changed = |file: &str| modified(&folder.join(file));
    let installed = changed("node_modules/.package-lock.json");
    if installed.is_some() && installed >= changed("package-lock.json") {
        return Ok(());
    }
    run(&mut npm_in(folder, &["ci", "--no-audit", "--no-fund"])).map(drop)
}

fn modified(file: &Path) -> Option<SystemTime> {
    fs::metadata(file).and_then(|file| file.modified()).ok()
}

/// Builds `js/dist/` from `js/src/` and `pkg/`.
pub(crate) fn build() -> Result<String, String> {
    run(&mut npm(&["run", "build"]))
}

/// Formatting, lints and types.
pub(crate) fn check() -> Result<String, String> {
    let of_client = run(&mut npm(&["run", "check"]))?;
    let biome = paths::js().join("node_modules/.bin/biome");
    let of_gateway = run(command(biome, &["check", "--error-on-warnings", "."])
        .current_dir(paths::root().join("npm/gateway")))?;
    Ok(of_client + &of_gateway)
}

/// Builds the example app; it uses the built package.
pub(crate) fn build_example() -> Result<String, String> {
    run(&mut npm_in(&paths::example(), &["run", "build"]))
}

/// Formatting, lints and types of the example apps.
pub(crate) fn check_examples() -> Result<(), String> {
    for example in [paths::example(), paths::nextjs_example()] {
        let mut npm = npm_in(&example, &["run", "check"]);
        run(npm.env("NEXT_TELEMETRY_DISABLED", "1"))?;
    }
    Ok(())
}

/// The facade's tests.
pub(crate) fn test() -> Result<String, String> {
    run(&mut npm(&["test"]))
}

/// Packs the package and uses it as its users do.
pub(crate) fn test_packaging() -> Result<String, String> {
    run(&mut npm(&["run", "test:packaging"]))
}

/// Packs the built client into `folder`.
pub(crate) fn pack_client(folder: &Path) -> Result<String, String> {
    let mut pack = npm(&["pack", "--pack-destination"]);
    run(pack.arg(folder))
}

/// Packs a program, compiled for `target`, into `folder`: as the command for everybody, and as the
/// package of its platform.
pub(crate) fn pack_gateway(program: &Path, target: &str, folder: &Path) -> Result<String, String> {
    let mut pack = command("node", &["npm/gateway/pack.mjs"]);
    run(pack.arg(program).arg(target).arg(folder))
}

/// Packs a program, compiled for `target`, and starts it by `npx` in an empty folder.
pub(crate) fn test_gateway(program: &Path, target: &str) -> Result<String, String> {
    let file = "npm/gateway/tests/npx.test.mjs";
    let mut tests = command("node", &["--test", "--test-reporter=tap", file]);
    tests.env("GATEWAY_PROGRAM", program);
    run(tests.env("GATEWAY_TARGET", target))
}

/// The command `build`.
pub(crate) fn build_all() -> Result<(), String> {
    type Step = (&'static str, fn() -> Result<(), String>);
    let steps: [Step; 6] = [
        ("the WebAssembly target", install::wasm_target),
        ("Node", install::node),
        ("wasm-pack and wasm-bindgen", || wasm::tools().map(drop)),
        ("the core: pkg/", || wasm::build().map(drop)),
        ("npm dependencies", dependencies),
        ("the npm package: js/dist/", || build().map(drop)),
    ];
    for (name, step) in steps {
        println!("{name}");
        step()?;
    }
    Ok(())
}
