//! Requests over HTTP, each on a connection of its own.

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::handshake;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// What nginx calls the server.
pub(crate) const HOST: &str = "dm.example";
/// Where the page is served that connects.
pub(crate) const ORIGIN: &str = "https://chat.example";

/// What stopped a request.
pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Asks at a port of loopback, such as `POST /v1/threads`, and returns the answer as soon as its head
/// is there. The connection ends with the answer.
pub(crate) async fn ask(
    port: u16,
    what: &str,
    token: &str,
    body: impl Into<Bytes>,
) -> Result<Response<Incoming>, Failure> {
    let (method, path) = what.split_once(' ').unwrap_or(("GET", what));
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", HOST)
        .header("origin", ORIGIN)
        .header("content-type", "application/json")
        .header("authorization", ["Bearer ", token].concat())
        .body(Full::new(body.into()))?;
    let stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream.set_nodelay(true)?;
    let (mut sender, connection) = handshake(TokioIo::new(stream)).await?;
    // It lives as long as somebody sends or reads, and ends by itself after that.
    tokio::spawn(connection);
    Ok(sender.send_request(request).await?)
}
