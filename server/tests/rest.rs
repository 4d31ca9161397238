//! `/v1`: who may ask what, on a real socket.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod backend;
mod client;
mod issuer;

use backend::{ADMIN, T, gateway, get, live};
use client::send;
use issuer::{Key, LEGACY_SECRET, now_s};
use serde_json::json;

#[tokio::test]
async fn every_endpoint_knows_who_may() {
    let gateway = gateway().await;
    let claims = json!({"iss": "supabase", "role": "anon", "exp": now_s() + 3600, "sub": "alice"});
    let anon = Key::secret(LEGACY_SECRET).token(&json!({"alg": "HS256"}), &claims);
    let callers = [
        ("a member", Some("dev:alice")),
        ("one who was", Some("dev:carol")),
        ("a stranger", Some("dev:eve")),
        ("the back end", Some(ADMIN)),
        ("nobody", None),
        ("the anon key", Some(anon.as_str())),
    ];
    let mine = r#"{"participants":["alice","zoe"]}"#;
    let named = r#"{"thread_id":"t2","participants":["alice","zoe"]}"#;
    let rows = [
        ("GET /v1/threads", "", [200, 200, 200, 400, 401, 401]),
        (
            "GET /v1/threads?user_id=alice",
            "",
            [200, 403, 403, 200, 401, 401],
        ),
        (
            "GET /v1/threads/t1/participants",
            "",
            [200, 404, 404, 200, 401, 401],
        ),
        (
            "GET /v1/threads/t1/messages",
            "",
            [200, 404, 404, 200, 401, 401],
        ),
        (
            "GET /v1/threads/none/participants",
            "",
            [404, 404, 404, 404, 401, 401],
        ),
        (
            "GET /v1/threads/none/messages",
            "",
            [404, 404, 404, 404, 401, 401],
        ),
        ("POST /v1/threads", mine, [200, 403, 403, 200, 401, 401]),
        ("POST /v1/threads", named, [403, 403, 403, 200, 401, 401]),
        (
            "PUT /v1/threads/t1/participants/dave",
            "",
            [403, 403, 403, 204, 401, 401],
        ),
        (
            "PUT /v1/threads/none/participants/dave",
            "",
            [403, 403, 403, 404, 401, 401],
        ),
        (
            "DELETE /v1/threads/none/participants/alice",
            "",
            [404, 403, 403, 404, 401, 401],
        ),
        (
            "DELETE /v1/threads/t1/participants/carol",
            "",
            [403, 204, 403, 204, 401, 401],
        ),
        (
            "DELETE /v1/threads/t1/participants/eve",
            "",
            [403, 403, 404, 404, 401, 401],
        ),
        (
            "DELETE /v1/threads/t1/participants/bob",
            "",
            [403, 403, 403, 204, 401, 401],
        ),
        // Leaving comes last: who left is a member no more.
        (
            "DELETE /v1/threads/t1/participants/alice",
            "",
            [204, 403, 403, 204, 401, 401],
        ),
    ];
    for (what, body, expected) in rows {
        for ((name, token), status) in callers.iter().zip(expected) {
            let answer = gateway.ask(what, *token, "", body).await;
            assert_eq!(answer.status, status, "{name}: {what}: {answer:?}");
            let code = answer.json()["code"].clone();
            assert_eq!(
                code.is_string(),
                status >= 400,
                "{name}: {what}: {answer:?}"
            );
            assert_eq!(answer.header("cache-control"), Some("no-store"), "{what}");
            if status == 401 {
                assert_eq!(code, "token_invalid");
                assert_eq!(answer.header("www-authenticate"), Some("bearer"));
            }
        }
    }
    let left = get(&gateway, "/threads/t1/messages", "dev:alice").await;
    assert_eq!(left.status, 404);
}

#[tokio::test]
async fn a_foreign_thread_and_no_thread_are_one_answer() {
    let gateway = gateway().await;
    for user in ["dev:eve", "dev:carol"] {
        for path in ["/threads/T/messages", "/threads/T/participants"] {
            let foreign = get(&gateway, &path.replace('T', T), user).await;
            let none = get(&gateway, &path.replace('T', "t9"), user).await;
            assert_eq!(foreign.status, 404);
            assert_eq!((foreign.headers, foreign.text), (none.headers, none.text));
        }
    }
    // A name that is taken is not told either; the back end is.
    let taken = json!({"thread_id": T, "participants": ["eve", "mallory"]}).to_string();
    let answer = gateway
        .ask("POST /v1/threads", Some(ADMIN), "", &taken)
        .await;
    assert_eq!(
        (answer.status, &answer.json()["code"]),
        (409, &json!("id_conflict"))
    );
    let answer = gateway
        .ask("POST /v1/threads", Some("dev:eve"), "", &taken)
        .await;
    assert_eq!(
        (answer.status, &answer.json()["code"]),
        (403, &json!("forbidden"))
    );
}

