//! Clients that cannot open a socket: a stream for what happens, a request for each frame.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::indexing_slicing)]

mod client;

use client::{Gateway, THREAD, key, send};
use rejoinder_protocol::{FRAME_BYTES_MAX, HELLO_BYTES_MAX, STREAM_THREADS_MAX};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[tokio::test]
async fn who_has_a_stream_and_who_has_a_socket_talk() {
    let gateway = Gateway::start().await;
    let mut bob = gateway.join("bob").await;
    bob.watch().await;
    let mut alice = gateway.stream("alice", &[THREAD]).await;
    alice.hear_of("live").await;
    assert_eq!(alice.hear_of("presence").await["state"], "online");
    while bob.hear_of("presence").await["state"] != "online" {}

    let (answer, frames) = gateway
        .post("alice", &send(THREAD, 1, "by a request"))
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(frames.len(), 1);
    assert_eq!(frames[0]["type"], "ack");
    assert_eq!(frames[0]["sequence_number"], 1);
    assert_eq!(
        alice.hear_of("change").await["object"]["client_msg_id"],
        key(1)
    );
    assert_eq!(bob.messages(1).await, [(1, "by a request".to_owned())]);

    bob.say(&send(THREAD, 2, "by a socket")).await;
    assert_eq!(
        alice.hear_of("change").await["object"]["body"],
        "by a socket"
    );

    let again = gateway
        .post("alice", &send(THREAD, 1, "by a request"))
        .await;
    assert_eq!(again.1[0]["duplicate"], true);
    assert_eq!(again.1[0]["server_msg_id"], frames[0]["server_msg_id"]);

    let typing = json!({"type": "typing", "thread_id": THREAD, "is_typing": true}).to_string();
    assert_eq!(gateway.post("alice", &typing).await.0.status, 204);
    assert_eq!(bob.hear_of("typing").await["user_id"], "alice");
    assert_eq!(gateway.post("eve", &typing).await.0.status, 204);
    let last = gateway
        .post("bob", &send(THREAD, 3, "nobody else types"))
        .await;
    assert_eq!(last.0.status, 200);
    loop {
        let frame = bob.hear().await;
        assert_ne!(frame["type"], "typing", "of a stranger");
        if frame["type"] == "change" && frame["object"]["body"] == "nobody else types" {
            break;
        }
    }
    gateway.stop().await;
    assert_eq!(alice.hear_of("goodbye").await["code"], 4000);
    assert_eq!(alice.hear().await, None, "and then it ends");
}

#[tokio::test]
async fn a_request_asks_all_that_needs_no_connection() {
    let gateway = Gateway::start().await;
    for number in 1..=3 {
        let (answer, _) = gateway.post("alice", &send(THREAD, number, "text")).await;
        assert_eq!(answer.status, 200);
    }
    let ask = |frame: Value| {
        let gateway = &gateway;
        async move {
            let (answer, frames) = gateway.post("bob", &frame.to_string()).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            assert_eq!(frames.len(), 1);
            frames.into_iter().next().unwrap()
        }
    };
    let page =
        ask(json!({"type": "sync", "thread_id": THREAD, "epoch": "e1", "revision": 4})).await;
    assert_eq!(
        (&page["type"], &page["to_revision"]),
        (&json!("page"), &json!(5))
    );
    let history = json!({"type": "history", "thread_id": THREAD, "before_sequence_number": 3,
        "limit": 1});
    assert_eq!(ask(history).await["messages"][0]["sequence_number"], 2);
    let inbox = ask(json!({"type": "inbox", "limit": 10})).await;
    assert_eq!(inbox["threads"][0]["thread_id"], THREAD);
    assert_eq!(ask(json!({"type": "ping"})).await["type"], "pong");
    let cancel = json!({"type": "cancel", "thread_id": THREAD, "client_msg_id": key(9)});
    assert_eq!(ask(cancel).await["type"], "cancelled");
    for (frame, code) in [
        (json!({"type": "subscribe", "thread_id": THREAD}), "invalid"),
        (
            json!({"type": "unsubscribe", "thread_id": THREAD}),
            "invalid",
        ),
        (json!({"type": "auth", "token": "dev:bob"}), "invalid"),
        (
            json!({"type": "hello", "protocol_version": 1, "token": "dev:bob"}),
            "invalid",
        ),
        (json!({"type": "pong"}), "invalid"),
        (json!({"type": "shout"}), "unknown_type"),
        (json!({"type": "send", "thread_id": THREAD}), "invalid"),
        (json!([1]), "bad_json"),
    ] {
        let error = ask(frame.clone()).await;
        assert_eq!(
            (&error["type"], &error["code"]),
            (&json!("error"), &json!(code)),
            "{frame}"
        );
    }
}

