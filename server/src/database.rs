//! The database that the command line names.

use std::io::Write;
use std::path::{Path, PathBuf};

use rejoinder_gateway::store::Sqlite;
use rejoinder_gateway::store::postgres::{self, Connector, OpenError, ParticipantsTable, Tables};

use rejoinder_protocol::Epoch;

use crate::Failure;
use crate::options::DatabaseOptions;

/// A database, not opened yet.
pub(crate) enum Database {
    Sqlite(PathBuf),
    SqliteMemory,
    Postgres(Box<(Connector, Tables)>, usize),
}

impl Database {
    /// Reads the options.
    pub(crate) fn new(options: DatabaseOptions) -> Result<Self, Failure> {
        let url = options.database.as_str();
        if let Some(path) = url.strip_prefix("sqlite:") {
            return Ok(match path {
                ":memory:" => Self::SqliteMemory,
                "" => {
                    let words = "--database sqlite: names no file; for example sqlite:rejoinder.db";
                    return Err(Failure(words.to_owned()));
                }
                path => Self::Sqlite(path.into()),
            });
        }
        if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            let words = "--database begins with `sqlite:` or `postgres://`, for example \
                         sqlite:rejoinder.db";
            return Err(Failure(words.to_owned()));
        }
        let authority = options.database_ca.as_deref();
        let connector = Connector::new(url, authority).map_err(|error| {
            let is_of_file = matches!(error, OpenError::Certificates(_));
            match authority.filter(|_| is_of_file) {
                Some(path) => Failure(format!("--database-ca {}: {error}", path.display())),
                None => Failure(format!("--database: {error}")),
            }
        })?;
        let readers = usize::from(options.database_readers);
        let tables = tables(options);
        Ok(Self::Postgres(Box::new((connector, tables)), readers))
    }
}

/// Prepares a database, or prints how.
#[tokio::main(flavor = "current_thread")]
pub(crate) async fn migrate(options: DatabaseOptions, print: bool) -> Result<(), Failure> {
    if print {
        let sql = postgres::print(&tables(options));
        std::io::stdout().write_all(sql.as_bytes())?;
        return Ok(());
    }
    let Database::Postgres(postgres, _) = Database::new(options)? else {
        let words = "SQLite prepares itself; `migrate` is for a --database that begins with \
                     `postgres://`";
        return Err(Failure(words.to_owned()));
    };
    let migrated = postgres::migrate(&postgres.0, &postgres.1).await?;
    let threads = migrated.threads;
    writeln!(
        std::io::stdout(),
        "prepared; threads that were numbered: {threads}"
    )?;
    Ok(())
}

/// Opens an SQLite database that is there.
fn existing(path: &Path) -> Result<Sqlite, Failure> {
    if !path.is_file() {
        return Err(Failure(format!("there is no database {}", path.display())));
    }
    Ok(Sqlite::open(path, &crate::fresh().into())?)
}

/// Copies a database into a new file.
pub(crate) fn backup(options: DatabaseOptions, to: &Path) -> Result<(), Failure> {
    let Database::Sqlite(path) = Database::new(options)? else {
        let words = "`backup` copies SQLite files; for PostgreSQL use `pg_dump`";
        return Err(Failure(words.to_owned()));
    };
    existing(&path)?.backup(to)?;
    writeln!(std::io::stdout(), "copied to {}", to.display())?;
    Ok(())
}

/// Begins another history of a database.
#[tokio::main(flavor = "current_thread")]
pub(crate) async fn rotate_epoch(options: DatabaseOptions) -> Result<(), Failure> {
    let epoch = match Database::new(options)? {
        Database::Sqlite(path) => {
            let epoch: Epoch = crate::fresh().into();
            existing(&path)?.rotate_epoch(epoch.clone())?;
            epoch
        }
        Database::SqliteMemory => {
            let words = "a database in memory begins another history by itself at each start";
            return Err(Failure(words.to_owned()));
        }
        Database::Postgres(postgres, _) => postgres::rotate_epoch(&postgres.0).await?,
    };
    writeln!(std::io::stdout(), "another history has begun: {epoch}")?;
    Ok(())
}

fn tables(options: DatabaseOptions) -> Tables {
    let mut tables = Tables::default();
    tables.messages = options.messages_table;
    for renamed in options.message_column {
        tables.rename(renamed);
    }
    tables.participants = options.participants_table.map(|table| ParticipantsTable {
        table,
        thread_id: options.participants_thread_column,
        user_ids: options.participants_user_column,
    });
    tables
}
