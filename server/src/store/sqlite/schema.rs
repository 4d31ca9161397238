//! How the database is opened, and how it came to its present form.

use rejoinder_protocol::Epoch;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior};

use super::{OpenError, rows};

/// Every version of the schema, oldest first. Only ever append.
const MIGRATIONS: [&str; 1] = [include_str!(
    "../../../migrations/sqlite/001_threads_and_messages.sql"
)];

/// Sets what every connection needs.
pub(super) fn configure(connection: &Connection) -> Result<(), OpenError> {
    connection.set_prepared_statement_cache_capacity(64);
    connection.pragma_update(None, "foreign_keys", true)?;
    // Otherwise SQLite plans most statements anew whenever other values are bound to them.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    // A backup tool or another process may hold the file for a moment, in milliseconds.
    connection.pragma_update(None, "busy_timeout", 5_000)?;
    Ok(())
}

/// Makes a commit survive the loss of power, which WAL alone does not.
pub(super) fn durable(connection: &Connection) -> Result<(), OpenError> {
    connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    Ok(())
}

/// Brings the schema to the newest version and returns the database's epoch.
pub(super) fn migrate(connection: &mut Connection, fresh: &Epoch) -> Result<Epoch, OpenError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found: i64 = transaction.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let found = usize::try_from(found).unwrap_or(usize::MAX);
    let known = MIGRATIONS.len();
    if found > known {
        return Err(OpenError::TooNew { found, known });
    }
    for migration in MIGRATIONS.iter().skip(found) {
        transaction.execute_batch(migration)?;
    }
    transaction.pragma_update(None, "user_version", i64::try_from(known).unwrap_or(0))?;
    let stored = transaction
        .query_row("SELECT epoch FROM history", [], |row| rows::parsed(row, 0))
        .optional()?;
    let epoch = match stored {
        Some(epoch) => epoch,
        None => {
            write_epoch(&transaction, fresh)?;
            fresh.clone()
        }
    };
    transaction.commit()?;
    Ok(epoch)
}

pub(super) fn read_epoch(connection: &Connection) -> rusqlite::Result<Epoch> {
    connection
        .prepare_cached("SELECT epoch FROM history")?
        .query_row([], |row| rows::parsed(row, 0))
}

pub(super) fn write_epoch(connection: &Connection, epoch: &Epoch) -> rusqlite::Result<()> {
    let sql = "INSERT OR REPLACE INTO history (id, epoch) VALUES (1, ?1)";
    connection.execute(sql, [epoch.as_str()])?;
    Ok(())
}
