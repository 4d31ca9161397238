//! What a network does to connections.

use std::sync::Arc;
use std::sync::atomic::AtomicU16;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::{Network, Way, Weather};

/// Whatever takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(30);
const UPGRADE: &[u8] = b"GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: WebSocket\r\n\r\n";
const POST: &[u8] = b"POST /v1/stream HTTP/1.1\r\nHost: a\r\n\r\nbody";

async fn open(has_sockets: bool) -> (Network, TcpListener) {
    let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = AtomicU16::new(server.local_addr().unwrap().port());
    let network = Network::open(Arc::new(port), has_sockets).await.unwrap();
    (network, server)
}

async fn connect(network: &Network) -> TcpStream {
    let address = ("127.0.0.1", network.port());
    TcpStream::connect(address).await.unwrap()
}

/// A connection on which something has come through.
async fn pair(network: &Network, server: &TcpListener) -> (TcpStream, TcpStream) {
    let mut client = connect(network).await;
    client.write_all(b"hello").await.unwrap();
    let (mut there, _) = server.accept().await.unwrap();
    assert_eq!(read(&mut there, 5).await, b"hello");
    (client, there)
}

async fn read(stream: &mut TcpStream, count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    let reading = timeout(PATIENCE, stream.read_exact(&mut bytes));
    reading.await.expect("it arrives").unwrap();
    bytes
}

/// Reads until the connection is over, however it ends.
async fn rest(mut stream: TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    let reading = timeout(PATIENCE, stream.read_to_end(&mut bytes));
    let _ = reading.await.expect("it ends");
    bytes
}

#[tokio::test]
async fn what_is_said_arrives_both_ways_slow_or_not() {
    let (network, server) = open(true).await;
    for weather in [Weather::Fair, Weather::Slow(1)] {
        network.set(weather);
        let (mut client, mut there) = pair(&network, &server).await;
        there.write_all(b"and back").await.unwrap();
        assert_eq!(read(&mut client, 8).await, b"and back");
        drop(there);
        assert_eq!(rest(client).await, b"");
    }
}

#[tokio::test]
async fn a_websocket_is_refused_and_another_request_passes_whole() {
    let (network, server) = open(false).await;
    let mut client = connect(&network).await;
    client.write_all(UPGRADE).await.unwrap();
    assert!(rest(client).await.starts_with(b"HTTP/1.1 403 "));

    let mut client = connect(&network).await;
    client.write_all(POST).await.unwrap();
    let (mut there, _) = server.accept().await.unwrap();
    assert_eq!(read(&mut there, POST.len()).await, POST);
}

#[tokio::test]
async fn a_half_open_connection_carries_one_way_until_it_is_cut() {
    let (network, server) = open(true).await;
    let (mut client, mut there) = pair(&network, &server).await;
    network.silence(&[Way::Up]);
    client.write_all(b"lost").await.unwrap();
    there.write_all(b"heard").await.unwrap();
    assert_eq!(read(&mut client, 5).await, b"heard");
    network.heal();
    network.cut();
    assert_eq!(rest(there).await, b"", "what died stays dead");
}

#[tokio::test]
async fn without_a_network_nothing_is_reached_and_a_silent_one_takes_and_keeps() {
    let (network, server) = open(true).await;
    network.set(Weather::Gone);
    assert_eq!(rest(connect(&network).await).await, b"");
    network.set(Weather::Silent);
    let mut client = connect(&network).await;
    client.write_all(b"lost").await.unwrap();
    let (there, _) = server.accept().await.unwrap();
    network.heal();
    network.cut();
    assert_eq!(rest(there).await, b"");
    pair(&network, &server).await;
}
