//! The command line, which is also the manual.

mod tokens;
mod values;

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;

use clap::builder::FalseyValueParser;
use clap::{Args, Parser, Subcommand};
use ipnet::IpNet;
use rejoinder_gateway::store::postgres::{Name, Renamed, TableName};
use rejoinder_protocol::UserId;

use crate::listening::Operations;
use crate::logging::LogOptions;
pub(crate) use tokens::TokenOptions;
pub(crate) use values::address;
use values::{folder, handshakes, host, network, origin, prefix};

/// The headings of what not every gateway needs.
const SEVERAL: &str = "Several gateways";
const LIMITS: &str = "Limits";

/// What stands below the options.
const AFTER: &str = "\
Signals:
  SIGTERM, Ctrl-C  Take nobody any more, tell every client when to come back, finish what is under
                   way, and end: within 7 seconds
  SIGHUP           Read the certificate again

More: docs/operations.md (health, metrics, logs, TLS, backup), docs/supabase.md, docs/tokens.md,
docs/several-gateways.md";

/// Takes direct messages from Rejoinder clients, orders them, keeps them, and delivers them.
///
/// Try it on this machine, where `dev:alice` is a token for the user `alice`:
///
///     rejoinder-gateway --dev
///
/// Where an application has its messages in PostgreSQL already, prepare its tables first:
///
///     export REJOINDER_DATABASE=postgres://...
///     rejoinder-gateway migrate
///
/// For the users of a Supabase project, where `NEXT_PUBLIC_SUPABASE_URL` is often set already:
///
///     rejoinder-gateway --supabase-url https://abc.supabase.co --allow-origin https://chat.example
///
/// For users of your own, choose a secret, sign a token per user with it (HS256, claims `sub` and
/// `exp`), and name the pages that may connect:
///
///     export REJOINDER_JWT_SECRET=...
///     rejoinder-gateway --allow-origin https://chat.example
///     rejoinder-gateway token --sub alice
///
/// Several gateways on one PostgreSQL database, each with its own name:
///
///     export REJOINDER_DATABASE=postgres://... REDIS_URL=rediss://...
///     rejoinder-gateway --node-id a --listen 10.0.0.1:8787 --allow-origin https://chat.example
///
/// Every option can be set by the environment, too; the command line wins.
#[derive(Parser)]
#[command(version, verbatim_doc_comment, after_long_help = AFTER)]
pub(crate) struct Options {
    #[command(subcommand)]
    pub(crate) action: Option<Action>,
    #[command(flatten)]
    pub(crate) database: DatabaseOptions,
    #[command(flatten)]
    pub(crate) tokens: TokenOptions,
    #[command(flatten)]
    pub(crate) serve: ServeOptions,
    #[command(flatten)]
    pub(crate) log: LogOptions,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Action {
    /// Copy an SQLite database into a new file, while the gateway runs. (PostgreSQL has `pg_dump`.)
    Backup {
        /// The file; it must not be there yet.
        to: PathBuf,
    },
    /// Look at everything that a gateway needs, with the same options, and say what to do where
    /// something is wrong. Changes nothing. Fails if anything is wrong.
    Check {
        /// The URL that the application connects to, such as `wss://chat.example/ws`.
        #[arg(long)]
        url: Option<String>,
        /// A user's token, of which is said whom it names.
        #[arg(long, env = "REJOINDER_CHECK_TOKEN", hide_env_values = true)]
        token: Option<String>,
    },
    /// Prepare a PostgreSQL database, with the tables that an application has there already or with
    /// new ones. Safe to repeat, and while others write.
    Migrate {
        /// Print the SQL instead of running it, for `supabase migration` or a dashboard.
        #[arg(long)]
        print: bool,
    },
    /// Begin another history of the database, so that every client loads anew. To be done once after
    /// it was restored from a backup or exchanged, also while gateways run.
    RotateEpoch,
    /// Print a token for a user, signed with the secret.
    Token {
        /// The user: 1 to 128 characters of [A-Za-z0-9_.:|-]; with a Supabase project, a UUID.
        #[arg(long)]
        sub: UserId,
        /// For how many seconds it is valid.
        #[arg(long, default_value_t = 3600, value_parser = clap::value_parser!(u64).range(1..))]
        valid_s: u64,
    },
}

#[derive(Args)]
#[command(next_help_heading = "Where messages are kept")]
pub(crate) struct DatabaseOptions {
    /// Where messages are kept: `sqlite:` and a path, `sqlite::memory:`, or a
    /// `postgres://user:secret@host/database`, by a direct connection or a pooler of sessions.
    #[arg(
        long,
        global = true,
        env = "REJOINDER_DATABASE",
        hide_env_values = true,
        value_name = "URL",
        default_value = "sqlite:rejoinder.db"
    )]
    pub(crate) database: String,
    /// PostgreSQL: a PEM file with the authority of the server's certificate, if the system does not
    /// know it.
    #[arg(
        long,
        global = true,
        env = "REJOINDER_DATABASE_CA",
        value_name = "FILE"
    )]
    pub(crate) database_ca: Option<PathBuf>,
    /// PostgreSQL: connections that read, 1 to 1000; two more write, and one listens.
    #[arg(
        long,
        global = true,
        env = "REJOINDER_DATABASE_READERS",
        value_name = "COUNT",
        default_value_t = 8,
        value_parser = clap::value_parser!(u16).range(1..=1_000)
    )]
    pub(crate) database_readers: u16,
    /// PostgreSQL: the table with the messages; `migrate` makes it if there is none.
    #[arg(
        long,
        visible_alias = "table",
        global = true,
        env = "REJOINDER_MESSAGES_TABLE",
        value_name = "TABLE",
        default_value = "public.messages"
    )]
    pub(crate) messages_table: TableName,
    /// PostgreSQL: what a column is called there, such as `sender_id=author`; may be repeated. The
    /// columns are id, thread_id, sender_id, body, created_at, and those that `migrate` adds:
    /// attachments, edited_at, sequence_number, revision, client_msg_id.
    #[arg(
        long,
        global = true,
        env = "REJOINDER_MESSAGE_COLUMN",
        value_name = "OURS=THEIRS",
        value_delimiter = ','
    )]
    pub(crate) message_column: Vec<Renamed>,
    /// PostgreSQL: the application's table that says who takes part in which thread. Without it,
    /// whoever has written does, and back ends say the rest.
    #[arg(
        long,
        global = true,
        env = "REJOINDER_PARTICIPANTS_TABLE",
        value_name = "TABLE"
    )]
    pub(crate) participants_table: Option<TableName>,
    /// PostgreSQL: its column with the thread.
    #[arg(
        long,
        global = true,
        env = "REJOINDER_PARTICIPANTS_THREAD_COLUMN",
        value_name = "COLUMN",
        default_value = "thread_id"
    )]
    pub(crate) participants_thread_column: Name,
    /// PostgreSQL: its column with a person; two, where a row is a pair.
    #[arg(
        long,
        global = true,
        env = "REJOINDER_PARTICIPANTS_USER_COLUMN",
        value_name = "COLUMN",
        value_delimiter = ',',
        default_value = "user_id"
    )]
    pub(crate) participants_user_column: Vec<Name>,
}