#[tokio::test]
async fn requests_are_refused_as_http_refuses() {
    let gateway = Gateway::start().await;
    let hello = r#"{"type":"hello","protocol_version":1}"#;
    let ping = r#"{"type":"ping"}"#;
    let many: Vec<_> = (0..=STREAM_THREADS_MAX)
        .map(|number| json!({"thread_id": format!("t{number}")}))
        .collect();
    let many = json!({"type": "hello", "protocol_version": 1, "resume": many}).to_string();
    let long = " ".repeat(FRAME_BYTES_MAX + 1);
    let alice = Some("dev:alice");
    for (what, token, body, status, code) in [
        ("POST /v1/stream", None, hello, 401, "token_invalid"),
        (
            "POST /v1/stream",
            Some("secret"),
            hello,
            401,
            "token_invalid",
        ),
        ("POST /v1/frames", None, ping, 401, "token_invalid"),
        ("GET /v1/stream", alice, "", 405, "method_not_allowed"),
        ("GET /v1/frames", alice, "", 405, "method_not_allowed"),
        ("POST /v1/stream", alice, ping, 400, "invalid"),
        ("POST /v1/stream", alice, "{", 400, "bad_json"),
        ("POST /v1/stream", alice, &many, 409, "limit"),
        (
            "POST /v1/stream",
            alice,
            &long[..=HELLO_BYTES_MAX],
            413,
            "too_large",
        ),
        ("POST /v1/frames", alice, &long, 413, "too_large"),
        ("POST /v1/frames?epoch=", alice, ping, 400, "invalid"),
        (
            "POST /v1/stream",
            alice,
            r#"{"type":"hello","protocol_version":2}"#,
            400,
            "unsupported_version",
        ),
    ] {
        let answer = gateway.ask(what, token, "", body).await;
        assert_eq!(answer.status, status, "{what} {answer:?}");
        assert_eq!(answer.json()["code"], code, "{what}");
    }
    let other = gateway
        .ask("POST /v1/frames?epoch=e0", alice, "", ping)
        .await;
    assert_eq!(other.status, 503);
    assert_eq!(
        other.json()["type"],
        "goodbye",
        "another history: begin anew"
    );
    for (name, head) in [
        (
            "another kind",
            "content-type: text/plain\r\ncontent-length: 0",
        ),
        ("no kind", "content-length: 0"),
    ] {
        let answer = raw(&gateway, head, b"").await;
        assert!(answer.starts_with("HTTP/1.1 415"), "{name}: {answer}");
    }
    // A gibibyte, of which nobody waits for the end.
    let head = "content-type: application/json\r\ntransfer-encoding: chunked";
    let chunk = [&b"10000\r\n"[..], &[b' '; 0x10000], b"\r\n"].concat();
    let answer = raw(&gateway, head, &chunk.repeat(4)).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
}

/// Sends a request for a frame that is never finished, and returns the answer.
async fn raw(gateway: &Gateway, head: &str, body: &[u8]) -> String {
    let mut stream = TcpStream::connect(gateway.address).await.unwrap();
    let head = format!(
        "POST /v1/frames HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer dev:alice\r\n\
         connection: close\r\n{head}\r\n\r\n",
        gateway.address
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    // The gateway may answer and close before it has everything.
    let _ = stream.write_all(body).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn a_users_messages_are_counted_over_all_requests() {
    let gateway = Gateway::set(|settings| {
        settings.config.messages_burst = 3;
        settings.config.messages_per_second = 1;
    })
    .await;
    let mut alice = gateway.join("alice").await;
    let mut refused = 0;
    for number in 0..3 {
        let (_, frames) = gateway.post("alice", &send(THREAD, number, "much")).await;
        refused += usize::from(frames[0]["code"] == "rate_limited");
    }
    for number in 3..6 {
        alice.say(&send(THREAD, number, "much")).await;
        let answer = loop {
            let frame = alice.hear().await;
            if frame["type"] != "thread" {
                break frame;
            }
        };
        refused += usize::from(answer["code"] == "rate_limited");
    }
    assert!(refused > 0, "six where three may be at once");
    let (_, frames) = gateway.post("bob", &send(THREAD, 1, "another's")).await;
    assert_eq!(frames[0]["type"], "ack", "{frames:?}");
}
