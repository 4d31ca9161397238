//! Rows 1 to 8: before there is a WebSocket.

use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio_tungstenite::tungstenite::Error;

use crate::client::Gateway;
use crate::raw::rest;

const KEY: &str = "sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==";
const VERSION: &str = "sec-websocket-version: 13";

/// A request for a WebSocket, of these lines, on a connection that ends with its answer.
fn request(first: &str, lines: &[&str]) -> String {
    format!(
        "{first}\r\nhost: localhost\r\n{}\r\n\r\n",
        lines.join("\r\n")
    )
}

fn upgrade(lines: &[&str]) -> String {
    let usual = ["connection: upgrade, close", "upgrade: websocket"];
    request("GET /ws HTTP/1.1", &[&usual, lines].concat())
}

#[tokio::test]
async fn strange_pages_cannot_open_a_socket() {
    let gateway = Gateway::start().await;
    for origin in [
        "https://evil.example",
        "null",
        "http://localhost.evil.example",
        "file://",
    ] {
        let refused = gateway.open_from(Some(origin)).await;
        let Err(Error::Http(response)) = refused else {
            panic!("{origin} was let in");
        };
        assert_eq!(response.status(), 403, "{origin}");
    }
    assert!(
        gateway
            .open_from(Some("http://localhost:5173"))
            .await
            .is_ok()
    );
    assert!(gateway.open_from(None).await.is_ok());
    let rebound = gateway
        .http("GET /ws HTTP/1.1\r\nhost: evil.example", "")
        .await;
    assert!(rebound.starts_with("HTTP/1.1 403"), "{rebound}");
}

#[tokio::test]
async fn a_handshake_is_as_the_standard_says() {
    let gateway = Gateway::start().await;
    let key = |key: &str| format!("sec-websocket-key: {key}");
    let rows = [
        (
            "version 12",
            upgrade(&[KEY, "sec-websocket-version: 12"]),
            426,
        ),
        ("no version", upgrade(&[KEY]), 426),
        ("no key", upgrade(&[VERSION]), 400),
        ("an empty key", upgrade(&[VERSION, &key("")]), 400),
        (
            "a key of 15 bytes",
            upgrade(&[VERSION, &key("AAAAAAAAAAAAAAAAAAAA")]),
            400,
        ),
        (
            "a key of 18 bytes",
            upgrade(&[VERSION, &key("AAAAAAAAAAAAAAAAAAAAAAAA")]),
            400,
        ),
        (
            "a key that is not base64",
            upgrade(&[VERSION, &key("AAAAAAAAAAAAAAAAAAA!AA==")]),
            400,
        ),
        (
            "no upgrade",
            request("GET /ws HTTP/1.1", &["connection: close", KEY, VERSION]),
            400,
        ),
        (
            "an upgrade to something else",
            request(
                "GET /ws HTTP/1.1",
                &["connection: upgrade, close", "upgrade: h2c", KEY, VERSION],
            ),
            400,
        ),
        (
            "HTTP/1.0",
            request(
                "GET /ws HTTP/1.0",
                &["connection: upgrade", "upgrade: websocket", KEY, VERSION],
            ),
            400,
        ),
        (
            "HEAD",
            request(
                "HEAD /ws HTTP/1.1",
                &[
                    "connection: upgrade, close",
                    "upgrade: websocket",
                    KEY,
                    VERSION,
                ],
            ),
            405,
        ),
        (
            "POST",
            request(
                "POST /ws HTTP/1.1",
                &[
                    "connection: upgrade, close",
                    "upgrade: websocket",
                    KEY,
                    VERSION,
                ],
            ),
            405,
        ),
    ];
    for (name, request, status) in rows {
        let answer = gateway.told(request.as_bytes()).await;
        let line = answer.lines().next().unwrap_or_default();
        assert!(
            line.starts_with(&format!("HTTP/1.1 {status}"))
                || line.starts_with(&format!("HTTP/1.0 {status}")),
            "{name}: {answer}"
        );
        let says_which = answer.to_ascii_lowercase().contains(VERSION);
        assert_eq!(says_which, status == 426, "{name}: {answer}");
    }
}

#[tokio::test]
async fn a_handshake_in_other_letters_is_taken_and_nothing_more_agreed_to() {
    let gateway = Gateway::start().await;
    let request = request(
        "GET /ws HTTP/1.1",
        &[
            "CONNECTION: keep-alive, UPGRADE",
            "UPGRADE: WebSocket",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits",
            "Sec-WebSocket-Protocol: chat, superchat",
        ],
    );
    // After five seconds without a word it says goodbye.
    let answer = gateway.told(request.as_bytes()).await;
    let (head, _) = answer.split_once("\r\n\r\n").unwrap();
    let head = head.to_ascii_lowercase();
    assert!(head.starts_with("http/1.1 101"), "{head}");
    // The example of RFC 6455, section 1.3.
    let accept = "sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=";
    assert!(head.contains(accept), "{head}");
    assert!(
        !head.contains("extensions") && !head.contains("protocol:"),
        "{head}"
    );
}

#[tokio::test]
async fn a_head_that_is_too_long_is_refused() {
    let gateway = Gateway::start().await;
    let headers: Vec<_> = (0..2_000).map(|number| format!("x{number}: y")).collect();
    let headers: Vec<_> = headers.iter().map(String::as_str).collect();
    let long = format!("x: {}", "y".repeat(1024 * 1024));
    let spaces = format!("sec-websocket-protocol: b{}x", " ".repeat(32_000));
    for (name, lines) in [
        ("2,000 headers", headers),
        ("a header of 1 MiB", vec![long.as_str()]),
        ("32,000 spaces", vec![spaces.as_str()]),
    ] {
        let answer = gateway.told(upgrade(&lines).as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 431"), "{name}: {answer:?}");
    }
}

#[tokio::test]
async fn whoever_does_not_finish_a_request_is_hung_up_on() {
    let gateway = Gateway::start().await;
    let half = b"GET /ws HTTP/1.1\r\nhost: localhost\r\nupg";
    let dripping = async {
        let stream = gateway.connect().await;
        let (mut reading, mut writing) = stream.into_split();
        let drip = tokio::spawn(async move {
            for byte in half.iter().cycle() {
                if writing.write_all(&[*byte]).await.is_err() {
                    break;
                }
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        });
        let mut answer = Vec::new();
        let _ = tokio::io::AsyncReadExt::read_to_end(&mut reading, &mut answer).await;
        drip.abort();
        String::from_utf8_lossy(&answer).into_owned()
    };
    let again = async {
        // A second request on a connection that was answered.
        let mut stream = gateway.connect().await;
        let first = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\nGET /hea";
        stream.write_all(first).await.unwrap();
        rest(&mut stream).await
    };
    let waiting = async { tokio::join!(gateway.told(b""), gateway.told(half), dripping, again,) };
    let ended = tokio::time::timeout(crate::client::PATIENCE, waiting).await;
    let (nothing, partial, dripped, second) = ended.expect("all are hung up on in time");
    for answer in [nothing, partial, dripped] {
        assert!(
            !answer.contains(" 101 ") && !answer.contains(" 200 "),
            "{answer}"
        );
    }
    assert_eq!(second.matches("HTTP/1.1 200").count(), 1, "{second}");
}
