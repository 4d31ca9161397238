//! The addresses that the program listens on, and the lines that say so.

use std::io::{ErrorKind, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::str::FromStr;

use tokio::net::TcpListener;

use crate::Failure;
use crate::options::address;

/// Where health and metrics are served unless an operator chooses.
const OPERATIONS: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8788);

/// Where health and metrics are served.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Operations {
    At(SocketAddr),
    Nowhere,
}

impl FromStr for Operations {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "none" {
            return Ok(Self::Nowhere);
        }
        let address = address(text).map(Self::At);
        address.map_err(|_| "give an address and a port, such as 127.0.0.1:8788, or `none`")
    }
}

/// Listens at an address.
pub(crate) async fn listen(option: &str, address: SocketAddr) -> Result<TcpListener, Failure> {
    let listening = TcpListener::bind(address).await;
    listening.map_err(|error| Failure(format!("{option} {address}: {error}")))
}

/// Listens for those who ask for health and metrics. Where nobody chose and another gateway of this
/// machine was here first, this one goes without.
pub(crate) async fn operations(chosen: Option<Operations>) -> Result<Option<TcpListener>, Failure> {
    let address = match chosen {
        Some(Operations::Nowhere) => return Ok(None),
        Some(Operations::At(address)) => {
            if !address.ip().is_loopback() {
                tracing::warn!(
                    "--operations-listen {address}: whoever reaches it reads how much happens here"
                );
            }
            return listen("--operations-listen", address).await.map(Some);
        }
        None => OPERATIONS,
    };
    match TcpListener::bind(address).await {
        Ok(listener) => Ok(Some(listener)),
        Err(error) if error.kind() == ErrorKind::AddrInUse => {
            tracing::warn!(
                "{address} is taken, so health and metrics are not served; choose another address \
                 with --operations-listen"
            );
            Ok(None)
        }
        Err(error) => Err(Failure(format!("{address}: {error}"))),
    }
}

/// Says where it listens, in lines that a program which starts the gateway can read. Written at once:
/// whoever reads the first may not wait for the second.
pub(crate) fn tell(
    scheme: &str,
    clients: &TcpListener,
    operations: Option<&TcpListener>,
) -> Result<(), Failure> {
    let mut lines = format!("listening on {scheme}://{}\n", clients.local_addr()?);
    if let Some(operations) = operations {
        lines.push_str(&format!(
            "operations on http://{}\n",
            operations.local_addr()?
        ));
    }
    let mut stdout = std::io::stdout();
    stdout.write_all(lines.as_bytes())?;
    stdout.flush()?;
    Ok(())
}
