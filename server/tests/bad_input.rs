//! What a gateway answers to what it should never be sent.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod client;

use client::{Gateway, THREAD, hello, key, send, subscribe};
use tokio_tungstenite::tungstenite::{Error, Message};

#[tokio::test]
async fn only_a_hello_opens_a_session() {
    let gateway = Gateway::start().await;
    let long = hello(&"x".repeat(9 * 1024));
    let huge = hello(&"x".repeat(30 * 1024));
    let padded = hello("dev:alice") + &" ".repeat(24 * 1024);
    let version = hello("dev:alice").replace(":1", ":99");
    for (name, text, code) in [
        ("an operation before hello", send(THREAD, 1, "x"), 4500),
        ("a ping before hello", r#"{"type":"ping"}"#.to_owned(), 4500),
        ("not JSON", "hello".to_owned(), 4500),
        ("an unknown type", r#"{"type":"future"}"#.to_owned(), 4500),
        (
            "no token",
            r#"{"type":"hello","protocol_version":1}"#.to_owned(),
            4500,
        ),
        ("a bad token", hello("nonsense"), 4100),
        (
            "an unsigned token",
            hello("eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0."),
            4100,
        ),
        ("an empty user", hello("dev:"), 4100),
        ("a token over 8 KiB", long, 4100),
        ("a hello over 24 KiB", huge, 4100),
        ("a padded hello over 24 KiB", padded, 4500),
        ("another version", version, 4501),
    ] {
        let mut client = gateway.open().await;
        client.say(&text).await;
        assert_eq!(client.closed().await, code, "{name}");
    }
}

#[tokio::test]
async fn an_expired_token_is_told_apart_from_a_wrong_one() {
    use rejoinder_gateway::tokens::Tokens;
    let gateway = Gateway::start().await;
    let alice = "alice".parse().unwrap();
    for (secret, expires_at_s, code) in [("secret", 1_000, 4101), ("other", 4_000_000_000, 4100)] {
        let token = Tokens::new().with_secret(secret).mint(&alice, expires_at_s);
        let mut client = gateway.open().await;
        client.say(&hello(token.unwrap().secret())).await;
        assert_eq!(client.closed().await, code, "{secret}");
    }
}

#[tokio::test]
async fn silence_is_closed_after_five_seconds() {
    let gateway = Gateway::start().await;
    let start = std::time::Instant::now();
    let mut client = gateway.open().await;
    assert_eq!(client.closed().await, 4002);
    let waited = start.elapsed().as_millis();
    assert!((4_900..8_000).contains(&waited), "{waited} ms");
}

#[tokio::test]
async fn what_makes_no_sense_is_answered_and_the_session_lives() {
    let gateway = Gateway::start().await;
    let mut client = gateway.join("alice").await;
    client.watch().await;
    let text = |fields: &str| {
        let (thread, key) = (THREAD, key(1));
        format!(r#"{{"type":"send","thread_id":"{thread}","client_msg_id":"{key}",{fields}}}"#)
    };
    let too_large = "x".repeat(16 * 1024 + 1);
    let rows = [
        (
            "an unknown type",
            r#"{"type":"future"}"#.to_owned(),
            "unknown_type",
        ),
        ("no body", text(r#""bodi":"x""#), "invalid"),
        ("a body of another type", text(r#""body":7"#), "invalid"),
        ("a body with NUL", send(THREAD, 1, "a\0b"), "invalid"),
        ("an empty body", send(THREAD, 1, " "), "invalid"),
        (
            "a body over 16 KiB",
            send(THREAD, 1, &too_large),
            "too_large",
        ),
        (
            "a key that is no UUID",
            send(THREAD, 1, "x").replace("-7000-", "-"),
            "invalid",
        ),
        ("a thread id with a space", send("a b", 1, "x"), "invalid"),
        ("a thread id that climbs", subscribe("../x"), "invalid"),
        ("a cursor below 0", cursor("-1"), "invalid"),
        ("a cursor of 2^53", cursor("9007199254740992"), "invalid"),
        ("a cursor with a fraction", cursor("1.5"), "invalid"),
        (
            "an unknown inbox page",
            r#"{"type":"inbox","limit":1,"before":"x"}"#.into(),
            "invalid",
        ),
        (
            "typing elsewhere",
            r#"{"type":"typing","thread_id":"x","is_typing":true}"#.into(),
            "not_found",
        ),
    ];
    for (name, input, code) in rows {
        client.say(&input).await;
        let error = client.hear_of("error").await;
        assert_eq!(error["code"], code, "{name}");
        assert!(error["ref"]["type"].is_string(), "{name}");
    }
    // Nothing of it took a number or a key.
    client.say(&send(THREAD, 1, "fine")).await;
    let ack = client.hear_of("ack").await;
    assert_eq!(
        (&ack["sequence_number"], &ack["duplicate"]),
        (&1.into(), &false.into())
    );
}

fn cursor(revision: &str) -> String {
    format!(r#"{{"type":"subscribe","thread_id":"{THREAD}","epoch":"e1","revision":{revision}}}"#)
}

#[tokio::test]
async fn three_frames_that_are_not_json_end_the_session() {
    let gateway = Gateway::start().await;
    for bad in [
        "",
        "nonsense",
        "{}",
        "{\"type\":\"ping\"}{}",
        &"[".repeat(20_000),
        "\u{feff}{}",
    ] {
        let mut client = gateway.join("alice").await;
        for _ in 0..2 {
            client.say(bad).await;
            assert_eq!(
                client.hear_of("error").await["code"],
                "bad_json",
                "{bad:.20?}"
            );
        }
        client.say(bad).await;
        assert_eq!(client.closed().await, 4500, "{bad:.20?}");
    }
}

#[tokio::test]
async fn a_lone_surrogate_is_not_json() {
    let gateway = Gateway::start().await;
    let mut client = gateway.join("alice").await;
    client
        .say(&send(THREAD, 1, "X").replace('X', r"\ud800"))
        .await;
    assert_eq!(client.hear_of("error").await["code"], "bad_json");
}

#[tokio::test]
async fn a_second_hello_ends_the_session() {
    let gateway = Gateway::start().await;
    let mut client = gateway.join("alice").await;
    client.say(&hello("dev:alice")).await;
    assert_eq!(client.closed().await, 4500);
}

#[tokio::test]
async fn odd_but_legal_bodies_arrive_as_they_were() {
    let gateway = Gateway::start().await;
    let mut alice = gateway.join("alice").await;
    alice.watch().await;
    let controls: String = ('\u{1}'..'\u{20}').cycle().take(16 * 1024).collect();
    let emoji = "\u{1f600}".repeat(4 * 1024);
    let odd = [
        "<img onerror=x>",
        "'; DROP TABLE messages",
        "\u{202e}rtl",
        &controls,
        &emoji,
    ];
    for (number, body) in (1..).zip(odd) {
        alice.say(&send(THREAD, number, body)).await;
        let change = alice.hear_of("change").await;
        assert_eq!(change["object"]["body"], body);
    }
}

#[tokio::test]
async fn a_foreign_thread_and_no_thread_are_one_answer() {
    let gateway = Gateway::start().await;
    let mut bob = gateway.join("bob").await;
    bob.say(&send("alice|bob", 1, "secret")).await;
    bob.hear_of("ack").await;
    let mut eve = gateway.join("eve").await;
    let frames = [
        subscribe("T"),
        send("T", 1, "x"),
        format!(
            r#"{{"type":"cancel","thread_id":"T","client_msg_id":"{}"}}"#,
            key(1)
        ),
        r#"{"type":"sync","thread_id":"T","epoch":"e1","revision":0}"#.to_owned(),
        r#"{"type":"sync","thread_id":"T","epoch":"other","revision":9}"#.to_owned(),
        r#"{"type":"history","thread_id":"T","before_sequence_number":9,"limit":5}"#.to_owned(),
        r#"{"type":"typing","thread_id":"T","is_typing":true}"#.to_owned(),
    ];
    for frame in frames {
        let mut answers = Vec::new();
        for thread_id in ["alice|bob", "alice|nob"] {
            eve.say(&frame.replace("\"T\"", &format!("\"{thread_id}\"")))
                .await;
            answers.push(eve.hear_text().await.replace(thread_id, "T"));
        }
        assert!(answers[0].contains("not_found"), "{}", answers[0]);
        assert_eq!(answers[0], answers[1]);
    }
}

#[tokio::test]
async fn a_key_used_for_another_payload_is_a_conflict_and_changes_nothing() {
    let gateway = Gateway::start().await;
    let mut alice = gateway.join("alice").await;
    alice.watch().await;
    alice.say(&send(THREAD, 1, "first")).await;
    let first = alice.hear_of("ack").await;
    alice.say(&send(THREAD, 1, "second")).await;
    assert_eq!(alice.hear_of("error").await["code"], "id_conflict");
    let upper = send(THREAD, 10, "third").replace(&key(10), "00000000-0000-7000-8000-00000000000A");
    alice.say(&upper).await;
    let third = alice.hear_of("ack").await;
    alice.say(&upper.replace("00A\"", "00a\"")).await;
    let again = alice.hear_of("ack").await;
    assert_eq!(again["server_msg_id"], third["server_msg_id"]);
    assert_eq!(again["duplicate"], true);
    alice.say(&send(THREAD, 1, "first")).await;
    assert_eq!(
        alice.hear_of("ack").await["server_msg_id"],
        first["server_msg_id"]
    );
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
async fn frames_that_are_too_long_or_not_text_end_the_connection() {
    let gateway = Gateway::start().await;
    let mut client = gateway.join("alice").await;
    client.say(&"x".repeat(128 * 1024 + 1)).await;
    assert_eq!(client.closed().await, 1009);
    let mut client = gateway.join("alice").await;
    client.socket_send(Message::binary(vec![1, 2, 3])).await;
    assert_eq!(client.closed().await, 1003);
}

#[tokio::test]
async fn too_many_messages_are_told_when_to_come_back() {
    let gateway = Gateway::start().await;
    let mut alice = gateway.join("alice").await;
    let count = 100;
    for number in 0..count {
        alice.say(&send(THREAD, number, "x")).await;
    }
    let (mut acked, mut limited) = (0, 0);
    while acked + limited < count {
        let frame = alice.hear().await;
        match frame["type"].as_str() {
            Some("ack") => acked += 1,
            Some("error") => {
                assert_eq!(frame["code"], "rate_limited");
                assert!(frame["retry_after_ms"].as_u64().unwrap() > 0);
                limited += 1;
            }
            _ => {}
        }
    }
    assert!(
        acked >= 60 && limited > 0,
        "{acked} acked, {limited} limited"
    );
}

#[tokio::test]
async fn a_subscription_too_many_is_refused_and_the_others_live() {
    let gateway = Gateway::start().await;
    let mut alice = gateway.join("alice").await;
    for number in 0..101 {
        alice.say(&subscribe(&format!("alice|b{number:03}"))).await;
    }
    let mut live = 0;
    let mut refused = None;
    while live < 100 || refused.is_none() {
        let frame = alice.hear().await;
        match frame["type"].as_str() {
            Some("live") => live += 1,
            Some("error") => refused = Some(frame),
            _ => {}
        }
    }
    let refused = refused.unwrap();
    assert_eq!(
        (&refused["code"], &refused["ref"]["thread_id"]),
        (&"limit".into(), &"alice|b100".into())
    );
}
