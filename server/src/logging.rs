//! What the program logs, and in which form. Never a token, a message's text or a key.

use std::io::IsTerminal;

use clap::{Args, ValueEnum};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;

/// The form of a log line.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// One JSON object: `timestamp`, `level`, `target`, and `fields` with the `message`.
    Json,
    /// For people.
    Text,
}

#[derive(Args)]
#[command(next_help_heading = "Log (on stderr)")]
pub(crate) struct LogOptions {
    /// What is logged: `error`, `warn`, `info`, `debug`, `trace`, also for a part alone, such as
    /// `info,rejoinder_gateway=debug`. Tokens, keys and texts of messages are in no log.
    #[arg(
        long,
        global = true,
        env = "REJOINDER_LOG",
        value_name = "LEVELS",
        default_value = "info",
        value_parser = levels
    )]
    log: String,
    /// The form of a line: `json` is one object, for machines.
    #[arg(
        long,
        global = true,
        env = "REJOINDER_LOG_FORMAT",
        value_name = "FORMAT",
        default_value = "text"
    )]
    log_format: Format,
}

/// Checks the levels, of which an empty text says the usual ones.
fn levels(text: &str) -> Result<String, ParseError> {
    let text = if text.is_empty() { "info" } else { text };
    EnvFilter::builder().parse(text)?;
    Ok(text.to_owned())
}

impl LogOptions {
    /// Begins to log.
    pub(crate) fn begin(&self) {
        let log = tracing_subscriber::fmt()
            .with_env_filter(EnvFilter::new(&self.log))
            .with_writer(std::io::stderr);
        match self.log_format {
            Format::Json => log.json().init(),
            Format::Text => log.with_ansi(std::io::stderr().is_terminal()).init(),
        }
    }
}
