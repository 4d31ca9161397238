//! Rows 26 to 30: texts that are no frames of ours.

use crate::client::{Gateway, THREAD, key, send, subscribe};

#[tokio::test]
async fn three_frames_that_are_not_json_end_the_session() {
    let gateway = Gateway::start().await;
    let nested = |depth| format!(r#"{{"type":"ping","x":{}}}"#, "[".repeat(depth));
    let closed = |depth: usize| {
        let (open, close) = ("[".repeat(depth - 1), "]".repeat(depth - 1));
        format!(r#"{{"type":"ping","x":{open}{close}}}"#)
    };
    for bad in [
        "",
        "nonsense",
        "{}",
        "[]",
        "null",
        "\"ping\"",
        "{\"type\":\"ping\"}{}",
        "{\"type\":\"ping\"} x",
        "{\"type\":\"ping\",}",
        "{'type':'ping'}",
        "\u{feff}{\"type\":\"ping\"}",
        "{\"type\":\"ping\",\"type\":\"pong\"}",
        "{\"type\":\"ping\",\"type\":\"ping\"}",
        "{\"type\":NaN}",
        "{\"type\":7}",
        &"[".repeat(100_000),
        &nested(100_000),
        &closed(17),
    ] {
        let mut client = gateway.join("alice").await;
        for _ in 0..2 {
            client.say(bad).await;
            let error = client.hear_of("error").await;
            assert_eq!(error["code"], "bad_json", "{bad:.40?}");
        }
        client.say(bad).await;
        assert_eq!(client.closed().await, 4500, "{bad:.40?}");
    }
    let mut client = gateway.join("alice").await;
    client.say(&closed(16)).await;
    client.hear_of("pong").await;
}

#[tokio::test]
async fn what_no_version_knows_is_answered_or_skipped() {
    let gateway = Gateway::start().await;
    let mut client = gateway.join("alice").await;
    // Editing and deleting among them: no client of this version does it.
    for unknown in ["future", "", "Ping", "edit", "delete", "welcome"] {
        client.say(&format!(r#"{{"type":"{unknown}"}}"#)).await;
        let error = client.hear_of("error").await;
        assert_eq!(error["code"], "unknown_type", "{unknown}");
        assert!(error["ref"]["type"].is_string(), "{unknown}");
    }
    let future = r#"{"type":"ping","colour":"red","more":{"deep":[1,null,{"x":1e300}]}}"#;
    client.say(future).await;
    client.hear_of("pong").await;
    let later = send(THREAD, 1, "x").replace(r#""body""#, r#""later":true,"body""#);
    client.say(&later).await;
    client.hear_of("ack").await;
}

#[tokio::test]
async fn numbers_are_whole_and_below_two_to_the_53rd() {
    let gateway = Gateway::start().await;
    let cursor = |number: &str| {
        subscribe(THREAD).replace('}', &format!(r#","epoch":"e1","revision":{number}}}"#))
    };
    let history = |number: &str| {
        let thread = THREAD;
        format!(
            r#"{{"type":"history","thread_id":"{thread}","before_sequence_number":{number},"limit":5}}"#
        )
    };
    for (number, code) in [
        ("NaN", "bad_json"),
        ("Infinity", "bad_json"),
        ("1e400", "bad_json"),
        ("01", "bad_json"),
        ("+1", "bad_json"),
        ("0x1", "bad_json"),
        ("-1", "invalid"),
        ("-0", "invalid"),
        ("1.0", "invalid"),
        ("1.5", "invalid"),
        ("1e3", "invalid"),
        ("9007199254740992", "invalid"),
        ("18446744073709551616", "invalid"),
        ("\"1\"", "invalid"),
        ("\"abc\"", "invalid"),
        ("[1]", "invalid"),
        ("true", "invalid"),
    ] {
        for frame in [cursor(number), history(number)] {
            // Three that are no JSON would end it.
            let mut client = gateway.join("alice").await;
            client.say(&frame).await;
            let error = client.hear_of("error").await;
            assert_eq!(error["code"], code, "{frame}");
        }
    }
    let mut client = gateway.join("alice").await;
    client.say(&history("9007199254740991")).await;
    client.hear_of("error").await;
}

#[tokio::test]
async fn a_lone_surrogate_is_not_json() {
    let gateway = Gateway::start().await;
    let mut client = gateway.join("alice").await;
    client
        .say(&send(THREAD, 1, "X").replace('X', r"\ud800"))
        .await;
    let error = client.hear_of("error").await;
    assert_eq!(error["code"], "bad_json");
    assert_eq!(error["ref"]["client_msg_id"], key(1));
}
