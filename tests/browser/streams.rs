//! Behind a proxy that answers a request for a WebSocket with a page of its own.

use wasm_bindgen_test::*;

use crate::page::{Page, pair, somebody};
use crate::supervisor::Gateway;

/// Somebody behind the proxy, connected.
async fn behind(proxy: &str, user: &str, thread: &str) -> Page {
    let page = Page::open(proxy, user);
    page.open_thread(thread);
    page.core().connect().unwrap();
    let connected = page.until_connection("connected").await;
    assert_eq!(connected["transport"], "sse");
    page
}

#[wasm_bindgen_test]
async fn a_proxy_that_refuses_upgrades_changes_nothing_but_the_transport() {
    let gateway = Gateway::start("proxied").await;
    let proxy = gateway.proxy().await;
    let (alice, bob) = (somebody("alice"), somebody("bob"));
    let thread = pair(&alice, &bob);
    let a = behind(&proxy, &alice, &thread).await;
    let b = Page::open(&gateway.url, &bob);
    b.open_thread(&thread);
    b.core().connect().unwrap();
    assert_eq!(
        b.until_connection("connected").await["transport"],
        "websocket"
    );
    for page in [&a, &b] {
        page.until_live().await;
    }

    let hello = a.send(&thread, "by a request");
    assert_eq!(a.settled(&hello).await["durability"], "disk");
    b.until_sent(&thread, &["by a request"]).await;
    b.core()
        .set_typing(thread.as_str().into(), true.into())
        .unwrap();
    a.until_told("bob is typing and online", |one| {
        let partner = &one["meta"]["partners"][0];
        partner["isTyping"] == true && partner["presence"] == "online"
    })
    .await;
    b.send(&thread, "by a socket");
    for page in [&a, &b] {
        page.until_sent(&thread, &["by a request", "by a socket"])
            .await;
    }
    a.core()
        .set_typing(thread.as_str().into(), true.into())
        .unwrap();
    b.until_told("alice is typing and online", |one| {
        let partner = &one["meta"]["partners"][0];
        partner["isTyping"] == true && partner["presence"] == "online"
    })
    .await;

    // A thread that is opened later: a stream that follows is subscribed to both.
    let carol = somebody("carol");
    let other = pair(&alice, &carol);
    a.open_thread(&other);
    let c = behind(&proxy, &carol, &other).await;
    c.send(&other, "from carol");
    a.until_sent(&other, &["from carol"]).await;
    b.send(&thread, "and still here");
    let all = ["by a request", "by a socket", "and still here"];
    a.until_sent(&thread, &all).await;
    let heard = a.heard();
    let states = heard.iter().filter(|one| one["type"] == "connection");
    let mut since = states.skip_while(|one| one["state"] != "connected");
    assert!(since.all(|one| one["transport"] == "sse"), "no gap");
}

#[wasm_bindgen_test]
async fn a_killed_gateway_behind_a_proxy_loses_nothing() {
    let gateway = Gateway::start("proxied-killed").await;
    let proxy = gateway.proxy().await;
    let (alice, bob) = (somebody("alice"), somebody("bob"));
    let thread = pair(&alice, &bob);
    let a = behind(&proxy, &alice, &thread).await;
    let bodies = a.send_burst(&thread).await;
    gateway.kill().await;
    a.until_connection("waiting").await;
    a.send(&thread, "meanwhile");
    gateway.start_again().await;

    let mut bodies: Vec<&str> = bodies.iter().map(String::as_str).collect();
    bodies.push("meanwhile");
    a.until_sent(&thread, &bodies).await;
    let b = behind(&proxy, &bob, &thread).await;
    b.until_sent(&thread, &bodies).await;
}
