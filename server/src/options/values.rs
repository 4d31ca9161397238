//! Values that are checked when they are read, with words that say what is right.

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::path::PathBuf;

use ipnet::IpNet;

/// Reads an address to listen at.
pub(crate) fn address(text: &str) -> Result<SocketAddr, &'static str> {
    text.parse()
        .map_err(|_| "give an address and a port, such as 127.0.0.1:8787 or [::]:8787")
}

/// Reads the origin of pages, as browsers send it.
pub(super) fn origin(text: &str) -> Result<String, &'static str> {
    let host_and_port = ["https://", "http://"]
        .iter()
        .find_map(|scheme| text.strip_prefix(scheme));
    match host_and_port {
        Some(rest) if is_host(rest) => Ok(text.to_owned()),
        Some(_) | None => {
            Err("give a scheme, a host and no path, as browsers do: https://chat.example")
        }
    }
}

/// Reads a host, as it stands in a request.
pub(super) fn host(text: &str) -> Result<String, &'static str> {
    match is_host(text) {
        true => Ok(text.to_owned()),
        false => Err("give a host, with its port if there is one: chat.internal:8787"),
    }
}

fn is_host(text: &str) -> bool {
    let of_host = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte);
    !text.is_empty() && text.bytes().all(of_host)
}

/// Reads the name of a folder that is there.
pub(super) fn folder(text: &str) -> Result<PathBuf, &'static str> {
    let path = PathBuf::from(text);
    match path.is_dir() {
        true => Ok(path),
        false => Err("there is no such folder"),
    }
}

/// Reads how many handshakes there may be in a second.
pub(super) fn handshakes(text: &str) -> Result<NonZeroU32, &'static str> {
    let count = text.parse().ok();
    let count = count.filter(|count: &NonZeroU32| count.get() <= 100_000);
    count.ok_or("give a number from 1 to 100000")
}

/// Reads an address, or a network of them.
pub(super) fn network(text: &str) -> Result<IpNet, &'static str> {
    let network = text.parse().ok();
    let address = || text.parse::<IpAddr>().ok().map(IpNet::from);
    network
        .or_else(address)
        .ok_or("give an address, such as 10.0.0.7, or a network of them, such as 10.0.0.0/8")
}

/// Reads the beginning of names of keys.
pub(super) fn prefix(text: &str) -> Result<String, &'static str> {
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !b"*?[]{}".contains(&byte);
    match !text.is_empty() && text.bytes().all(is_plain) {
        true => Ok(text.to_owned()),
        false => Err("give a word without blanks and without *?[]{}, such as rejoinder"),
    }
}
