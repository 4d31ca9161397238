//! The files in `deploy/`: what they name is there, and who reads them understands them.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used)]
#![allow(clippy::panic, clippy::indexing_slicing)]

mod compose;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const PROGRAM: &str = env!("CARGO_BIN_EXE_rejoinder-gateway");
const UNIT: &str = include_str!("../../deploy/rejoinder-gateway.service");
/// Of ten, as `systemd-analyze security` has it: one without any restriction has 9.6.
const EXPOSURE_MAX: &str = "--threshold=15";

/// How much is logged; the one variable that no option stands for.
const NO_OPTION: &str = "REJOINDER_LOG";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_owned()
}

fn words(output: &Output) -> String {
    [&output.stdout, &output.stderr]
        .map(|bytes| String::from_utf8_lossy(bytes).into_owned())
        .concat()
}

/// What `--help` says, of the program and each of its commands.
fn help() -> String {
    let of = |arguments: &[&str]| {
        let output = Command::new(PROGRAM).args(arguments).output().unwrap();
        assert!(output.status.success());
        words(&output)
    };
    let mut help = of(&["--help"]);
    let (_, commands) = help.split_once("Commands:\n").unwrap();
    let commands = commands.lines().map_while(|line| line.strip_prefix("  "));
    let commands: Vec<_> = commands
        .filter(|line| !line.starts_with(' '))
        .filter_map(|line| line.split(' ').next())
        .filter(|name| *name != "help")
        .map(str::to_owned)
        .collect();
    assert!(commands.contains(&"migrate".to_owned()), "{commands:?}");
    for command in commands {
        help += &of(&[&command, "--help"]);
    }
    help
}

fn is_name(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_' || character == '-'
}

/// Every variable of ours that a text names, and every option that it gives the program.
fn named(text: &str) -> Vec<String> {
    let words = text.split(|character| !is_name(character));
    let variables = words.filter(|word| word.starts_with("REJOINDER_") || *word == "REDIS_URL");
    let mut named: Vec<_> = variables.map(str::to_owned).collect();
    let calls = text.lines().flat_map(|line| {
        let call = ["rejoinder-gateway ", "@rejoinder/gateway "];
        call.into_iter()
            .filter_map(move |call| line.split_once(call))
    });
    // Options after a package's name are cargo's.
    let calls = calls.filter(|(before, _)| !before.ends_with("--package "));
    for (_, arguments) in calls {
        let arguments = arguments.split(['`', '#', '|']).next().unwrap();
        let options = arguments
            .split([' ', '='])
            .filter(|word| word.starts_with("--"));
        named.extend(options.map(str::to_owned));
    }
    named
}

#[test]
fn every_option_that_files_and_documents_name_exists() {
    let help = help();
    let mut known: Vec<_> = help.split(|character| !is_name(character)).collect();
    known.push(NO_OPTION);
    let files = fs::read_dir(root().join("deploy")).unwrap();
    let mut files: Vec<_> = files.map(|entry| entry.unwrap().path()).collect();
    for document in [
        "README.md",
        "docs/deployment.md",
        "docs/operations.md",
        "docs/several-gateways.md",
        "docs/supabase.md",
        "docs/troubleshooting.md",
        "npm/gateway/README.md",
    ] {
        files.push(root().join(document));
    }
    let mut count = 0;
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        for name in named(&text) {
            assert!(
                known.contains(&name.as_str()),
                "{}: `{name}` is unknown",
                file.display()
            );
            count += 1;
        }
    }
    assert!(count > 40, "{count} are hardly all");
}

#[test]
fn systemd_understands_the_unit_and_finds_it_well_locked_up() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rejoinder-gateway.service");
    let installed = "/usr/local/bin/rejoinder-gateway\n";
    assert_eq!(UNIT.matches(&format!("={installed}")).count(), 1);
    fs::write(&file, UNIT.replace(installed, &format!("{PROGRAM}\n"))).unwrap();
    let analyze = |arguments: &[&str]| {
        let mut analyze = Command::new("systemd-analyze");
        let output = analyze.args(arguments).arg(&file).output();
        output.expect("systemd-analyze is missing: install it (Debian: apt-get install systemd)")
    };
    let verified = analyze(&["verify"]);
    let said = words(&verified);
    assert!(verified.status.success() && said.is_empty(), "{said}");
    let secure = analyze(&["security", "--offline=true", "--no-pager", EXPOSURE_MAX]);
    assert!(secure.status.success(), "{}", words(&secure));
}

#[test]
fn what_compose_puts_together_fits() {
    let file = compose::read();
    let names = |what: &str| -> Vec<String> {
        let mapping = file[what].as_mapping().unwrap();
        let names = mapping.keys().map(|name| name.as_str().unwrap().to_owned());
        names.collect()
    };
    let (services, volumes) = (names("services"), names("volumes"));
    for name in &services {
        let service = &file["services"][name.as_str()];
        assert!(service["image"].is_string(), "{name}");
        let needed = service.as_mapping_get("depends_on");
        let needed: Vec<_> = match needed {
            None => Vec::new(),
            Some(list) if list.is_sequence() => list.as_sequence().unwrap().iter().collect(),
            Some(conditions) => conditions.as_mapping().unwrap().keys().collect(),
        };
        for one in needed {
            let one = one.as_str().unwrap().to_owned();
            assert!(services.contains(&one), "{name} needs {one}");
        }
        for volume in service
            .as_mapping_get("volumes")
            .into_iter()
            .flat_map(|list| list.as_sequence().unwrap())
        {
            let source = volume.as_str().unwrap().split(':').next().unwrap();
            match source.strip_prefix("./") {
                // The operator's own.
                Some("tls") => {}
                Some(file) => assert!(root().join("deploy").join(file).exists(), "{source}"),
                None => assert!(volumes.contains(&source.to_owned()), "{source}"),
            }
        }
    }
    // nginx looks for the gateways where they are.
    let nginx = fs::read_to_string(root().join("deploy/nginx.conf")).unwrap();
    let upstream = nginx
        .lines()
        .filter_map(|line| line.trim().strip_prefix("server gateway-"));
    let upstream: Vec<_> = upstream
        .map(|rest| format!("gateway-{}", rest.trim_end_matches(';')))
        .collect();
    let gateways = services.iter().filter(|name| name.starts_with("gateway-"));
    let listening: Vec<_> = gateways.map(|name| format!("{name}:8787")).collect();
    assert_eq!(upstream, listening);
    let image = fs::read_to_string(root().join("deploy/Dockerfile")).unwrap();
    assert!(image.contains("ENV REJOINDER_LISTEN=0.0.0.0:8787\n"));
}
