//! Rows 31 to 44 and 60: messages that may not be stored, and odd ones that may.

use serde_json::{Value, json};

use crate::client::{Client, Gateway, THREAD, key, send};

async fn refused(client: &mut Client, frame: &str, code: &str, name: &str) {
    client.say(frame).await;
    let error = client.hear_of("error").await;
    assert_eq!(error["code"], code, "{name}");
    assert_eq!(error["ref"]["type"], "send", "{name}");
}

#[tokio::test]
async fn what_cannot_be_a_message_is_refused_and_takes_nothing() {
    let gateway = Gateway::start().await;
    let mut client = gateway.join("alice").await;
    client.watch().await;
    let text = |fields: &str| {
        let (thread, key) = (THREAD, key(1));
        format!(r#"{{"type":"send","thread_id":"{thread}","client_msg_id":"{key}",{fields}}}"#)
    };
    let file = |name: &str, size: &str| {
        text(&format!(
            r#""body":"x","attachments":[{{"name":"{name}","mime_type":"a/b","size_bytes":{size},"url":"u"}}]"#
        ))
    };
    let seventeen = vec![json!({"name": "n", "mime_type": "a/b", "size_bytes": 1, "url": "u"}); 17];
    let keyed = |key: &str| send(THREAD, 1, "x").replace(&crate::client::key(1), key);
    let rows = [
        ("no body", text(r#""bodi":"x""#), "invalid"),
        ("a body of another type", text(r#""body":7"#), "invalid"),
        ("an empty body", send(THREAD, 1, ""), "invalid"),
        (
            "spaces",
            send(THREAD, 1, " \u{a0}\t\r\n\u{3000}"),
            "invalid",
        ),
        (
            "16 KiB and a byte",
            send(THREAD, 1, &"x".repeat(16 * 1024 + 1)),
            "too_large",
        ),
        (
            "an emoji too many",
            send(THREAD, 1, &"\u{1f600}".repeat(4 * 1024 + 1)),
            "too_large",
        ),
        ("NUL", send(THREAD, 1, "a\0b"), "invalid"),
        (
            "NUL in the name of a file",
            file(r"a\u0000", "1"),
            "invalid",
        ),
        (
            "a file of 2^53 bytes",
            file("a", "9007199254740992"),
            "invalid",
        ),
        ("a file of half a byte", file("a", "0.5"), "invalid"),
        (
            "seventeen files",
            text(&format!(r#""body":"x","attachments":{}"#, json!(seventeen))),
            "too_large",
        ),
        (
            "a file's name of 8 KiB",
            file(&"n".repeat(8 * 1024), "1"),
            "too_large",
        ),
        (
            "no key",
            format!(r#"{{"type":"send","thread_id":"{THREAD}","body":"x"}}"#),
            "invalid",
        ),
        ("an empty key", keyed(""), "invalid"),
        ("a key of 1 KiB", keyed(&"f".repeat(1024)), "invalid"),
        (
            "a key that is no UUID",
            keyed("00000000-0000-0000-8000-00000000000g"),
            "invalid",
        ),
        (
            "a key without dashes",
            keyed("00000000000070008000000000000001"),
            "invalid",
        ),
        (
            "a key in braces",
            keyed(&format!("{{{}}}", key(1))),
            "invalid",
        ),
        (
            "a key that is a number",
            keyed("7").replace("\"7\"", "7"),
            "invalid",
        ),
    ];
    for (name, frame, code) in rows {
        refused(&mut client, &frame, code, name).await;
    }
    // Nothing of it took a number or a key.
    client.say(&send(THREAD, 1, "fine")).await;
    let ack = client.hear_of("ack").await;
    assert_eq!(
        (&ack["sequence_number"], &ack["duplicate"]),
        (&1.into(), &false.into())
    );
}

#[tokio::test]
async fn odd_but_legal_bodies_arrive_as_they_were() {
    let gateway = Gateway::start().await;
    let mut alice = gateway.join("alice").await;
    alice.watch().await;
    let controls: String = ('\u{1}'..'\u{20}').cycle().take(16 * 1024).collect();
    let emoji = "\u{1f600}".repeat(4 * 1024);
    let zalgo = format!("z{}", "\u{30d}\u{331}".repeat(500));
    let odd = [
        "<img src=x onerror=alert(1)>",
        "[a link](javascript:alert(1))",
        "'; DROP TABLE messages; --",
        "\u{202e}rtl\u{2066}",
        // Not white space to Unicode, so it is somebody's text.
        "\u{200b}",
        "\u{fffd}\u{ffff}\u{10ffff}",
        &zalgo,
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
async fn sql_in_every_string_is_text() {
    const SQL: &str = "'); DROP TABLE messages; --";
    let gateway = Gateway::start().await;
    let mut alice = gateway.join("alice").await;
    alice.watch().await;
    let file = json!({"name": SQL, "mime_type": SQL, "size_bytes": 1, "url": SQL});
    let mut message: Value = serde_json::from_str(&send(THREAD, 1, SQL)).unwrap();
    message["attachments"] = json!([file]);
    alice.say(&message.to_string()).await;
    let change = alice.hear_of("change").await;
    assert_eq!(change["object"]["body"], SQL);
    assert_eq!(change["object"]["attachments"][0], file);
    for frame in [
        json!({"type": "subscribe", "thread_id": SQL}),
        json!({"type": "subscribe", "thread_id": THREAD, "last_server_msg_id": SQL}),
        json!({"type": "subscribe", "thread_id": THREAD, "epoch": SQL, "revision": 1}),
        json!({"type": "inbox", "limit": 1, "before": SQL}),
        json!({"type": SQL}),
    ] {
        alice.say(&frame.to_string()).await;
        alice.hear_of("error").await;
    }
    alice.say(&send(THREAD, 2, "still here")).await;
    assert_eq!(alice.hear_of("ack").await["sequence_number"], 2);
}

#[tokio::test]
async fn a_key_used_for_another_payload_is_a_conflict_and_changes_nothing() {
    let gateway = Gateway::start().await;
    let mut alice = gateway.join("alice").await;
    alice.watch().await;
    alice.say(&send(THREAD, 1, "first")).await;
    let first = alice.hear_of("ack").await;
    refused(
        &mut alice,
        &send(THREAD, 1, "second"),
        "id_conflict",
        "second",
    )
    .await;
    let upper = send(THREAD, 10, "third").replace(&key(10), "00000000-0000-7000-8000-00000000000A");
    alice.say(&upper).await;
    let third = alice.hear_of("ack").await;
    alice.say(&upper.replace("00A\"", "00a\"")).await;
    let again = alice.hear_of("ack").await;
    assert_eq!(again["server_msg_id"], third["server_msg_id"]);
    assert_eq!(again["duplicate"], true);
    alice.say(&send(THREAD, 1, "first")).await;
    let again = alice.hear_of("ack").await;
    for field in ["server_msg_id", "sequence_number", "revision", "sent_at"] {
        assert_eq!(again[field], first[field], "{field}");
    }
}

#[tokio::test]
async fn a_key_belongs_to_its_sender_and_its_thread() {
    let gateway = Gateway::start().await;
    let mut alice = gateway.join("alice").await;
    let mut bob = gateway.join("bob").await;
    alice.watch().await;
    bob.watch().await;
    alice.say(&send(THREAD, 1, "alice's")).await;
    let first = alice.hear_of("ack").await;
    let heard = bob.hear_of("change").await;
    assert!(heard["object"]["body"] == "alice's");
    // The same key and the same text, and still another message; nothing tells whose key it is.
    bob.say(&send(THREAD, 1, "alice's")).await;
    let second = bob.hear_of("ack").await;
    assert_eq!(
        (&second["duplicate"], &second["sequence_number"]),
        (&false.into(), &2.into())
    );
    assert_ne!(second["server_msg_id"], first["server_msg_id"]);
    alice.say(&send("alice|carol", 1, "alice's")).await;
    let elsewhere = alice.hear_of("ack").await;
    assert_eq!(
        (&elsewhere["duplicate"], &elsewhere["sequence_number"]),
        (&false.into(), &1.into())
    );
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
