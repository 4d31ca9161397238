//! Bytes as no client would send them.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::client::{Client, Gateway, PATIENCE};

pub(crate) const TEXT: u8 = 0x81;
pub(crate) const BINARY: u8 = 0x82;
pub(crate) const PING: u8 = 0x89;
pub(crate) const PONG: u8 = 0x8a;
/// The first fragment of a text, one in the middle, the last one.
pub(crate) const BEGINNING: u8 = 0x01;
pub(crate) const MORE: u8 = 0x00;
pub(crate) const LAST: u8 = 0x80;

/// The head of a masked frame that says how long it is; the mask leaves the payload as it is.
pub(crate) fn head(first: u8, says: u64) -> Vec<u8> {
    let mut bytes = vec![first];
    match says {
        0..126 => bytes.push(0x80 | u8::try_from(says).unwrap()),
        126..65_536 => {
            bytes.push(0x80 | 126);
            bytes.extend(u16::try_from(says).unwrap().to_be_bytes());
        }
        _ => {
            bytes.push(0x80 | 127);
            bytes.extend(says.to_be_bytes());
        }
    }
    bytes.extend([0; 4]);
    bytes
}

pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    [head(first, payload.len() as u64), payload.to_vec()].concat()
}

impl Client {
    /// Sends bytes past the client's WebSocket. The gateway may have hung up already.
    pub(crate) async fn push(&mut self, bytes: &[u8]) {
        let stream = self.socket.get_mut();
        let _ = stream.write_all(bytes).await;
    }
}

impl Gateway {
    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends bytes on a connection of their own and returns what is answered until the gateway hangs
    /// up, which it must.
    pub(crate) async fn told(&self, bytes: &[u8]) -> String {
        let mut stream = self.connect().await;
        // It may answer and hang up before it has everything.
        let _ = stream.write_all(bytes).await;
        rest(&mut stream).await
    }
}

/// All that still comes, until the other side hangs up, which it must.
pub(crate) async fn rest(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let read = timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
    // However it does it.
    let _ = read.expect("it hangs up in time");
    String::from_utf8_lossy(&answer).into_owned()
}
