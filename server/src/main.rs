//! The gateway as a program.

mod check;
mod database;
mod listening;
mod logging;
mod options;
mod signals;

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Parser;
use rejoinder_gateway::bus::Bus;
use rejoinder_gateway::core::Config;
use rejoinder_gateway::shell::{Access, AddressLimits, AdminKey, Settings, Tls, serve};
use rejoinder_gateway::store::{PostgresStore, SqliteStore, Store};
use rejoinder_gateway::tokens::Tokens;
use rejoinder_protocol::UserId;
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

/// Says which option an error is about.
fn of_option<E: std::error::Error>(name: &str) -> impl FnOnce(E) -> Failure {
    move |error| Failure(format!("{name}: {error}"))
}

fn main() -> ExitCode {
    let options = Options::parse();
    options.log.begin();
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
    bus.transpose().map_err(of_option("--redis-url"))
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
    let admin_key = admin_key.map(AdminKey::new).transpose();
    let admin_key = admin_key.map_err(of_option("--admin-key"))?;
    let files = options.tls_certificate.clone().zip(options.tls_key.clone());
    let tls = match files {
        Some((certificate, key)) => {
            let tls = Tls::load(certificate, key).await;
            Some(Arc::new(
                tls.map_err(of_option("--tls-certificate, --tls-key"))?,
            ))
        }
        None => None,
    };
    let bus = bus(&options)?;
    if options.redis_url.is_some() && !matches!(database, Database::Postgres(..)) {
        tracing::warn!("REDIS_URL is not used: only gateways on one PostgreSQL database need it");
    }
    let secrets = Secrets {
        tokens,
        admin_key,
        tls,
    };
    match database {
        Database::Sqlite(path) => {
            let store = SqliteStore::open(&path, &fresh().into());
            let store = store.map_err(|error| {
                Failure(format!("--database sqlite:{}: {error}", path.display()))
            })?;
            serve_with(options, secrets, None, store).await
        }
        Database::SqliteMemory => {
            let store = SqliteStore::memory(&fresh().into())?;
            serve_with(options, secrets, None, store).await
        }
        Database::Postgres(postgres, readers) => {
            let (connector, tables) = *postgres;
            let store = PostgresStore::open(connector, &tables, readers).await?;
            serve_with(options, secrets, bus, store).await
        }
    }
}

/// What says who comes in.
struct Secrets {
    tokens: Tokens,
    admin_key: Option<AdminKey>,
    tls: Option<Arc<Tls>>,
}

async fn serve_with<S: Store>(
    options: ServeOptions,
    secrets: Secrets,
    bus: Option<Bus>,
    store: S,
) -> Result<(), Failure> {
    let mut config = Config::new(store.epoch().clone(), fresh().as_u64_pair().1);
    config.dev_pairs = options.dev;
    config.messages_burst = options.messages_burst;
    config.messages_per_second = options.messages_per_second;
    config.user_connections = usize::try_from(options.user_connections)?;
    let addresses = AddressLimits {
        connections: options.address_connections,
        handshakes_per_second: options.address_handshakes_per_second,
        proxies: options.trust_proxy,
    };
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
    let Secrets {
        tokens,
        admin_key,
        tls,
    } = secrets;
    let listener = listening::listen("--listen", options.listen).await?;
    let operations = listening::operations(options.operations_listen).await?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    #[cfg(unix)]
    signals::hang_up(tls.clone())?;
    listening::tell(scheme, &listener, operations.as_ref())?;
    let settings = Settings {
        config,
        access,
        addresses,
        tokens,
        admin_key,
        bus,
        tls,
        operations,
        serve_dir: options.serve_dir,
    };
    serve(settings, store, listener, signals::stop()).await;
    Ok(())
}
