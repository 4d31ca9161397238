//! `/v1`: how a request must look, and from which pages it may come.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::indexing_slicing)]

mod backend;
mod client;
mod issuer;

use std::time::{Duration, Instant};

use backend::{ADMIN, gateway, get};
use client::Gateway;
use issuer::{Answer, Issuer, Key, LEGACY_SECRET, header, now_s};
use rejoinder_gateway::shell::Access;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[tokio::test]
async fn a_token_stands_in_one_header_and_nowhere_else() {
    let gateway = gateway().await;
    let what = "GET /v1/threads";
    for (name, what, more) in [
        (
            "in the URL",
            "GET /v1/threads?token=dev:alice&access_token=dev:alice",
            "",
        ),
        ("in a cookie", what, "\r\ncookie: token=dev:alice"),
        ("as a password", what, "\r\nauthorization: Basic dev:alice"),
        ("without a scheme", what, "\r\nauthorization: dev:alice"),
        (
            "twice",
            what,
            "\r\nauthorization: Bearer dev:alice\r\nauthorization: Bearer dev:bob",
        ),
        ("as apikey", what, "\r\napikey: dev:alice"),
        ("empty", what, "\r\nauthorization: Bearer "),
        (
            "half an admin key",
            what,
            "\r\nauthorization: Bearer an-admin-key-of-more-than-32",
        ),
        (
            "as an admin key with more",
            what,
            "\r\nauthorization: Bearer an-admin-key-of-more-than-32-charactersX",
        ),
    ] {
        let answer = gateway.ask(what, None, more, "").await;
        assert_eq!(answer.status, 401, "{name}: {answer:?}");
    }
    let small = "\r\nauthorization: bearer dev:alice";
    assert_eq!(gateway.ask(what, None, small, "").await.status, 200);
    // Where no key is set, none is the key.
    let plain = Gateway::start().await;
    for token in [ADMIN, ""] {
        assert_eq!(
            get(&plain, "/threads?user_id=alice", token).await.status,
            401
        );
    }
}

#[tokio::test]
async fn trouble_with_a_token_is_told_as_on_a_socket() {
    let issuer = Issuer::start(Answer::Text(500, String::new())).await;
    let tokens = issuer.tokens();
    let gateway = Gateway::set(|settings| settings.tokens = tokens).await;
    let legacy = Key::secret(LEGACY_SECRET);
    let plain = json!({"alg": "HS256"});
    let unchecked = Key::ec().token(&header("ES256", "k"), &issuer.claims(issuer::ALICE));
    let expired = legacy.token(&plain, &issuer.with("exp", json!(now_s() - 60)));
    let service = legacy.token(&plain, &issuer.with("role", json!("service_role")));
    for (token, status, code) in [
        (unchecked, 503, "busy"),
        (expired, 401, "token_expired"),
        (service, 401, "token_invalid"),
    ] {
        let answer = get(&gateway, "/threads", &token).await;
        assert_eq!(
            (answer.status, &answer.json()["code"]),
            (status, &json!(code))
        );
        assert_eq!(answer.header("retry-after").is_some(), status == 503);
    }
    let good = legacy.token(&plain, &issuer.claims(issuer::ALICE));
    let answer = get(&gateway, "/threads", &good).await;
    assert_eq!(
        (answer.status, answer.json()),
        (200, json!({"threads": []}))
    );
}

