//! The command `test`: everything, cheap checks first.

use crate::{
    browser_tests, chaos, dist, e2e, fuzz, install, npm, rust, sim, steps::Steps, tidy, wasm,
};

/// Runs every step, also after one has failed, so that one run shows all there is to mend.
pub(crate) fn run(options: &[String]) -> Result<(), String> {
    let is_full = match options {
        [] => false,
        [option] if option == "--full" => true,
        _ => return Err("cargo xtask test [--full]\n\n  --full   also what takes long".to_owned()),
    };
    let mut steps = Steps::begin();
    steps.check("tidy: file lengths, who imports whom", tidy::run);
    steps.check("the WebAssembly target", install::wasm_target);
    steps.check("Node", install::node);
    steps.check("a browser and its driver", install::browser);
    steps.check("PostgreSQL", install::postgres);
    steps.check("Redis", install::redis);
    steps.check("nginx", install::nginx);
    steps.check("systemd-analyze", install::systemd_analyze);
    steps.check("npm dependencies", npm::dependencies);
    steps.check("npm dependencies, Next.js", npm::nextjs_dependencies);
    steps.check("formatting", rust::format);
    steps.check("clippy, native", rust::lint_native);
    steps.check("clippy, the simulation", rust::lint_simulation);
    steps.check("clippy, WebAssembly", rust::lint_wasm);
    steps.check("rustdoc", rust::document);
    steps.tests("native tests", rust::test);
    steps.tests("the simulation: scenarios, regressions", sim::test);
    steps.check("the simulation: 5,000 schedules", sim::seeds);
    steps.check("the simulation: every mutant is caught", sim::mutants);
    steps.check("wasm-pack and wasm-bindgen (minutes at first)", wasm::tools);
    steps.tests("browser tests", browser_tests::run_all);
    steps.check("the core: pkg/", wasm::build);
    steps.check("the npm package: js/dist/", npm::build);
    steps.check("biome and tsc", npm::check);
    steps.check("the examples: biome and tsc", npm::check_examples);
    steps.tests("vitest", npm::test);
    steps.tests("the packed package in fresh apps", npm::test_packaging);
    steps.tests("the gateway by npx", dist::test_debug);
    steps.tests("two people in real browsers, end to end", e2e::run);
    let nextjs = "the Next.js example, old and new side by side";
    steps.tests(nextjs, e2e::run_nextjs);
    if is_full {
        steps.check("the simulation: 100,000 schedules", sim::many_seeds);
        steps.check("fuzzing: every target for 10 seconds", fuzz::briefly);
        steps.check("chaos: 200 rounds (15 to 25 minutes)", chaos::many_rounds);
        steps.tests("what is handed out (minutes)", dist::test);
    }
    steps.finish()
}
