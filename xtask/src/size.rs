//! What a browser downloads.

use crate::{
    npm,
    process::{self, command},
};

/// The command `size`.
pub(crate) fn run() -> Result<(), String> {
    npm::build_all()?;
    print!(
        "\n{}",
        process::run(&mut command("node", &["js/scripts/size.mjs"]))?
    );
    Ok(())
}
