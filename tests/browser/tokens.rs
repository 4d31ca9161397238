//! Real tokens that end, at a real gateway, and a browser that several people use.

use js_sys::{Function, Promise};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use wasm_bindgen_test::*;

use crate::page::{Page, Tokens, pair, pause, somebody, texts, until};
use crate::supervisor::Gateway;

/// What the gateways of these tests verify tokens with, see `xtask/src/supervisor.rs`.
const SECRET: &str = "the secret of the browser tests";
/// A gateway takes a token for so long after its end, in seconds.
const LEEWAY_S: i32 = 30;
const HOUR_S: i32 = 3_600;

/// Signs a token (HS256) that ends in so many seconds, and says whose it is.
async fn token(user: &str, ends_in_s: i32) -> Tokens {
    let script = "return (async () => {
        const bytes = (text) => new TextEncoder().encode(text);
        const base64 = (of) => btoa(String.fromCharCode(...of))
            .replace(/\\+/g, '-').replace(/\\//g, '_').replace(/=/g, '');
        const json = (value) => base64(bytes(JSON.stringify(value)));
        const exp = Math.floor(Date.now() / 1000) + seconds;
        const body = json({ alg: 'HS256', typ: 'JWT' }) + '.' + json({ sub: user, exp });
        const algorithm = { name: 'HMAC', hash: 'SHA-256' };
        const key = await crypto.subtle.importKey('raw', bytes(secret), algorithm, false, ['sign']);
        const tag = await crypto.subtle.sign('HMAC', key, bytes(body));
        return body + '.' + base64(new Uint8Array(tag));
    })()";
    let signed: Promise = Function::new_with_args("user, seconds, secret", script)
        .call3(
            &JsValue::UNDEFINED,
            &user.into(),
            &ends_in_s.into(),
            &SECRET.into(),
        )
        .unwrap()
        .unchecked_into();
    let signed = JsFuture::from(signed).await.unwrap();
    Tokens::Bring(signed.as_string().unwrap(), Some(user.to_owned()))
}

/// Opens a page that shows a thread and connects.
fn connected(gateway: &Gateway, user: &str, thread: &str, tokens: Tokens) -> Page {
    let page = Page::open_with_tokens(&gateway.url, user, tokens);
    page.open_thread(thread);
    page.core().connect().unwrap();
    page
}

/// Every state of the connection that was told.
fn states(page: &Page) -> Vec<String> {
    let heard = page.heard();
    let told = heard.iter().filter(|one| one["type"] == "connection");
    told.map(|one| one["state"].as_str().unwrap().to_owned())
        .collect()
}

#[wasm_bindgen_test]
async fn a_connection_outlives_its_token() {
    let gateway = Gateway::start("outlives").await;
    let (alice, bob) = (somebody("alice"), somebody("bob"));
    let thread = pair(&alice, &bob);
    // The gateway would end it in 13 s; no token is replaced before ten.
    let page = connected(
        &gateway,
        &alice,
        &thread,
        token(&alice, 13 - LEEWAY_S).await,
    );
    page.until_connection("connected").await;
    page.set_tokens(token(&alice, HOUR_S).await);
    until("it is asked for another", || {
        (page.asked() == [1, 1]).then_some(())
    })
    .await;
    pause(5_000).await;
    page.send(&thread, "still here");
    page.until_sent(&thread, &["still here"]).await;
    assert_eq!(page.asked(), [1, 1], "on one connection");
    assert!(!states(&page).iter().any(|state| state == "waiting"));
}

#[wasm_bindgen_test]
async fn a_text_that_ends_asks_for_a_sign_in_and_the_queue_leaves_after_it() {
    let gateway = Gateway::start("text").await;
    let (alice, bob) = (somebody("alice"), somebody("bob"));
    let thread = pair(&alice, &bob);
    let page = connected(&gateway, &alice, &thread, token(&alice, 3 - LEEWAY_S).await);
    page.until_connection("connected").await;
    let ended = page.until_connection("auth-required").await;
    assert_eq!(ended["reason"], "token-expired");
    assert_eq!(ended["closeCode"].as_f64(), Some(4101.0));
    for body in ["one", "two"] {
        let id = page.send(&thread, body);
        assert_eq!(page.settled(&id).await["durability"], "disk");
    }
    let asked = page.asked();
    pause(3_000).await;
    assert_eq!(page.asked(), asked, "nobody is asked any more");
    assert_eq!(page.connection()["queueLength"].as_f64(), Some(2.0));

    page.set_tokens(token(&alice, HOUR_S).await);
    page.core().connect().unwrap();
    page.until_sent(&thread, &["one", "two"]).await;
}

