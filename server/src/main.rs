//! The gateway as a program.

mod check;
mod database;
mod listening;
mod options;

use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Parser;
use rejoinder_gateway::bus::Bus;
use rejoinder_gateway::core::Config;
use rejoinder_gateway::shell::{Access, AdminKey, Settings, Tls, serve};
use rejoinder_gateway::store::{PostgresStore, SqliteStore, Store};
use rejoinder_gateway::tokens::Tokens;
use rejoinder_protocol::UserId;
use tracing_subscriber::EnvFilter;
use uuid::Uuid;

use database::Database;
use options::{Action, Options, ServeOptions, TokenOptions};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Why the program ended early, in words for whoever started it.
struct Failure(String);

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

fn main() -> ExitCode {
    let options = Options::parse();
    let filter =
        EnvFilter::try_from_env("REJOINDER_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    let dev = options.serve.dev;
    let result = match options.action {
        Some(Action::Backup { to }) => database::backup(options.database, &to),
        Some(Action::Check { url, token }) => {
            let origin = options.serve.allow_origin.first().cloned();
            tokens(options.tokens, dev).and_then(|tokens| {
                let database = Database::new(options.database)?;
                let bus = bus(&options.serve)?;
                check::run(
                    database,
                    &tokens,
                    bus.as_ref(),
                    url.zip(Some(origin)),
                    token,
                )
            })
        }
        Some(Action::Migrate { print }) => database::migrate(options.database, print),
        Some(Action::RotateEpoch) => database::rotate_epoch(options.database),
        Some(Action::Token { sub, valid_s }) => token(options.tokens, &sub, valid_s),
        None => tokens(options.tokens, dev).and_then(|tokens| {
            let database = Database::new(options.database)?;
            run(options.serve, database, tokens)
        }),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure(words)) => {
            let _ = writeln!(std::io::stderr(), "rejoinder-gateway: {words}");
            ExitCode::FAILURE
        }
    }
}

fn token(options: TokenOptions, sub: &UserId, valid_s: u64) -> Result<(), Failure> {
    let now_s = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let token = tokens(options, false)?.mint(sub, now_s.saturating_add(valid_s))?;
    writeln!(std::io::stdout(), "{}", token.secret())?;
    Ok(())
}

fn tokens(options: TokenOptions, dev: bool) -> Result<Tokens, Failure> {
    Ok(options.settings(dev).tokens()?)
}

/// Returns how other gateways are reached, if there are any.
fn bus(options: &ServeOptions) -> Result<Option<Bus>, Failure> {
    let url = options.redis_url.as_deref().filter(|url| !url.is_empty());
    let bus = url.map(|url| Bus::new(url, &options.redis_prefix, &options.node_id));
    Ok(bus.transpose()?)
}

/// Returns an id that no other start of any gateway has.
fn fresh() -> Uuid {
    Uuid::now_v7()
}

#[tokio::main]
async fn run(options: ServeOptions, database: Database, tokens: Tokens) -> Result<(), Failure> {
    if options.dev && !options.listen.ip().is_loopback() {
        let words =
            "--dev lets anybody in under any name, so it listens on 127.0.0.1 or [::1] only";
        return Err(Failure(words.to_owned()));
    }
    if std::env::var_os("SUPABASE_SERVICE_ROLE_KEY").is_some() {
        tracing::info!(
            "SUPABASE_SERVICE_ROLE_KEY is set, is not needed here, and is refused as a token: \
             better keep it from this process"
        );
    }
    // What is wrong with the options is said before a database is made or touched.
    let admin_key = options.admin_key.as_deref().filter(|key| !key.is_empty());
    let admin_key = admin_key.map(AdminKey::new).transpose()?;
    if options.redis_url.is_some() && !matches!(database, Database::Postgres(..)) {
        tracing::warn!("REDIS_URL is not used: only gateways on one PostgreSQL database need it");
    }
    match database {
        Database::Sqlite(path) => {
            let store = SqliteStore::open(&path, &fresh().into())?;
            serve_with(options, tokens, admin_key, None, store).await
        }
        Database::SqliteMemory => {
            let store = SqliteStore::memory(&fresh().into())?;
            serve_with(options, tokens, admin_key, None, store).await
        }
        Database::Postgres(postgres, readers) => {
            let (connector, tables) = *postgres;
            let bus = bus(&options)?;
            let store = PostgresStore::open(connector, &tables, readers).await?;
            serve_with(options, tokens, admin_key, bus, store).await
        }
    }
}

async fn serve_with<S: Store>(
    options: ServeOptions,
    tokens: Tokens,
    admin_key: Option<AdminKey>,
    bus: Option<Bus>,
    store: S,
) -> Result<(), Failure> {
    let mut config = Config::new(store.epoch().clone(), fresh().as_u64_pair().1);
    config.dev_pairs = options.dev;
    config.messages_burst = options.messages_burst;
    config.messages_per_second = options.messages_per_second;
    let access = if options.dev {
        tracing::warn!(
            "--dev: anybody on this machine is whoever they say (token `dev:alice`). For real \
             tokens set REJOINDER_JWT_SECRET, leave out --dev, and try \
             `rejoinder-gateway token --sub alice`"
        );
        Access::dev()
    } else {
        Access::exactly(options.allow_origin, options.allow_host)
    };
    let files = options.tls_certificate.zip(options.tls_key);
    let tls = match files {
        Some((certificate, key)) => Some(Arc::new(Tls::load(certificate, key).await?)),
        None => None,
    };
    let listener = listening::listen("--listen", options.listen).await?;
    let operations = listening::operations(options.operations_listen).await?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    listening::tell(scheme, &listener, operations.as_ref())?;
    #[cfg(unix)]
    tokio::spawn(hang_up(tls.clone()));
    let settings = Settings {
        config,
        access,
        tokens,
        admin_key,
        bus,
        tls,
        operations,
        serve_dir: options.serve_dir,
    };
    serve(settings, store, listener, stop()).await;
    Ok(())
}

/// Reads the certificate again whenever the process is asked to.
#[cfg(unix)]
async fn hang_up(tls: Option<Arc<Tls>>) {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut asked) = signal(SignalKind::hangup()) else {
        return;
    };
    while asked.recv().await.is_some() {
        match &tls {
            Some(tls) => tls.ask_to_reload(),
            None => tracing::info!("SIGHUP: there is no certificate to read again"),
        }
    }
}

/// Is ready when the process is asked to end.
async fn stop() {
    let interrupt = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = interrupt => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    let _ = interrupt.await;
}
