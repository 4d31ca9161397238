//! Rows 45 to 56 and 63: threads that are not there, cursors that make no sense, pages of any size.

use serde_json::json;
use tokio::io::AsyncWriteExt;

use crate::client::stream::Events;
use crate::client::{Client, Gateway, THREAD, key, send, subscribe};

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
async fn what_is_no_name_of_a_thread_is_refused() {
    let gateway = Gateway::start().await;
    let mut client = gateway.join("alice").await;
    for (name, thread_id) in [
        ("empty", String::new()),
        ("a space", "a b".to_owned()),
        ("NUL", "a\0b".to_owned()),
        ("one that climbs", "../x".to_owned()),
        ("no ASCII", "\u{e9}".to_owned()),
        ("129 letters", "x".repeat(129)),
        // 1 MiB would be more than a frame: row 23.
        ("100 KiB", "x".repeat(100 * 1024)),
    ] {
        for frame in [
            json!({"type": "subscribe", "thread_id": thread_id}),
            json!({"type": "unsubscribe", "thread_id": thread_id}),
            json!({"type": "send", "thread_id": thread_id, "client_msg_id": key(1), "body": "x"}),
            json!({"type": "typing", "thread_id": thread_id, "is_typing": true}),
        ] {
            client.say(&frame.to_string()).await;
            let error = client.hear_of("error").await;
            assert_eq!(error["code"], "invalid", "{name}");
            // It is not repeated to the one who sent it.
            assert!(error["ref"]["thread_id"].is_null(), "{name}");
        }
    }
}

/// Alice, live in her thread after three messages, and their ids.
async fn three_messages(gateway: &Gateway) -> (Client, Vec<String>) {
    let mut alice = gateway.join("alice").await;
    alice.watch().await;
    let mut ids = Vec::new();
    for number in 1..=3 {
        alice.say(&send(THREAD, number, "x")).await;
        let ack = alice.hear_of("ack").await;
        ids.push(ack["server_msg_id"].as_str().unwrap().to_owned());
    }
    (alice, ids)
}

#[tokio::test]
async fn a_cursor_that_cannot_be_gone_on_from_is_reset() {
    let gateway = Gateway::start().await;
    let (mut alice, ids) = three_messages(&gateway).await;
    alice.say(&send("alice|carol", 1, "elsewhere")).await;
    let elsewhere = alice.hear_of("ack").await["server_msg_id"].clone();
    for (name, cursor) in [
        ("nothing", json!({})),
        ("ahead of the head", json!({"epoch": "e1", "revision": 6})),
        (
            "far ahead",
            json!({"epoch": "e1", "revision": (1_u64 << 53) - 1}),
        ),
        ("another epoch", json!({"epoch": "e0", "revision": 5})),
        ("an epoch without a revision", json!({"epoch": "e1"})),
        (
            "a message of another thread",
            json!({"last_server_msg_id": elsewhere}),
        ),
        (
            "a message that never was",
            json!({"last_server_msg_id": "01890000-0000-7000-8000-000000000000"}),
        ),
    ] {
        for frame_type in ["subscribe", "sync"] {
            let mut frame = cursor.clone();
            frame["type"] = json!(frame_type);
            frame["thread_id"] = json!(THREAD);
            alice.say(&frame.to_string()).await;
            let reset = alice.hear_of("reset").await;
            assert_eq!(reset["head_revision"], 5, "{name} {frame_type}");
            assert_eq!(reset["window"].as_array().unwrap().len(), 5, "{name}");
            if frame_type == "subscribe" {
                alice.hear_of("live").await;
            }
        }
    }
    // One that can: what came after it.
    let since = json!({"type": "sync", "thread_id": THREAD, "last_server_msg_id": ids[1]});
    alice.say(&since.to_string()).await;
    let page = alice.hear_of("page").await;
    assert_eq!(
        (&page["from_revision"], &page["to_revision"]),
        (&4.into(), &5.into())
    );
}

