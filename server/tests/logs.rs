//! What a gateway logs at its most verbose, and what it never does: tokens, keys, texts of messages.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod client;
mod process;

use client::{Client, THREAD, key, send};
use futures_util::SinkExt;
use process::Process;
use rejoinder_gateway::tokens::Tokens;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;

const ADMIN_KEY: &str = "private-admin-key-0123456789-0123456789";
const SECRET: &str = "private-jwt-secret";

/// Every token and every text in here says so.
const MARK: &str = "private";

/// Says hello with a token.
async fn greet(gateway: &Process, token: &str) -> Client {
    let url = format!("ws://{}/ws", gateway.address());
    let (socket, _) = connect_async(url).await.unwrap();
    let mut client = Client { socket };
    let hello = json!({"type": "hello", "protocol_version": 1, "token": token});
    client.say(&hello.to_string()).await;
    client
}

/// Sends a request as it stands here, and waits for the end of the answer.
async fn ask(gateway: &Process, head: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(gateway.address()).await.unwrap();
    let length = body.len();
    let request = format!(
        "{head}\r\nhost: {}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}",
        gateway.address()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

/// Tokens of every kind that is refused, and one that is good.
fn tokens() -> (Vec<String>, String) {
    let user = format!("{MARK}-user").parse().unwrap();
    let mint = |secret: &str, until| {
        let tokens = Tokens::new().with_secret(secret);
        tokens.mint(&user, until).unwrap().secret().to_owned()
    };
    let (good, expired) = (mint(SECRET, 9_999_999_999), mint(SECRET, 1));
    let of_another = mint("another-secret", 9_999_999_999);
    let (head, rest) = good.split_once('.').unwrap();
    let refused = vec![
        format!("{MARK}-nonsense"),
        format!("{head}.{MARK}.{MARK}"),
        format!("{MARK}.{rest}"),
        expired,
        of_another,
        format!("{MARK}{}", "x".repeat(9_000)),
    ];
    (refused, good)
}

/// Says everything that a client can say, well and badly. Returns the tokens that it used.
async fn talk(gateway: &Process) -> Vec<String> {
    let (refused, good) = tokens();
    for token in &refused {
        let code = greet(gateway, token).await.closed().await;
        assert!((4100..=4101).contains(&code), "{code} {token}");
    }
    let mut person = greet(gateway, &good).await;
    person.hear_of("welcome").await;
    write(gateway, &refused[0]).await;
    request(gateway, &refused, &good).await;
    [refused, vec![good]].concat()
}

/// Sends messages and frames, well and badly.
async fn write(gateway: &Process, wrong_token: &str) {
    let mut alice = gateway.join("alice").await;
    alice.watch().await;
    let text =
        |number: u32, more: usize| send(THREAD, number, &format!("{MARK} {}", "x".repeat(more)));
    alice.say(&text(1, 0)).await;
    alice.hear_of("ack").await;
    let attached = json!({"type": "send", "thread_id": THREAD, "client_msg_id": key(2),
        "body": "", "attachments": [{"url": MARK, "nested": {MARK: MARK}}]});
    for (frame, code) in [
        (attached.to_string(), "invalid"),
        (text(1, 1), "id_conflict"),
        (text(3, 20_000), "too_large"),
        (send("bob|carol", 4, MARK), "not_found"),
        (
            format!(r#"{{"type":"{MARK}","body":"{MARK}"}}"#),
            "unknown_type",
        ),
        (format!(r#"{{"type":"send","body":"{MARK}"}}"#), "invalid"),
        (format!(r#"{{"type":"send","body":"{MARK}"#), "bad_json"),
    ] {
        alice.say(&frame).await;
        let error = alice.hear_of("error").await;
        assert_eq!(error["code"], code, "{frame}");
    }
    alice
        .say(&format!(r#"{{"type":"auth","token":"{wrong_token}"}}"#))
        .await;
    assert_eq!(alice.closed().await, 4100);
    for message in [
        Message::binary(format!("{MARK} bytes").into_bytes()),
        Message::text(format!("{MARK}{}", "x".repeat(200_000))),
        Message::Ping(format!("{MARK} ping").into_bytes().into()),
    ] {
        let mut bob = gateway.join("bob").await;
        // The gateway may have closed before everything was sent.
        let _ = bob.socket.send(message).await;
        let _ = bob.socket.send(Message::Close(None)).await;
        assert!(bob.next().await.is_err());
    }
}

/// Sends requests that are refused.
async fn request(gateway: &Process, refused: &[String], good: &str) {
    for (what, token, body) in [
        ("POST /v1/threads", good, format!("{{\"{MARK}\"")),
        (
            "POST /v1/threads",
            ADMIN_KEY,
            format!(r#"{{"participants":["{MARK} "]}}"#),
        ),
        ("GET /v1/threads", &refused[0], String::new()),
        ("GET /v1/threads", &refused[3], String::new()),
        (
            &format!("GET /v1/threads?token={}", refused[0]),
            "none",
            String::new(),
        ),
        (
            &format!("GET /ws?access_token={}", refused[0]),
            "none",
            String::new(),
        ),
    ] {
        let head = format!(
            "{what} HTTP/1.1\r\nauthorization: Bearer {token}\r\ncookie: session={MARK}\r\n\
             sec-websocket-protocol: {MARK}\r\ncontent-type: application/json"
        );
        let answer = ask(gateway, &head, &body).await;
        assert!(answer.starts_with("HTTP/1.1 4"), "{what}: {answer}");
    }
    // Not HTTP, with a host and an origin of nobody here.
    for head in [
        format!("{MARK} {MARK}"),
        format!("GET /ws HTTP/1.1\r\norigin: https://{MARK}.example"),
    ] {
        ask(gateway, &head, MARK).await;
    }
}

async fn log(format: &str) -> String {
    let gateway = Process::start(
        &["--database", "sqlite::memory:", "--log-format", format],
        &[
            ("REJOINDER_LOG", "trace"),
            ("REJOINDER_JWT_SECRET", SECRET),
            ("REJOINDER_ADMIN_KEY", ADMIN_KEY),
            ("SUPABASE_SERVICE_ROLE_KEY", "private-service-key"),
        ],
    );
    let tokens = talk(&gateway).await;
    gateway.ask_to_end();
    let (status, log) = gateway.log().await;
    assert!(status.success());
    assert!(!log.contains(MARK), "{log}");
    for token in tokens {
        // Nor a part of one.
        for part in token.split('.').filter(|part| part.len() > 8) {
            assert!(!log.contains(part), "{part}: {log}");
        }
    }
    assert!(
        log.contains("refused a token") && log.contains("draining"),
        "{log}"
    );
    log
}

#[tokio::test]
async fn no_token_and_no_text_is_in_the_log() {
    log("text").await;
}

#[tokio::test]
async fn nor_in_its_json_form_of_which_each_line_is_one_object() {
    let log = log("json").await;
    for line in log.lines() {
        let event: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"));
        for field in ["timestamp", "level", "target", "fields"] {
            assert!(!event[field].is_null(), "{field}: {line}");
        }
        assert!(event["fields"]["message"].is_string(), "{line}");
    }
}
