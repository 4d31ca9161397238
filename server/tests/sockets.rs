//! What two clients see of a gateway on a real socket.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod client;

use client::{Gateway, THREAD, hello, key, send};

#[tokio::test]
async fn a_message_reaches_the_other_person_and_its_sender() {
    let gateway = Gateway::start().await;
    let mut alice = gateway.join("alice").await;
    let mut bob = gateway.join("bob").await;
    alice.watch().await;
    bob.watch().await;
    alice.say(&send(THREAD, 1, "hello")).await;
    let ack = alice.hear_of("ack").await;
    assert_eq!(
        (&ack["sequence_number"], &ack["duplicate"]),
        (&1.into(), &false.into())
    );
    for person in [&mut alice, &mut bob] {
        let change = person.hear_of("change").await;
        assert_eq!(change["object"]["body"], "hello");
        assert_eq!(change["object"]["server_msg_id"], ack["server_msg_id"]);
    }
}

#[tokio::test]
async fn a_resend_after_a_restart_gets_the_original_answer() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("messages.db");
    let gateway = Gateway::on_file(&path).await;
    let mut alice = gateway.join("alice").await;
    alice.say(&send(THREAD, 1, "hello")).await;
    let first = alice.hear_of("ack").await;
    gateway.stop().await;
    assert_eq!(alice.closed().await, 4000);

    let gateway = Gateway::on_file(&path).await;
    let mut alice = gateway.join("alice").await;
    alice.say(&send(THREAD, 1, "hello")).await;
    let again = alice.hear_of("ack").await;
    assert_eq!(again["duplicate"], true);
    for field in ["server_msg_id", "sequence_number", "revision", "sent_at"] {
        assert_eq!(again[field], first[field], "{field}");
    }
}

#[tokio::test]
async fn a_hello_with_a_cursor_brings_what_was_missed() {
    let gateway = Gateway::start().await;
    let mut alice = gateway.join("alice").await;
    for number in 1..=3 {
        alice
            .say(&send(THREAD, number, &format!("m{number}")))
            .await;
        alice.hear_of("ack").await;
    }
    let mut bob = gateway.open().await;
    let resume = r#","resume":[{"thread_id":"alice|bob","epoch":"e1","revision":3}]}"#;
    let hello = hello("dev:bob").replace('}', resume);
    bob.say(&hello).await;
    assert_eq!(bob.hear().await["type"], "welcome");
    let page = bob.hear().await;
    assert_eq!(
        (&page["from_revision"], &page["to_revision"]),
        (&3.into(), &5.into())
    );
    assert_eq!(page["changes"].as_array().unwrap().len(), 2);
    let live = bob.hear().await;
    assert_eq!(
        (&live["type"], &live["revision"]),
        (&"live".into(), &5.into())
    );
}

#[tokio::test]
async fn hundreds_of_messages_between_many_sockets_arrive_once_and_in_order() {
    let gateway = Gateway::set(|settings| settings.config.messages_burst = 1_000).await;
    let mut readers = Vec::new();
    for _ in 0..8 {
        let mut bob = gateway.join("bob").await;
        bob.watch().await;
        readers.push(bob);
    }
    let mut writers = Vec::new();
    for writer in 0..4 {
        let mut alice = gateway.join("alice").await;
        writers.push(tokio::spawn(async move {
            for number in 0..50 {
                let text = format!("{writer}-{number}");
                alice
                    .say(&send(THREAD, writer * 100 + number + 1, &text))
                    .await;
                alice.hear_of("ack").await;
            }
        }));
    }
    for reader in &mut readers {
        for place in 1..=200 {
            let change = reader.hear_of("change").await;
            assert_eq!(change["object"]["sequence_number"], place);
        }
    }
    for writer in writers {
        writer.await.unwrap();
    }
}

#[tokio::test]
async fn a_thread_is_made_by_either_of_its_two_and_nobody_else() {
    let gateway = Gateway::start().await;
    let post = async |token: &str, participants: &str| {
        let head = format!(
            "POST /v1/threads HTTP/1.1\r\nauthorization: Bearer {token}\r\n\
             content-type: application/json"
        );
        let body = format!(r#"{{"participants":{participants}}}"#);
        gateway.http(&head, &body).await
    };
    let first = post("dev:alice", r#"["alice","bob"]"#).await;
    assert!(first.starts_with("HTTP/1.1 200"), "{first}");
    let again = post("dev:bob", r#"["bob","alice"]"#).await;
    let body = |answer: &str| answer.split("\r\n\r\n").nth(1).unwrap().to_owned();
    assert_eq!(body(&first), body(&again));
    for (token, participants, status) in [
        ("dev:carol", r#"["alice","bob"]"#, 403),
        ("nonsense", r#"["alice","bob"]"#, 401),
        ("dev:alice", r#"["alice"]"#, 400),
        ("dev:alice", r#"["alice","alice"]"#, 400),
        ("dev:alice", r#"["alice","b b"]"#, 400),
        ("dev:alice", r#"["alice","bob","carol"]"#, 400),
        ("dev:alice", "7", 400),
    ] {
        let answer = post(token, participants).await;
        let expected = format!("HTTP/1.1 {status}");
        assert!(
            answer.starts_with(&expected),
            "{token} {participants}: {answer}"
        );
    }
}

#[tokio::test]
async fn a_token_is_refreshed_in_band_for_the_same_user_only() {
    let gateway = Gateway::start().await;
    let mut alice = gateway.join("alice").await;
    alice.say(r#"{"type":"auth","token":"dev:alice"}"#).await;
    assert_eq!(alice.hear().await["type"], "authenticated");
    alice.say(r#"{"type":"auth","token":"dev:bob"}"#).await;
    assert_eq!(alice.closed().await, 4502);
}

#[tokio::test]
async fn a_cancelled_key_stays_void() {
    let gateway = Gateway::start().await;
    let mut alice = gateway.join("alice").await;
    alice.watch().await;
    let cancel = format!(
        r#"{{"type":"cancel","thread_id":"{THREAD}","client_msg_id":"{}"}}"#,
        key(1)
    );
    alice.say(&cancel).await;
    assert_eq!(alice.hear_of("cancelled").await["client_msg_id"], key(1));
    alice.say(&send(THREAD, 1, "late")).await;
    assert_eq!(alice.hear_of("error").await["code"], "gone");
}

#[tokio::test]
async fn files_are_served_with_their_types_and_a_strict_policy() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("index.html"), "<title>hi</title>").unwrap();
    std::fs::write(folder.path().join("core_bg.wasm"), b"\0asm").unwrap();
    std::fs::write(folder.path().join(".secret"), "no").unwrap();
    let gateway = Gateway::serving(folder.path()).await;
    let page = gateway.http("GET / HTTP/1.1", "").await;
    assert!(
        page.starts_with("HTTP/1.1 200") && page.ends_with("<title>hi</title>"),
        "{page}"
    );
    assert!(
        page.contains("content-security-policy: default-src 'none'"),
        "{page}"
    );
    assert!(page.contains("x-content-type-options: nosniff"));
    let wasm = gateway.http("GET /core_bg.wasm HTTP/1.1", "").await;
    assert!(wasm.contains("content-type: application/wasm"), "{wasm}");
    for missing in ["/.secret", "/../Cargo.toml", "/nothing.js"] {
        let answer = gateway.http(&format!("GET {missing} HTTP/1.1"), "").await;
        assert!(answer.starts_with("HTTP/1.1 404"), "{missing}: {answer}");
    }
}