#[tokio::test]
async fn a_revision_means_nothing_without_its_epoch() {
    let gateway = Gateway::start().await;
    let mut alice = gateway.join("alice").await;
    let frame = json!({"type": "subscribe", "thread_id": THREAD, "revision": 1});
    alice.say(&frame.to_string()).await;
    assert_eq!(alice.hear_of("error").await["code"], "invalid");
}

#[tokio::test]
async fn pages_are_as_long_as_they_may_be() {
    let gateway = Gateway::start().await;
    let (mut alice, _) = three_messages(&gateway).await;
    for (limit, count) in [("0", 1), ("1", 1), ("2", 2), ("4294967295", 3)] {
        let frame = format!(
            r#"{{"type":"history","thread_id":"{THREAD}","before_sequence_number":9,"limit":{limit}}}"#
        );
        alice.say(&frame).await;
        let history = alice.hear_of("history").await;
        assert_eq!(
            history["messages"].as_array().unwrap().len(),
            count,
            "{limit}"
        );
        alice
            .say(&format!(r#"{{"type":"inbox","limit":{limit}}}"#))
            .await;
        let inbox = alice.hear_of("inbox").await;
        assert_eq!(inbox["threads"].as_array().unwrap().len(), 1, "{limit}");
    }
    for limit in ["-1", "4294967296", "1000000000000", "1.5", "\"5\"", "null"] {
        for frame in [
            format!(
                r#"{{"type":"history","thread_id":"{THREAD}","before_sequence_number":9,"limit":{limit}}}"#
            ),
            format!(r#"{{"type":"inbox","limit":{limit}}}"#),
        ] {
            alice.say(&frame).await;
            assert_eq!(alice.hear_of("error").await["code"], "invalid", "{frame}");
        }
    }
    let unknown = r#"{"type":"inbox","limit":1,"before":"x"}"#;
    alice.say(unknown).await;
    assert_eq!(alice.hear_of("error").await["code"], "invalid");
}

#[tokio::test]
async fn subscribing_twice_and_ending_what_never_began_are_nothing_special() {
    let gateway = Gateway::start().await;
    let mut alice = gateway.join("alice").await;
    let unsubscribe = r#"{"type":"unsubscribe","thread_id":"never|seen"}"#;
    alice.say(unsubscribe).await;
    alice.watch().await;
    alice.watch().await;
    alice.say(&send(THREAD, 1, "once")).await;
    alice.say(r#"{"type":"ping"}"#).await;
    let mut changes = 0;
    loop {
        let frame = alice.hear().await;
        match frame["type"].as_str() {
            Some("change") => changes += 1,
            Some("ack") => break,
            Some("error") => panic!("{frame}"),
            _ => {}
        }
    }
    // What was stored is told at once; one that came twice would be here by the next answer.
    alice
        .say(r#"{"type":"typing","thread_id":"never|seen","is_typing":true}"#)
        .await;
    loop {
        let frame = alice.hear().await;
        match frame["type"].as_str() {
            Some("change") => changes += 1,
            Some("error") => {
                assert_eq!(frame["code"], "not_found");
                break;
            }
            _ => {}
        }
    }
    assert_eq!(changes, 1);
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

#[tokio::test]
async fn a_stream_begins_where_its_hello_says() {
    let gateway = Gateway::start().await;
    let (_alice, _) = three_messages(&gateway).await;
    let resume = json!([{"thread_id": THREAD, "epoch": "e1", "revision": 4}]);
    let hello = json!({"type": "hello", "protocol_version": 1, "resume": resume}).to_string();
    for last in ["0", "4", "nonsense", &"9".repeat(1_000)] {
        let head = format!(
            "POST /v1/stream HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer dev:alice\r\n\
             content-type: application/json\r\nlast-event-id: {last}\r\ncontent-length: {}\r\n\r\n",
            hello.len()
        );
        let mut stream = gateway.connect().await;
        stream.write_all((head + &hello).as_bytes()).await.unwrap();
        let mut events = Events::read(stream).await;
        let page = events.hear_of("page").await;
        let numbers = (&page["from_revision"], &page["to_revision"]);
        assert_eq!(numbers, (&4.into(), &5.into()), "{last:.10}");
    }
}