#[tokio::test]
async fn what_makes_no_sense_is_answered_in_json() {
    let gateway = gateway().await;
    let long = format!(r#"{{"participants":["alice","{}"]}}"#, "b".repeat(5 * 1024));
    let id = "x".repeat(129);
    let rows = [
        ("GET /v1/threads?limit=x", "", 400, "invalid"),
        ("GET /v1/threads?limit=-1", "", 400, "invalid"),
        ("GET /v1/threads?before=never-a-next", "", 400, "invalid"),
        ("GET /v1/threads/t1/messages?before=-1", "", 400, "invalid"),
        ("GET /v1/threads/t1/messages?before=1.5", "", 400, "invalid"),
        (
            "GET /v1/threads/t1/messages?before=9007199254740992",
            "",
            400,
            "invalid",
        ),
        ("GET /v1/threads/a%20b/messages", "", 400, "invalid"),
        ("GET /v1/threads/..%2F..%2Fx/messages", "", 400, "invalid"),
        ("GET /v1/threads/%FF/messages", "", 400, "invalid"),
        ("GET /v1/threads/%00/participants", "", 400, "invalid"),
        (
            &format!("GET /v1/threads/{id}/messages"),
            "",
            400,
            "invalid",
        ),
        (
            "DELETE /v1/threads/t1/participants/a%20b",
            "",
            400,
            "invalid",
        ),
        ("POST /v1/threads", "", 400, "invalid"),
        ("POST /v1/threads", "7", 400, "invalid"),
        ("POST /v1/threads", "{}", 400, "invalid"),
        (
            "POST /v1/threads",
            r#"{"participants":["alice","alice"]}"#,
            400,
            "invalid",
        ),
        (
            "POST /v1/threads",
            r#"{"participants":["alice","b b"]}"#,
            400,
            "invalid",
        ),
        (
            "POST /v1/threads",
            r#"{"participants":["alice","b","c"]}"#,
            400,
            "invalid",
        ),
        ("POST /v1/threads", &long, 413, "too_large"),
        ("GET /v1/nothing", "", 404, "no_such_endpoint"),
        ("GET /v1", "", 404, "no_such_endpoint"),
        ("PATCH /v1/threads", "", 405, "method_not_allowed"),
        (
            "GET /v1/threads/t1/participants/bob",
            "",
            405,
            "method_not_allowed",
        ),
    ];
    for (what, body, status, code) in rows {
        let answer = gateway.ask(what, Some("dev:alice"), "", body).await;
        assert_eq!(
            (answer.status, &answer.json()["code"]),
            (status, &json!(code)),
            "{what} {body:.60}"
        );
    }
    let plain = gateway
        .http(
            "POST /v1/threads HTTP/1.1\r\nauthorization: Bearer dev:alice",
            "{}",
        )
        .await;
    assert!(
        plain.starts_with("HTTP/1.1 400"),
        "not JSON by its type: {plain}"
    );
}

#[tokio::test]
async fn pages_of_the_configured_origins_may_ask_and_no_others() {
    let access = Access::exactly(vec!["https://chat.example".to_owned()], Vec::new());
    let gateway = Gateway::set(|settings| settings.access = access).await;
    let from = |origin: &str| format!("\r\norigin: {origin}");
    let here = from("https://chat.example");
    let asking = format!(
        "{here}\r\naccess-control-request-method: DELETE\
         \r\naccess-control-request-headers: authorization"
    );
    let preflight = gateway
        .ask("OPTIONS /v1/threads/t/participants/b", None, &asking, "")
        .await;
    assert_eq!(preflight.status, 204);
    for (name, value) in [
        ("access-control-allow-origin", "https://chat.example"),
        ("access-control-allow-methods", "get, post, put, delete"),
        (
            "access-control-allow-headers",
            "authorization, content-type",
        ),
        ("access-control-max-age", "7200"),
        ("vary", "origin"),
    ] {
        assert_eq!(preflight.header(name), Some(value));
    }
    // No cookie ever matters, so none is asked for.
    assert_eq!(preflight.header("access-control-allow-credentials"), None);
    for (token, status) in [(Some("dev:alice"), 200), (None, 401)] {
        let answer = gateway.ask("GET /v1/threads", token, &here, "").await;
        assert_eq!(answer.status, status);
        let allowed = answer.header("access-control-allow-origin");
        assert_eq!(
            allowed,
            Some("https://chat.example"),
            "also to read an error"
        );
        let exposed = answer.header("access-control-expose-headers");
        assert_eq!(exposed, Some("retry-after"));
    }
    for foreign in [
        "https://evil.example",
        "null",
        "http://chat.example",
        "https://chat.example:8443",
    ] {
        for method in ["OPTIONS", "GET", "DELETE"] {
            let what = format!("{method} /v1/threads");
            let answer = gateway
                .ask(&what, Some("dev:alice"), &from(foreign), "")
                .await;
            assert_eq!(answer.status, 403, "{method} from {foreign}");
            assert!(!answer.headers.contains("access-control"), "{answer:?}");
        }
    }
    let server = gateway
        .ask("GET /v1/threads", Some("dev:alice"), "", "")
        .await;
    assert_eq!(
        (server.status, server.json()),
        (200, json!({"threads": []}))
    );
    assert!(!server.headers.contains("access-control"));
    assert_eq!(Value::Null, server.json()["next"]);
}

async fn post(gateway: &Gateway, length: &str, token: &str) -> TcpStream {
    let mut stream = TcpStream::connect(gateway.address).await.unwrap();
    let head = format!(
        "POST /v1/threads HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\n\
         authorization: Bearer {token}\r\n{length}\r\n\r\n",
        gateway.address
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

async fn status(stream: &mut TcpStream) -> String {
    let mut start = [0; 12];
    let reading = stream.read_exact(&mut start);
    let patience = Duration::from_secs(20);
    let read = tokio::time::timeout(patience, reading).await;
    read.expect("an answer in time").unwrap();
    String::from_utf8_lossy(&start).into_owned()
}

#[tokio::test]
async fn an_endless_body_is_cut_off_and_a_slow_one_not_waited_for() {
    let gateway = gateway().await;
    let mut endless = post(&gateway, "transfer-encoding: chunked", "dev:alice").await;
    let mut written = 0;
    let chunk = format!("400\r\n{}\r\n", " ".repeat(0x400));
    // Until nobody takes it any more.
    while written < 64 * 1024 * 1024 && endless.write_all(chunk.as_bytes()).await.is_ok() {
        written += chunk.len();
        tokio::task::yield_now().await;
    }
    assert!(written < 16 * 1024 * 1024, "{written} bytes were taken");

    // A stranger's is not looked at.
    let start = Instant::now();
    let mut stranger = post(&gateway, "content-length: 100", "nonsense").await;
    assert_eq!(status(&mut stranger).await, "HTTP/1.1 401");
    assert!(start.elapsed() < Duration::from_secs(5));
    let mut slow = post(&gateway, "content-length: 100", "dev:alice").await;
    slow.write_all(b"{").await.unwrap();
    assert_eq!(status(&mut slow).await, "HTTP/1.1 503");
}
