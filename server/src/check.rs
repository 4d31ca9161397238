//! The command `check`.

use std::io::Write;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use rejoinder_gateway::bus::Bus;
use rejoinder_gateway::core::{Millis, Now, Refusal};
use rejoinder_gateway::finding::{Finding, State};
use rejoinder_gateway::probe;
use rejoinder_gateway::store::postgres;
use rejoinder_gateway::tokens::Tokens;
use rejoinder_protocol::{Token, UnixMillis};

use crate::Failure;
use crate::database::Database;

/// Looks at everything and prints a line for each, with what to do where it is wrong.
#[tokio::main(flavor = "current_thread")]
pub(crate) async fn run(
    database: Database,
    tokens: &Tokens,
    bus: Option<&Bus>,
    url: Option<(String, Option<String>)>,
    token: Option<String>,
) -> Result<(), Failure> {
    let mut findings = match &database {
        Database::Postgres(postgres, _) => postgres::check(&postgres.0, &postgres.1).await,
        Database::Sqlite(path) => vec![sqlite(path)],
        Database::SqliteMemory => {
            let how = "SQLite in memory: messages are gone when the gateway stops";
            vec![Finding::good("database", how)]
        }
    };
    findings.push(tokens.check().await);
    findings.push(match token {
        Some(text) => whose(tokens, text).await,
        None => Finding::skipped("token", "none was given with --token"),
    });
    findings.push(match bus {
        Some(bus) => bus.check().await,
        None => Finding::skipped("Redis", "no REDIS_URL: one gateway alone"),
    });
    findings.push(match url {
        Some((url, origin)) => probe::gateway(&url, origin.as_deref()).await,
        None => Finding::skipped("gateway", "no URL was given with --url"),
    });
    print(&findings)?;
    let wrong = findings.iter().filter(|one| one.is_bad()).count();
    match wrong {
        0 => Ok(()),
        1 => Err(Failure("1 thing is wrong".to_owned())),
        _ => Err(Failure(format!("{wrong} things are wrong"))),
    }
}

/// Does not make the file: that is the gateway's part.
fn sqlite(path: &Path) -> Finding {
    let shown = path.display();
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    if path.is_file() {
        Finding::good("database", format!("SQLite in {shown}"))
    } else if folder.is_none_or(Path::is_dir) && !path.exists() {
        Finding::good("database", format!("SQLite, which will make {shown}"))
    } else {
        let problem = format!("{shown} is not a file and cannot become one");
        Finding::bad(
            "database",
            problem,
            "name a file in a folder that exists with --database",
        )
    }
}

async fn whose(tokens: &Tokens, text: String) -> Finding {
    let wall = SystemTime::now().duration_since(UNIX_EPOCH);
    let wall = wall
        .ok()
        .and_then(|since| u64::try_from(since.as_millis()).ok());
    let now = Now {
        monotonic: Millis(0),
        wall: wall
            .and_then(|wall| UnixMillis::try_from(wall).ok())
            .unwrap_or_default(),
    };
    let (problem, remedy) = match tokens.verify(now, &Token::new(text)).await {
        Ok(identity) => return Finding::good("token", format!("of {}", identity.user_id)),
        Err(Refusal::Expired) => (
            "it has expired",
            "pass connect() a function that brings a fresh token, not a token",
        ),
        Err(Refusal::Invalid) => (
            "it is refused",
            "use the access_token of a signed-in user's session, never an anon or service key; \
             REJOINDER_LOG=rejoinder_gateway=debug says what is wrong with it",
        ),
        Err(Refusal::Unavailable) => ("the keys cannot be fetched", "see the line above"),
    };
    Finding::bad("token", problem, remedy)
}

fn print(findings: &[Finding]) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    let width = findings.iter().map(|one| one.name.len()).max().unwrap_or(0);
    for Finding { name, state } in findings {
        match state {
            State::Good(how) => writeln!(out, "ok    {name:width$}  {how}")?,
            State::Skipped(why) => writeln!(out, "-     {name:width$}  {why}")?,
            State::Bad { problem, remedy } => {
                writeln!(out, "WRONG {name:width$}  {problem}")?;
                writeln!(out, "      {:width$}  -> {remedy}", "")?;
            }
        }
    }
    Ok(())
}
