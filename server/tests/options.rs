//! The command line and the environment: what is wrong is said at the start, and what there is, by
//! `--help`.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Whoever is not told what is wrong by then is let in.
const PATIENCE: Duration = Duration::from_secs(20);

const PROGRAM: &str = env!("CARGO_BIN_EXE_rejoinder-gateway");

/// Runs it in an empty folder, with nothing but this in its environment.
fn run(folder: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut command = Command::new(PROGRAM);
    command.current_dir(folder).env_clear();
    command.args(arguments).envs(environment.iter().copied());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let began = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if began.elapsed() > PATIENCE {
            child.kill().unwrap();
            panic!("{arguments:?} {environment:?}: it runs");
        }
        sleep(Duration::from_millis(10));
    }
    child.wait_with_output().unwrap()
}

/// What is set, and what the error must say: which option, and what would be right.
type Case = (
    &'static [&'static str],
    &'static [(&'static str, &'static str)],
    [&'static str; 2],
);

const WRONG: &[Case] = &[
    (&["--listen", "8787"], &[], ["--listen", "127.0.0.1:8787"]),
    (
        &[],
        &[("REJOINDER_LISTEN", "localhost:8787")],
        ["--listen", "127.0.0.1:8787"],
    ),
    (
        &["--listen", "192.0.2.1:8787"],
        &[("REJOINDER_JWT_SECRET", "secret")],
        ["--listen", "192.0.2.1:8787"],
    ),
    (
        &["--dev", "--listen", "0.0.0.0:0"],
        &[],
        ["--dev", "127.0.0.1"],
    ),
    (
        &["--operations-listen", "9000"],
        &[],
        ["--operations-listen", "`none`"],
    ),
    (
        &[],
        &[("REJOINDER_OPERATIONS_LISTEN", "off")],
        ["--operations-listen", "`none`"],
    ),
    (
        &["--dev", "--tls-key", "key.pem"],
        &[],
        ["--tls-key", "--tls-certificate"],
    ),
    (
        &["--dev", "--tls-certificate", "certificate.pem"],
        &[],
        ["--tls-certificate", "--tls-key"],
    ),
    (
        &[
            "--dev",
            "--tls-certificate",
            "no.pem",
            "--tls-key",
            "no.pem",
        ],
        &[],
        ["--tls-certificate", "no.pem: No such file"],
    ),
    (
        &["--dev", "--allow-origin", "chat.example"],
        &[],
        ["--allow-origin", "https://chat.example"],
    ),
    (
        &["--dev", "--allow-origin", "https://chat.example/"],
        &[],
        ["--allow-origin", "no path"],
    ),
    (
        &["--dev"],
        &[("REJOINDER_ALLOW_ORIGIN", "https://a.example,*")],
        ["--allow-origin", "https://chat.example"],
    ),
    (
        &["--dev", "--allow-host", "http://chat.internal"],
        &[],
        ["--allow-host", "chat.internal:8787"],
    ),
    (
        &["--dev", "--admin-key", "a-short-key"],
        &[],
        ["--admin-key", "32 characters"],
    ),
    (
        &["--dev", "--redis-url", "redis.internal:6379"],
        &[],
        ["--redis-url", "Redis URL"],
    ),
    (
        &["--dev", "--redis-prefix", "my app"],
        &[],
        ["--redis-prefix", "without blanks"],
    ),
    (
        &["--dev", "--messages-burst", "0"],
        &[],
        ["--messages-burst", "1..=100000"],
    ),
    (
        &["--dev"],
        &[("REJOINDER_MESSAGES_PER_SECOND", "-1")],
        ["--messages-per-second", "1..=100000"],
    ),
    (
        &["--dev"],
        &[("REJOINDER_MESSAGES_BURST", "many")],
        ["--messages-burst", "invalid digit"],
    ),
    (
        &["--dev", "--user-connections", "0"],
        &[],
        ["--user-connections", "1..=10000"],
    ),
    (
        &["--dev", "--address-connections", "16385"],
        &[],
        ["--address-connections", "1..=16384"],
    ),
    (
        &["--dev"],
        &[("REJOINDER_ADDRESS_HANDSHAKES_PER_SECOND", "0")],
        ["--address-handshakes-per-second", "1 to 100000"],
    ),
    (
        &["--dev", "--trust-proxy", "proxy.internal"],
        &[],
        ["--trust-proxy", "10.0.0.0/8"],
    ),
    (
        &["--dev", "--serve-dir", "nowhere"],
        &[],
        ["--serve-dir", "no such folder"],
    ),
    (
        &["--dev", "--database", "rejoinder.db"],
        &[],
        ["--database", "`sqlite:`"],
    ),
    (
        &["--dev", "--database", "sqlite:"],
        &[],
        ["--database", "sqlite:rejoinder.db"],
    ),
    (
        &["--dev", "--database", "sqlite:nowhere/rejoinder.db"],
        &[],
        ["--database", "nowhere/rejoinder.db"],
    ),
    (
        &["--dev", "--database", "postgres://u:the-secret@host:port/d"],
        &[],
        ["--database", "port"],
    ),
    (
        &["--dev", "--database-readers", "0"],
        &[],
        ["--database-readers", "1..=1000"],
    ),
    (
        &[
            "--dev",
            "--database",
            "postgres://h/d",
            "--database-ca",
            "no.pem",
        ],
        &[],
        ["--database-ca", "no.pem"],
    ),
    (
        &["--dev", "--messages-table", "public."],
        &[],
        ["--messages-table", "1 to 63 bytes"],
    ),
    (
        &["--dev", "--message-column", "author"],
        &[],
        ["--message-column", "sender_id=author"],
    ),
    (&["--log", "loud=very"], &[], ["--log", "loud=very"]),
    (
        &[],
        &[("REJOINDER_LOG_FORMAT", "xml")],
        ["--log-format", "json, text"],
    ),
    (&[], &[], ["REJOINDER_JWT_SECRET", "--dev"]),
    (
        &["--jwks-url", "https://id.example/keys"],
        &[],
        ["--jwks-url", "--jwt-issuer"],
    ),
    (
        &["--supabase-url", "http://abc.supabase.co"],
        &[],
        ["--supabase-url", "https://"],
    ),
    (
        &[
            "--jwks-url",
            "ftp://id.example/keys",
            "--jwt-issuer",
            "i",
            "--jwt-audience",
            "a",
        ],
        &[],
        ["--jwks-url", "https://"],
    ),
    (
        &["token", "--sub", "a b"],
        &[("REJOINDER_JWT_SECRET", "secret")],
        ["--sub", "letters, digits"],
    ),
    (
        &["token", "--sub", "a", "--valid-s", "0"],
        &[("REJOINDER_JWT_SECRET", "secret")],
        ["--valid-s", "1.."],
    ),
    (&["--lisen", "127.0.0.1:1"], &[], ["--lisen", "--listen"]),
];

