//! How much one user and one address may do, on real sockets, and what becomes of those who take
//! nothing of what they are told.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::indexing_slicing)]

mod client;

use std::num::NonZeroU32;
use std::time::Duration;

use client::{Client, Gateway, THREAD, hello, send, subscribe};
use futures_util::SinkExt;
use rejoinder_gateway::shell::{AddressLimits, AdminKey};
use socket2::{Domain, Socket, Type};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async, connect_async};

#[tokio::test]
async fn the_newest_connection_of_a_user_who_has_too_many_is_refused() {
    let gateway = Gateway::set(|settings| settings.config.user_connections = 10).await;
    let mut clients = Vec::new();
    for number in 0..10 {
        // By both ways together.
        if number % 2 == 0 {
            clients.push(gateway.join("alice").await);
        } else {
            let stream = gateway.stream("alice", &[]).await;
            tokio::spawn(async move {
                let mut stream = stream;
                while stream.hear().await.is_some() {}
            });
        }
    }
    let mut refused = gateway.open().await;
    refused.say(&hello("dev:alice")).await;
    let goodbye = refused.hear_of("goodbye").await;
    assert_eq!(goodbye["code"], 4003);
    assert!(goodbye["retry_after_ms"].as_u64().unwrap() >= 1_000);
    assert_eq!(refused.next().await, Err(4003));
    let mut bob = gateway.join("bob").await;
    bob.say(r#"{"type":"ping"}"#).await;
    bob.hear_of("pong").await;
    clients[0].say(r#"{"type":"ping"}"#).await;
    clients[0].hear_of("pong").await;
    drop(clients.pop());
    joined_again(&gateway).await;
}

/// Until the gateway has seen that a place is free.
async fn joined_again(gateway: &Gateway) {
    for _ in 0..100 {
        let mut client = gateway.open().await;
        client.say(&hello("dev:alice")).await;
        if client.hear().await["type"] == "welcome" {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the place stays taken");
}

/// Opens a socket by a proxy that asks for an address.
async fn open_for(gateway: &Gateway, address: &str) -> Result<Client, (u16, u64)> {
    let url = format!("ws://{}/ws", gateway.address);
    let mut request = url.into_client_request().unwrap();
    let headers = request.headers_mut();
    headers.insert("x-forwarded-for", address.parse().unwrap());
    match connect_async(request).await {
        Ok((socket, _)) => Ok(Client { socket }),
        Err(Error::Http(response)) => {
            let wait = response.headers()["retry-after"].to_str().unwrap();
            Err((response.status().as_u16(), wait.parse().unwrap()))
        }
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn connections_are_counted_for_each_address_that_a_proxy_names() {
    let gateway = Gateway::set(|settings| settings.addresses.connections = 2).await;
    let first = open_for(&gateway, "203.0.113.9").await.unwrap();
    let _second = open_for(&gateway, "203.0.113.9").await.unwrap();
    // What the client claims before what the proxy saw changes nothing.
    let refused = open_for(&gateway, "198.51.100.1, 203.0.113.9").await;
    assert_eq!(refused.err(), Some((429, 10)));
    let body = r#"{"type":"hello","protocol_version":1}"#;
    let forwarded = "\r\nx-forwarded-for: 203.0.113.9";
    let what = "POST /v1/stream";
    let refused = gateway.ask(what, Some("dev:alice"), forwarded, body).await;
    assert_eq!(refused.status, 429, "{refused:?}");
    assert_eq!(refused.json()["code"], "rate_limited");
    assert!(open_for(&gateway, "203.0.113.8").await.is_ok());
    // This machine itself has no such limit.
    let mut own = Vec::new();
    for _ in 0..5 {
        own.push(gateway.join("alice").await);
    }
    drop(first);
    for attempt in 0.. {
        if open_for(&gateway, "203.0.113.9").await.is_ok() {
            break;
        }
        assert!(attempt < 100, "the place stays taken");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn handshakes_are_counted_for_each_address_that_a_proxy_names() {
    let gateway = Gateway::set(|settings| {
        settings.addresses = AddressLimits {
            handshakes_per_second: NonZeroU32::MIN,
            ..AddressLimits::default()
        };
    })
    .await;
    for _ in 0..5 {
        drop(open_for(&gateway, "2001:db8::1").await.unwrap());
    }
    // Of the same network.
    let refused = open_for(&gateway, "2001:db8::2").await;
    assert_eq!(refused.err(), Some((429, 1)));
    assert!(open_for(&gateway, "2001:db8:0:1::1").await.is_ok());
}

/// Addresses of this machine that are not its loopback's.
fn outward() -> Option<std::net::IpAddr> {
    // Nothing is sent: the kernel says from where it would be.
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("198.51.100.1:9").ok()?;
    let address = socket.local_addr().ok()?.ip();
    (!address.is_loopback() && !address.is_unspecified()).then_some(address)
}

/// Returns what was answered before the connection ended, in whichever way.
async fn healthz(gateway: &Gateway, more: &str) -> String {
    let mut stream = TcpStream::connect(gateway.address).await.unwrap();
    let head = format!("GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{more}\r\n");
    let _ = stream.write_all(head.as_bytes()).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn a_stranger_who_opens_too_many_connections_is_not_listened_to() {
    let Some(outward) = outward() else {
        // A machine without a network: the counting itself is tested in `addresses.rs`.
        return;
    };
    let listener = TcpListener::bind((outward, 0)).await.unwrap();
    let gateway = Gateway::listening(listener, |settings| settings.addresses.connections = 3);
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(TcpStream::connect(gateway.address).await.unwrap());
    }
    assert_eq!(healthz(&gateway, "").await, "", "closed without a word");
    // Who says it is no proxy of ours.
    let forwarded = "x-forwarded-for: 203.0.113.9\r\n";
    assert_eq!(healthz(&gateway, forwarded).await, "");
    held.pop();
    for attempt in 0.. {
        if healthz(&gateway, "").await.starts_with("HTTP/1.1 200") {
            break;
        }
        assert!(attempt < 100, "the place stays taken");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn requests_are_counted_for_each_user_and_not_for_the_back_end() {
    const KEY: &str = "an-admin-key-of-32-characters-xx";
    let gateway = Gateway::set(|settings| {
        settings.config.messages_burst = 1;
        settings.config.messages_per_second = 1;
        settings.admin_key = Some(AdminKey::new(KEY).unwrap());
    })
    .await;
    let what = "GET /v1/threads/alice|carol/participants";
    let mut asked = 0;
    let refused = loop {
        let answer = gateway.ask(what, Some("dev:alice"), "", "").await;
        if answer.status != 404 {
            break answer;
        }
        asked += 1;
        assert!(asked < 20_000, "nobody counts");
    };
    assert!(asked >= 1_024, "{asked}");
    assert_eq!(refused.status, 429);
    assert_eq!(refused.json()["code"], "rate_limited");
    assert_eq!(refused.header("retry-after"), Some("1"));
    for token in [Some("dev:bob"), Some(KEY)] {
        let answer = gateway.ask(what, token, "", "").await;
        assert_eq!(answer.status, 404, "{answer:?}");
    }
}

/// Connects by a socket that holds little.
fn narrow(gateway: &Gateway) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(4 * 1024).unwrap();
    socket.connect(&gateway.address.into()).unwrap();
    socket.set_nonblocking(true).unwrap();
    TcpStream::from_std(socket.into()).unwrap()
}

/// Opens a WebSocket that nobody reads.
async fn unread_socket(gateway: &Gateway, address: &str) -> WebSocketStream<TcpStream> {
    let url = format!("ws://{}/ws", gateway.address);
    let mut request = url.into_client_request().unwrap();
    let headers = request.headers_mut();
    headers.insert("x-forwarded-for", address.parse().unwrap());
    let (mut socket, _) = client_async(request, narrow(gateway)).await.unwrap();
    for text in [hello("dev:bob"), subscribe(THREAD)] {
        socket.send(Message::text(text)).await.unwrap();
    }
    socket
}

/// Opens a stream that nobody reads.
async fn unread_stream(gateway: &Gateway, address: &str) -> TcpStream {
    let mut stream = narrow(gateway);
    let body =
        format!(r#"{{"type":"hello","protocol_version":1,"resume":[{{"thread_id":"{THREAD}"}}]}}"#);
    let head = format!(
        "POST /v1/stream HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer dev:bob\r\n\
         x-forwarded-for: {address}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        gateway.address,
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

#[tokio::test]
async fn what_nobody_reads_ends_and_its_user_is_gone() {
    let gateway = Gateway::set(|settings| {
        settings.config.messages_burst = 10_000;
        settings.addresses.connections = 1;
    })
    .await;
    let mut alice = gateway.join("alice").await;
    alice.watch().await;
    let _socket = unread_socket(&gateway, "203.0.113.8").await;
    let _stream = unread_stream(&gateway, "203.0.113.9").await;
    alice.hear_of("presence").await;
    // More than the kernel holds for one connection.
    let body = "x".repeat(16 * 1024);
    for number in 0..800 {
        alice.say(&send(THREAD, number, &body)).await;
        alice.hear_of("ack").await;
    }
    loop {
        let presence = alice.hear_of("presence").await;
        if presence["state"] == "offline" {
            break;
        }
    }
    // Only a connection that has ended makes place for another one.
    for address in ["203.0.113.8", "203.0.113.9"] {
        for attempt in 0.. {
            if open_for(&gateway, address).await.is_ok() {
                break;
            }
            assert!(attempt < 300, "{address} is still there");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}