#[wasm_bindgen_test]
async fn an_expired_session_shows_its_user_what_is_theirs_and_sends_after_the_sign_in() {
    let gateway = Gateway::start("expired").await;
    let (alice, bob) = (somebody("alice"), somebody("bob"));
    let thread = pair(&alice, &bob);
    let page = connected(&gateway, &alice, &thread, token(&alice, HOUR_S).await);
    page.until_live().await;
    page.send(&thread, "cached");
    page.until_told("it is confirmed", |one| one["type"] == "message")
        .await;
    drop(page);

    let expired = token(&alice, -HOUR_S).await;
    gateway.kill().await;
    for tokens in [Tokens::Fail, Tokens::Hang, expired.clone()] {
        let page = connected(&gateway, &alice, &thread, tokens);
        page.until_sent(&thread, &["cached"]).await;
    }
    gateway.start_again().await;
    let page = connected(&gateway, &alice, &thread, expired);
    let id = page.send(&thread, "later");
    assert_eq!(page.settled(&id).await["durability"], "disk");
    let refused = page.until_connection("auth-required").await;
    assert_eq!(refused["reason"], "token-expired");
    assert_eq!(page.asked(), [1, 2], "it was asked anew, once");
    assert_eq!(texts(&page.rows(&thread)), ["cached", "later"]);
    assert_eq!(page.rows(&thread)[1]["delivery"]["status"], "queued");

    page.set_tokens(token(&alice, HOUR_S).await);
    page.core().connect().unwrap();
    page.until_sent(&thread, &["cached", "later"]).await;
}

#[wasm_bindgen_test]
async fn what_one_user_left_waiting_leaves_when_they_are_back_and_never_as_another() {
    let gateway = Gateway::start("turns").await;
    let (alice, bob) = (somebody("alice"), somebody("bob"));
    let thread = pair(&alice, &bob);
    let page = connected(&gateway, &alice, &thread, Tokens::Hang);
    for body in ["one", "two", "three"] {
        let id = page.send(&thread, body);
        page.settled(&id).await;
    }
    // Her token function is still being asked.
    assert_eq!(page.asked(), [1]);
    drop(page);

    let page = connected(&gateway, &bob, &thread, token(&bob, HOUR_S).await);
    page.send(&thread, "from bob");
    page.until_sent(&thread, &["from bob"]).await;
    assert_eq!(page.connection()["queueLength"].as_f64(), Some(0.0));
    pause(500).await;
    assert_eq!(texts(&page.rows(&thread)), ["from bob"]);
    drop(page);

    let page = connected(&gateway, &alice, &thread, token(&alice, HOUR_S).await);
    page.until_sent(&thread, &["from bob", "one", "two", "three"])
        .await;
    let senders: Vec<_> = page
        .rows(&thread)
        .iter()
        .map(|row| row["senderId"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(senders, [bob, alice.clone(), alice.clone(), alice]);
}

#[wasm_bindgen_test]
async fn the_next_users_token_is_not_given_for_the_connection_that_lives() {
    let gateway = Gateway::start("next").await;
    let (alice, bob) = (somebody("alice"), somebody("bob"));
    let thread = pair(&alice, &bob);
    let page = connected(
        &gateway,
        &alice,
        &thread,
        token(&alice, 20 - LEEWAY_S).await,
    );
    page.until_connection("connected").await;
    page.set_tokens(token(&bob, HOUR_S).await);
    page.until_connection("wrong-user").await;
    assert_eq!(page.asked(), [1, 1]);
    let id = page.send(&thread, "alice's");
    assert_eq!(page.settled(&id).await["durability"], "disk");
    pause(500).await;
    assert_eq!(page.rows(&thread)[0]["delivery"]["status"], "queued");

    page.set_tokens(token(&alice, HOUR_S).await);
    page.core().connect().unwrap();
    page.until_sent(&thread, &["alice's"]).await;
}
