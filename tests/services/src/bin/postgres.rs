//! A PostgreSQL server for programs that are not written in Rust: prints the URL of an empty
//! database, and ends the server when its standard input is closed.

use std::io::{Read, Write};

use rejoinder_test_services::Postgres;

fn main() -> std::io::Result<()> {
    let server = Postgres::start(&[]);
    let mut output = std::io::stdout();
    writeln!(output, "{}", server.database())?;
    output.flush()?;
    // Nothing is expected there but its end.
    std::io::stdin().read_to_end(&mut Vec::new())?;
    drop(server);
    Ok(())
}