#[test]
fn each_wrong_value_is_told_at_the_start_with_what_would_be_right() {
    for (arguments, environment, expected) in WRONG {
        let folder = tempfile::tempdir().unwrap();
        let output = run(folder.path(), arguments, environment);
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        let what = format!("{arguments:?} {environment:?}: {words}");
        assert!(!output.status.success(), "{what}");
        for wanted in expected {
            assert!(words.contains(wanted), "{wanted}: {what}");
        }
        for never in ["panicked", "the-secret", "a-short-key"] {
            assert!(!words.contains(never), "{never}: {what}");
        }
    }
}

#[test]
fn what_is_wrong_is_told_before_a_database_is_made() {
    for wrong in [
        ["--admin-key", "a-short-key"],
        ["--redis-url", "redis.internal:6379"],
        ["--serve-dir", "nowhere"],
    ] {
        let folder = tempfile::tempdir().unwrap();
        let arguments = [&["--dev", "--listen", "127.0.0.1:0"][..], &wrong].concat();
        assert!(!run(folder.path(), &arguments, &[]).status.success());
        assert!(!folder.path().join("rejoinder.db").exists(), "{wrong:?}");
    }
}

#[test]
fn the_help_names_every_option_with_its_variable_and_its_default() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(folder.path(), &["--help"], &[]);
    let help = String::from_utf8(output.stdout).unwrap();
    for heading in [
        "Where messages are kept:",
        "Who may connect:",
        "Where clients and operators connect:",
        "Several gateways:",
        "Limits:",
        "Log (on stderr):",
        "Signals:",
    ] {
        assert!(help.contains(&format!("\n{heading}\n")), "{heading} {help}");
    }
    let options: Vec<_> = help.split("\n      --").skip(1).collect();
    assert!(options.len() > 25, "{help}");
    for option in options {
        assert!(option.contains("[env: "), "{option}");
        let takes_value = option.lines().next().unwrap().contains('<');
        let says_more = option.contains("[default: ") || option.lines().count() > 3;
        assert!(!takes_value || says_more, "{option}");
    }
}

#[test]
fn the_command_line_wins_over_the_environment() {
    let folder = tempfile::tempdir().unwrap();
    let sub = |arguments: &[&str]| {
        let environment = [
            ("REJOINDER_JWT_SECRET", "secret"),
            ("REJOINDER_JWT_ISSUER", "here"),
        ];
        let arguments = [&["token", "--sub", "alice"], arguments].concat();
        let token = run(folder.path(), &arguments, &environment).stdout;
        let token = String::from_utf8(token).unwrap();
        let claims = token.split('.').nth(1).unwrap();
        let engine = base64::engine::general_purpose::URL_SAFE_NO_PAD;
        let claims = base64::Engine::decode(&engine, claims).unwrap();
        let claims: serde_json::Value = serde_json::from_slice(&claims).unwrap();
        claims.get("iss").unwrap().as_str().unwrap().to_owned()
    };
    assert_eq!(sub(&[]), "here");
    assert_eq!(sub(&["--jwt-issuer", "there"]), "there");
}