/// The URL may hold a password.
impl std::fmt::Debug for DatabaseOptions {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("DatabaseOptions(..)")
    }
}

#[derive(Args)]
#[command(next_help_heading = "Where clients and operators connect")]
pub(crate) struct ServeOptions {
    /// Where to listen; port 0 takes a free one. The first line on stdout says which.
    #[arg(
        long,
        env = "REJOINDER_LISTEN",
        value_name = "ADDRESS",
        default_value = "127.0.0.1:8787",
        value_parser = address
    )]
    pub(crate) listen: SocketAddr,
    /// TLS of its own: a PEM file with the certificate, and those that lead to its authority. Read
    /// again when it changes and on SIGHUP; a bad one changes nothing. Without it, put a proxy that
    /// has one before the gateway.
    #[arg(
        long,
        env = "REJOINDER_TLS_CERTIFICATE",
        value_name = "FILE",
        requires = "tls_key"
    )]
    pub(crate) tls_certificate: Option<PathBuf>,
    /// TLS of its own: a PEM file with the certificate's private key.
    #[arg(
        long,
        env = "REJOINDER_TLS_KEY",
        value_name = "FILE",
        requires = "tls_certificate"
    )]
    pub(crate) tls_key: Option<PathBuf>,
    /// Where `/healthz`, `/readyz` and `/metrics` are answered, which say how much happens here and
    /// nothing of anybody; `none`: nowhere. Unless chosen it is 127.0.0.1:8788, or nowhere if that is
    /// taken. The second line on stdout says where.
    #[arg(long, env = "REJOINDER_OPERATIONS_LISTEN", value_name = "ADDRESS")]
    pub(crate) operations_listen: Option<Operations>,
    /// For trying it out, on this machine only: `dev:alice` is a token for `alice`, a thread named
    /// `alice|bob` comes into being by being used, and local pages of any port may connect.
    #[arg(long, env = "REJOINDER_DEV", value_parser = FalseyValueParser::new())]
    pub(crate) dev: bool,
    /// A page's origin that may connect, such as `https://chat.example`; may be repeated. Pages
    /// served under the gateway's own host may anyway.
    #[arg(
        long,
        env = "REJOINDER_ALLOW_ORIGIN",
        value_name = "ORIGIN",
        value_delimiter = ',',
        value_parser = origin
    )]
    pub(crate) allow_origin: Vec<String>,
    /// A further `Host` under which requests arrive, for example from a proxy; may be repeated.
    #[arg(
        long,
        env = "REJOINDER_ALLOW_HOST",
        value_name = "HOST",
        value_delimiter = ',',
        value_parser = host
    )]
    pub(crate) allow_host: Vec<String>,
    /// The key by which your back end asks the REST interface for anybody's threads: at least 32
    /// characters, such as `openssl rand -hex 32` makes. Without it no back end is let in. Better set
    /// by the environment: a command line shows in process lists.
    #[arg(
        long,
        env = "REJOINDER_ADMIN_KEY",
        hide_env_values = true,
        value_name = "KEY"
    )]
    pub(crate) admin_key: Option<String>,
    /// Redis 7 or later, by which several gateways on one PostgreSQL database tell each other what
    /// happens: `redis://user:secret@host:6379`, `rediss://` for TLS. Without it each finds what
    /// others wrote by asking the database, every 15 seconds.
    #[arg(
        long,
        env = "REDIS_URL",
        hide_env_values = true,
        value_name = "URL",
        help_heading = SEVERAL
    )]
    pub(crate) redis_url: Option<String>,
    /// Redis: with what the names of its keys begin.
    #[arg(
        long,
        env = "REJOINDER_REDIS_PREFIX",
        value_name = "WORD",
        default_value = "rejoinder",
        value_parser = prefix,
        help_heading = SEVERAL
    )]
    pub(crate) redis_prefix: String,
    /// What this gateway is called among others.
    #[arg(
        long,
        env = "HOSTNAME",
        value_name = "NAME",
        default_value = "gateway",
        help_heading = SEVERAL
    )]
    pub(crate) node_id: String,
    /// Messages that one user may send at once, over all devices, 1 to 100000.
    #[arg(
        long,
        env = "REJOINDER_MESSAGES_BURST",
        value_name = "COUNT",
        default_value_t = 60,
        value_parser = clap::value_parser!(u32).range(1..=100_000),
        help_heading = LIMITS
    )]
    pub(crate) messages_burst: u32,
    /// Messages that one user may send per second after that, 1 to 100000.
    #[arg(
        long,
        env = "REJOINDER_MESSAGES_PER_SECOND",
        value_name = "COUNT",
        default_value_t = 10,
        value_parser = clap::value_parser!(u32).range(1..=100_000),
        help_heading = LIMITS
    )]
    pub(crate) messages_per_second: u32,
    /// Connections that one user may have at once at this gateway, over all devices, 1 to 10000. A
    /// browser has one, for a moment two; the newest is refused.
    #[arg(
        long,
        env = "REJOINDER_USER_CONNECTIONS",
        value_name = "COUNT",
        default_value_t = 20,
        value_parser = clap::value_parser!(u32).range(1..=10_000),
        help_heading = LIMITS
    )]
    pub(crate) user_connections: u32,
    /// Connections that may come from one address at once, 1 to 16384; of IPv6, from one network of 64
    /// bits. Programs on this machine have no such limit.
    #[arg(
        long,
        env = "REJOINDER_ADDRESS_CONNECTIONS",
        value_name = "COUNT",
        default_value_t = 512,
        value_parser = clap::value_parser!(u32).range(1..=16_384),
        help_heading = LIMITS
    )]
    pub(crate) address_connections: u32,
    /// WebSockets and streams that one address may open per second, 1 to 100000; for a moment five
    /// times as many.
    #[arg(
        long,
        env = "REJOINDER_ADDRESS_HANDSHAKES_PER_SECOND",
        value_name = "COUNT",
        default_value = "20",
        value_parser = handshakes,
        help_heading = LIMITS
    )]
    pub(crate) address_handshakes_per_second: NonZeroU32,
    /// A proxy, or a network of them, such as 10.0.0.0/8, that says in `X-Forwarded-For` for whom it
    /// asks; may be repeated. Proxies on this machine are believed anyway. Of others every connection
    /// counts as theirs.
    #[arg(
        long,
        env = "REJOINDER_TRUST_PROXY",
        value_name = "ADDRESS",
        value_delimiter = ',',
        value_parser = network,
        help_heading = LIMITS
    )]
    pub(crate) trust_proxy: Vec<IpNet>,
    /// A folder of files to serve at `/`, such as a built web application.
    #[arg(long, env = "REJOINDER_SERVE_DIR", value_name = "FOLDER", value_parser = folder)]
    pub(crate) serve_dir: Option<PathBuf>,
}
