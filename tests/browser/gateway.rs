//! With a real gateway, which is killed and started again.

use wasm_bindgen_test::*;

use crate::page::{Page, pair, pause, somebody};
use crate::supervisor::Gateway;

fn connected(gateway: &Gateway, user: &str, thread: &str) -> Page {
    let page = Page::open(&gateway.url, user);
    page.open_thread(thread);
    page.core().connect().unwrap();
    page
}

#[wasm_bindgen_test]
async fn two_people_talk() {
    let gateway = Gateway::start("talk").await;
    let (alice, bob) = (somebody("alice"), somebody("bob"));
    let thread = pair(&alice, &bob);
    let (a, b) = (
        connected(&gateway, &alice, &thread),
        connected(&gateway, &bob, &thread),
    );
    for page in [&a, &b] {
        page.until_live().await;
    }

    let hello = a.send(&thread, "hello");
    b.until_sent(&thread, &["hello"]).await;
    b.core()
        .set_typing(thread.as_str().into(), true.into())
        .unwrap();
    a.until_told("bob is typing", |one| {
        one["meta"]["partners"][0]["isTyping"] == true
    })
    .await;
    b.send(&thread, "hello yourself");

    for page in [&a, &b] {
        page.until_sent(&thread, &["hello", "hello yourself"]).await;
    }
    assert_eq!(a.settled(&hello).await["durability"], "disk");
    assert_eq!(a.rows(&thread)[0]["id"], hello.as_str(), "its React key");
    let confirmed = |one: &serde_json::Value| one["type"] == "message";
    // One's own is "sent" when it is acknowledged, and announced when its change has come.
    b.until_told("its own is confirmed", |one| {
        confirmed(one) && one["message"]["body"] == "hello yourself"
    })
    .await;
    assert_eq!(b.heard().iter().filter(|one| confirmed(one)).count(), 2);
}

#[wasm_bindgen_test]
async fn a_message_sent_while_the_gateway_is_dead_arrives_once_it_is_back() {
    let gateway = Gateway::start("killed").await;
    let (alice, bob) = (somebody("alice"), somebody("bob"));
    let thread = pair(&alice, &bob);
    let a = connected(&gateway, &alice, &thread);
    a.send(&thread, "before");
    a.until_sent(&thread, &["before"]).await;

    gateway.kill().await;
    a.until_connection("waiting").await;
    let id = a.send(&thread, "meanwhile");
    assert_eq!(a.settled(&id).await["durability"], "disk");
    pause(500).await;
    assert_eq!(a.rows(&thread)[1]["delivery"]["status"], "queued");
    gateway.start_again().await;

    a.until_sent(&thread, &["before", "meanwhile"]).await;
    let b = connected(&gateway, &bob, &thread);
    b.until_sent(&thread, &["before", "meanwhile"]).await;
    gateway.stop().await;
    a.until_connection("waiting").await;
    gateway.start_again().await;
    a.until_connection("connected").await;
    pause(300).await;
    b.until_sent(&thread, &["before", "meanwhile"]).await;
}

#[wasm_bindgen_test]
async fn a_killed_gateway_loses_nothing_of_a_burst() {
    let gateway = Gateway::start("burst").await;
    let (alice, bob) = (somebody("alice"), somebody("bob"));
    let thread = pair(&alice, &bob);
    let a = connected(&gateway, &alice, &thread);
    a.until_connection("connected").await;
    let bodies = a.send_burst(&thread).await;
    gateway.kill().await;
    gateway.start_again().await;

    let bodies: Vec<&str> = bodies.iter().map(String::as_str).collect();
    a.until_sent(&thread, &bodies).await;
    let b = connected(&gateway, &bob, &thread);
    b.until_sent(&thread, &bodies).await;
}

#[wasm_bindgen_test]
async fn what_an_earlier_page_left_behind_is_sent_in_order() {
    let gateway = Gateway::start("left").await;
    let (alice, bob) = (somebody("alice"), somebody("bob"));
    let thread = pair(&alice, &bob);
    let offline = Page::open(&gateway.url, &alice);
    for body in ["one", "two", "three"] {
        let id = offline.send(&thread, body);
        offline.settled(&id).await;
    }
    drop(offline);

    // Nobody opens the thread: the outbox alone must bring it about.
    let page = Page::open(&gateway.url, &alice);
    page.core().connect().unwrap();
    let b = connected(&gateway, &bob, &thread);
    b.until_sent(&thread, &["one", "two", "three"]).await;
    // Acknowledged is not yet confirmed: only that comes with the write to the cache.
    page.until_told("the last is confirmed", |one| {
        one["type"] == "message" && one["message"]["body"] == "three"
    })
    .await;
    assert_eq!(page.connection()["queueLength"].as_f64(), Some(0.0));
    drop(page);

    let cached = Page::open(&gateway.url, &alice);
    cached.open_thread(&thread);
    cached.until_sent(&thread, &["one", "two", "three"]).await;
}

#[wasm_bindgen_test]
async fn a_cut_connection_comes_back_when_it_is_mended() {
    let gateway = Gateway::start("cut").await;
    let (alice, bob) = (somebody("alice"), somebody("bob"));
    let thread = pair(&alice, &bob);
    let (a, b) = (
        connected(&gateway, &alice, &thread),
        connected(&gateway, &bob, &thread),
    );
    a.until_connection("connected").await;
    a.core().cut(true.into()).unwrap();
    let waiting = a.until_connection("waiting").await;
    assert_eq!(waiting["reason"], "unreachable");
    a.send(&thread, "from the dark");
    let attempts = || {
        let heard = a.heard();
        let asked = heard.iter().filter(|one| one["type"] == "tokenWanted");
        asked.count()
    };
    let before = attempts();
    for _ in 0..12 {
        // Does not wait for the backoff.
        a.core().connect().unwrap();
        pause(100).await;
        assert_ne!(a.connection()["state"], "connected");
    }
    assert!(attempts() > before, "nothing was tried");
    assert!(b.rows(&thread).is_empty());

    a.core().cut(false.into()).unwrap();
    b.until_sent(&thread, &["from the dark"]).await;
    a.until_sent(&thread, &["from the dark"]).await;
}

#[wasm_bindgen_test]
async fn a_token_of_another_user_is_refused_and_the_queue_kept() {
    let gateway = Gateway::start("wrong").await;
    let (alice, bob) = (somebody("alice"), somebody("bob"));
    let thread = pair(&alice, &bob);
    let token = format!("dev:{bob}");
    let page = Page::open_with_token(&gateway.url, &alice, &token);
    page.send(&thread, "never on a connection of bob's");
    page.core().connect().unwrap();
    page.until_connection("wrong-user").await;
    assert_eq!(page.connection()["queueLength"].as_f64(), Some(1.0));
    let b = connected(&gateway, &bob, &thread);
    b.until_connection("connected").await;
    pause(300).await;
    assert!(b.rows(&thread).is_empty());
}
