//! A proxy as companies have them: it takes a request for a WebSocket for a page that it does not
//! know, and passes everything else on.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;

/// A request's head is read up to here.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// What it answers instead of `101 Switching Protocols`.
const PAGE: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 20\r\n\
                    connection: close\r\n\r\n<h1>No upgrades</h1>";

/// Starts a proxy in front of an address; returns its own. It ends with this process.
pub(crate) fn start(target: String) -> io::Result<String> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let address = listener.local_addr()?.to_string();
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let target = target.clone();
            // Either side may go at any time.
            thread::spawn(move || drop(pass(client, &target)));
        }
    });
    Ok(address)
}

/// Serves one connection. A browser opens one of its own for each WebSocket, so its first request
/// tells what it is for.
fn pass(mut client: TcpStream, target: &str) -> io::Result<()> {
    let mut head = Vec::new();
    let mut piece = [0; 4096];
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        let read = client.read(&mut piece)?;
        if read == 0 || head.len() > HEAD_BYTES_MAX {
            return Ok(());
        }
        head.extend_from_slice(piece.get(..read).unwrap_or_default());
    }
    let text = String::from_utf8_lossy(&head).to_ascii_lowercase();
    if text.contains("\r\nupgrade: websocket\r\n") {
        return client.write_all(PAGE.as_bytes());
    }
    let mut server = TcpStream::connect(target)?;
    server.write_all(&head)?;
    let (mut from_client, mut to_server) = (client.try_clone()?, server.try_clone()?);
    thread::spawn(move || {
        let _ = io::copy(&mut from_client, &mut to_server);
        let _ = to_server.shutdown(Shutdown::Both);
    });
    let _ = io::copy(&mut server, &mut client);
    client.shutdown(Shutdown::Both)
}
