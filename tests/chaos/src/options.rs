//! What the program can be asked for.

use std::path::PathBuf;

use clap::Parser;

/// Lets real gateways, servers and clients work while whatever can break does, and compares the
/// database with every client and with all that was ever sent.
#[derive(Clone, Debug, Parser)]
#[command(name = "chaos", bin_name = "cargo xtask chaos", version)]
pub(crate) struct Options {
    /// How many rounds of trouble.
    #[arg(long, value_name = "N", default_value_t = 200)]
    pub(crate) rounds: u32,
    /// The number of the first round, to live through a later one again.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) first: u32,
    /// What chooses the troubles and what people do. When each thing happens is the machine's.
    #[arg(long, value_name = "SEED", default_value_t = 1)]
    pub(crate) seed: u64,
    /// How many gateways stand behind nginx, 1 to 9.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=9))]
    pub(crate) gateways: u8,
    /// How many clients there are, 3 to 200; every fifth is the second device of somebody.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u8).range(3..=200))]
    pub(crate) clients: u8,
    /// The program of the gateway, if not the one that was built beside this one.
    #[arg(long, value_name = "FILE")]
    gateway: Option<PathBuf>,
}

impl Options {
    /// Returns the program of the gateway.
    ///
    /// # Errors
    ///
    /// If it is not there.
    pub(crate) fn gateway(&self) -> Result<PathBuf, String> {
        let own = std::env::current_exe().map_err(|error| format!("where am I? {error}"))?;
        let beside = own.with_file_name("rejoinder-gateway");
        let program = self.gateway.clone().unwrap_or(beside);
        match program.is_file() {
            true => Ok(program),
            false => Err(format!("there is no gateway at {}", program.display())),
        }
    }
}