#[tokio::test]
async fn lists_come_in_pages() {
    let gateway = gateway().await;
    let mut alice = live(&gateway, "alice").await;
    for number in 1..=5 {
        alice.say(&send(T, number, &format!("body {number}"))).await;
        alice.hear_of("ack").await;
    }
    for other in ["x", "y"] {
        let body = json!({"participants": ["alice", other]}).to_string();
        gateway
            .ask("POST /v1/threads", Some("dev:alice"), "", &body)
            .await;
    }
    for token in ["dev:alice", ADMIN] {
        let places = async |range: &str| {
            let path = format!("/threads/{T}/messages{range}");
            let page = get(&gateway, &path, token).await.json();
            let messages = page["messages"].as_array().unwrap().iter();
            let places: Vec<_> = messages.map(|one| one["sequence_number"].clone()).collect();
            (json!(places), page["has_older"].clone())
        };
        assert_eq!(places("").await, (json!([1, 2, 3, 4, 5]), json!(false)));
        assert_eq!(places("?limit=2").await, (json!([4, 5]), json!(true)));
        assert_eq!(
            places("?limit=2&before=4").await,
            (json!([2, 3]), json!(true))
        );
        assert_eq!(places("?before=2").await, (json!([1]), json!(false)));
        assert_eq!(places("?limit=0").await, (json!([5]), json!(true)));

        let whose = if token == ADMIN { "user_id=alice&" } else { "" };
        let (mut seen, mut next) = (Vec::new(), String::new());
        loop {
            let path = format!("/threads?{whose}limit=1{next}");
            let page = get(&gateway, &path, token).await.json();
            seen.extend(page["threads"].as_array().unwrap().clone());
            let Some(before) = page["next"].as_str() else {
                break;
            };
            next = format!("&before={}", before.replace('/', "%2F"));
        }
        assert_eq!(seen.len(), 3);
        assert_eq!(seen[2]["thread_id"], T);
        assert_eq!(seen[2]["preview"]["body"], "body 5");
    }
    let people = get(&gateway, &format!("/threads/{T}/participants"), "dev:bob").await;
    let people = people.json()["participants"].as_array().unwrap().clone();
    let names: Vec<_> = people.iter().map(|one| one["user_id"].clone()).collect();
    assert_eq!(names, ["alice", "bob", "carol"]);
    let left: Vec<_> = people.iter().map(|one| one["left_at"].is_u64()).collect();
    assert_eq!(left, [false, false, true]);
}

#[tokio::test]
async fn who_is_removed_hears_so_and_nothing_after_and_may_be_let_in_again() {
    let gateway = gateway().await;
    let mut alice = live(&gateway, "alice").await;
    let mut devices = [live(&gateway, "bob").await, live(&gateway, "bob").await];
    alice.say(&send(T, 1, "before")).await;
    alice.hear_of("change").await;
    for bob in &mut devices {
        assert_eq!(bob.hear_of("change").await["object"]["body"], "before");
    }
    let bobs_place = format!("/v1/threads/{T}/participants/bob");
    let gone = gateway
        .ask(&format!("DELETE {bobs_place}"), Some(ADMIN), "", "")
        .await;
    assert_eq!(gone.status, 204);
    let left = alice.hear_of("change").await;
    assert!(left["object"]["left_at"].is_u64(), "{left}");
    alice.say(&send(T, 2, "behind his back")).await;
    alice
        .say(r#"{"type":"typing","thread_id":"t1","is_typing":true}"#)
        .await;
    alice.hear_of("ack").await;
    for bob in &mut devices {
        assert_eq!(bob.hear_of("removed").await["thread_id"], T);
        bob.say(&send(T, 3, "let me in")).await;
        bob.say(r#"{"type":"ping"}"#).await;
        let mut heard = Vec::new();
        while heard.len() < 2 {
            let frame = bob.hear().await;
            assert_ne!(frame["thread_id"], T, "{frame}");
            heard.push(frame["type"].as_str().unwrap().to_owned());
        }
        heard.sort();
        assert_eq!(heard, ["error", "pong"]);
    }
    let path = format!("/threads/{T}/messages");
    assert_eq!(get(&gateway, &path, "dev:bob").await.status, 404);

    let back = gateway
        .ask(&format!("PUT {bobs_place}"), Some(ADMIN), "", "")
        .await;
    assert_eq!(back.status, 204);
    for bob in &mut devices {
        let thread = bob.hear_of("thread").await;
        assert_eq!(thread["participants"], json!(["alice", "bob"]));
        bob.say(&client::subscribe(T)).await;
        let reset = bob.hear_of("reset").await;
        let bodies = reset["window"].as_array().unwrap().iter();
        let bodies: Vec<_> = bodies.filter_map(|one| one["body"].as_str()).collect();
        assert_eq!(bodies, ["before", "behind his back"]);
    }
    // A user leaves by themself, too.
    let left = gateway
        .ask(&format!("DELETE {bobs_place}"), Some("dev:bob"), "", "")
        .await;
    assert_eq!(left.status, 204);
    assert_eq!(devices[0].hear_of("removed").await["thread_id"], T);
}
