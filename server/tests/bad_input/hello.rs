//! Rows 9 to 12, 17, 19 and 64: who may speak, and what the first word is.

use std::time::{SystemTime, UNIX_EPOCH};

use rejoinder_gateway::tokens::Tokens;

use crate::client::{Gateway, THREAD, hello, send};
use crate::raw::{PING, TEXT, frame, head};

#[tokio::test]
async fn only_a_hello_opens_a_session() {
    let gateway = Gateway::start().await;
    let long = hello(&"x".repeat(9 * 1024));
    let huge = hello(&"x".repeat(64 * 1024));
    let padded = hello("dev:alice") + &" ".repeat(24 * 1024);
    let version = |number: &str| hello("dev:alice").replace(":1,", &format!(":{number},"));
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
        // What is longer than a first frame may be is not looked at.
        ("a token of 64 KiB", huge, 4500),
        ("a padded hello over 24 KiB", padded, 4500),
        ("version 0", version("0"), 4501),
        ("version 99", version("99"), 4501),
    ] {
        let mut client = gateway.open().await;
        client.say(&text).await;
        assert_eq!(client.closed().await, code, "{name}");
    }
}

#[tokio::test]
async fn a_first_frame_that_says_it_is_long_is_not_waited_for() {
    let gateway = Gateway::start().await;
    for says in [24 * 1024 + 1, 1 << 20, 1 << 62, u64::MAX] {
        let mut client = gateway.open().await;
        client.push(&head(TEXT, says)).await;
        assert_eq!(client.closed().await, 4500, "{says}");
    }
    // Who is known may say more.
    let mut client = gateway.join("alice").await;
    client.push(&frame(TEXT, &[b' '; 30 * 1024])).await;
    assert_eq!(client.hear_of("error").await["code"], "bad_json");
}

#[tokio::test]
async fn an_expired_token_is_told_apart_from_a_wrong_one() {
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
async fn whoever_does_not_introduce_themselves_is_hung_up_on() {
    let gateway = Gateway::start().await;
    let mut silent = gateway.open().await;
    let mut half = gateway.open().await;
    let word = frame(TEXT, hello("dev:alice").as_bytes());
    half.push(&word[..word.len() - 1]).await;
    let mut pinging = gateway.open().await;
    pinging.push(&frame(PING, b"hello?")).await;
    let codes = tokio::join!(silent.closed(), half.closed(), pinging.closed());
    assert_eq!(codes, (4002, 4002, 4002));
}

#[tokio::test]
async fn a_second_hello_ends_the_session() {
    let gateway = Gateway::start().await;
    let mut client = gateway.join("alice").await;
    client.say(&hello("dev:alice")).await;
    assert_eq!(client.closed().await, 4500);
}

#[tokio::test]
async fn a_newer_token_is_taken_and_another_users_is_not() {
    let gateway = Gateway::start().await;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let token = |user: &str, life_s: u64| {
        let until = now.as_secs() + life_s;
        let tokens = Tokens::new().with_secret("secret");
        let token = tokens.mint(&user.parse().unwrap(), until).unwrap();
        token.secret().to_owned()
    };
    let auth = |token: &str| format!(r#"{{"type":"auth","token":"{token}"}}"#);
    let mut alice = gateway.open().await;
    alice.say(&hello(&token("alice", 60))).await;
    alice.hear_of("welcome").await;
    alice.say(&auth(&token("alice", 600))).await;
    let expires_at = alice.hear_of("authenticated").await["expires_at"].as_u64();
    assert_eq!(expires_at, Some((now.as_secs() + 600) * 1_000));
    alice.say(&auth(&token("bob", 600))).await;
    assert_eq!(alice.closed().await, 4502);
}
