//! The gateway's WebSockets in front of nothing: each message comes back. `cargo xtask autobahn` holds
//! it to the standard.
//!
//! The argument is how long a message may be, in bytes; without one it is what clients may send.

#![allow(clippy::print_stdout, reason = "who started it needs the address")]

use rejoinder_gateway::shell::serve_echo;
use rejoinder_protocol::FRAME_BYTES_MAX;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let bytes_max = match std::env::args().nth(1) {
        Some(number) => number.parse()?,
        None => FRAME_BYTES_MAX,
    };
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on ws://{}", listener.local_addr()?);
    serve_echo(listener, bytes_max).await;
    Ok(())
}
