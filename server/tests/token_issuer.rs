//! How an issuer's keys are fetched, and what happens when it is in trouble.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod client;
mod issuer;

use std::time::Duration;

use client::{Gateway, hello};
use issuer::{ALICE, Answer, Issuer, Key, Project, header};
use rejoinder_gateway::core::{Millis, Now, Refusal};
use rejoinder_gateway::tokens::TokenSettings;
use rejoinder_protocol::Token;
use serde_json::json;

#[tokio::test]
async fn a_thousand_unknown_keys_cost_the_issuer_one_question_and_nobody_a_wait() {
    let project = Project::start().await;
    let good = project.ec.token(&header("ES256", "ec"), &project.claims());
    assert_eq!(project.knock(&good).await, Ok(json!(ALICE)));
    let start = std::time::Instant::now();
    for number in 0..1_000 {
        let head = header("ES256", &format!("unknown-{number}"));
        let token = project.ec.token(&head, &project.claims());
        assert_eq!(project.knock(&token).await, Err(4100));
    }
    let minutes = 1 + start.elapsed().as_secs() as usize / 60;
    let asked = project.issuer.asked();
    assert!(
        asked <= 1 + 2 * minutes,
        "asked {asked} times in {minutes} min"
    );
    assert_eq!(project.knock(&good).await, Ok(json!(ALICE)));
}

#[tokio::test]
async fn a_hundred_who_come_at_once_share_one_question() {
    let ec = Key::ec();
    let keys = vec![ec.jwk("ec")];
    let late = Answer::Late(Duration::from_millis(500), keys);
    let issuer = Issuer::start(late).await;
    let tokens = issuer.tokens();
    let gateway = Gateway::set(|settings| {
        settings.tokens = tokens;
        settings.config.user_connections = 100;
    })
    .await;
    let token = ec.token(&header("ES256", "ec"), &issuer.claims(ALICE));
    let mut clients = Vec::new();
    for _ in 0..100 {
        let mut client = gateway.open().await;
        client.say(&hello(&token)).await;
        clients.push(client);
    }
    for client in &mut clients {
        assert_eq!(client.hear().await["type"], "welcome");
    }
    assert_eq!(issuer.asked(), 1);
}

/// What may come instead of keys. Where it can, it holds the good key all the same.
fn troubles(ec: &Key) -> Vec<(&'static str, Answer)> {
    let good = json!({"keys": [ec.jwk("ec")]}).to_string();
    let keys = |text: &str| Answer::Text(200, text.to_owned());
    vec![
        ("500", Answer::Text(500, good.clone())),
        ("404", Answer::Text(404, good.clone())),
        ("a redirect", Answer::Text(302, good.clone())),
        (
            "HTML",
            keys("<!doctype html><title>Sign in to the Wi-Fi</title>"),
        ),
        ("nothing", keys("")),
        ("another document", keys(r#"{"issuer":"x"}"#)),
        ("10 MiB", keys(&(" ".repeat(10 * 1024 * 1024) + &good))),
        ("half an answer", Answer::BrokenOff),
        ("no keys", Answer::Keys(Vec::new())),
        (
            "a secret alone",
            Answer::Keys(vec![Key::secret("s").jwk("ec")]),
        ),
        (
            "a name twice",
            Answer::Keys(vec![Key::ec().jwk("ec"), Key::ec().jwk("ec")]),
        ),
        ("silence", Answer::Never),
    ]
}

#[tokio::test]
async fn a_gateway_whose_issuer_is_in_trouble_sends_nobody_for_a_new_token() {
    let ec = Key::ec();
    for (name, answer) in troubles(&ec) {
        let issuer = Issuer::start(answer).await;
        let tokens = issuer.tokens();
        let gateway = Gateway::set(|settings| settings.tokens = tokens).await;
        let token = ec.token(&header("ES256", "ec"), &issuer.claims(ALICE));
        for _ in 0..3 {
            let mut client = gateway.open().await;
            client.say(&hello(&token)).await;
            // Nothing is read before the token is looked at, or this would end it with 4500.
            client.say(r#"{"type":"ping"}"#).await;
            let goodbye = client.hear().await;
            assert_eq!(
                (&goodbye["type"], &goodbye["code"]),
                (&json!("goodbye"), &json!(4005)),
                "{name}"
            );
            assert!(
                goodbye["retry_after_ms"].as_u64().unwrap() >= 5_000,
                "{name}"
            );
            assert_eq!(client.next().await, Err(4005), "{name}");
        }
        // What needs no issuer goes on.
        let legacy = Key::secret(issuer::LEGACY_SECRET);
        let token = legacy.token(&json!({"alg": "HS256"}), &issuer.claims(ALICE));
        let mut client = gateway.open().await;
        client.say(&hello(&token)).await;
        assert_eq!(client.hear().await["type"], "welcome", "{name}");
        assert!(
            issuer.asked() <= 2,
            "{name}: asked {} times",
            issuer.asked()
        );
    }
}

#[tokio::test]
async fn a_refresh_that_cannot_be_checked_keeps_the_connection() {
    let issuer = Issuer::start(Answer::Text(500, String::new())).await;
    let tokens = issuer.tokens();
    let gateway = Gateway::set(|settings| settings.tokens = tokens).await;
    let legacy = Key::secret(issuer::LEGACY_SECRET);
    let plain = json!({"alg": "HS256"});
    let auth = |token: String| json!({"type": "auth", "token": token}).to_string();
    let join = async || {
        let token = legacy.token(&plain, &issuer.claims(ALICE));
        let mut client = gateway.open().await;
        client.say(&hello(&token)).await;
        assert_eq!(client.hear().await["type"], "welcome");
        client
    };
    let mut alice = join().await;
    let unknown = Key::ec().token(&header("ES256", "ec"), &issuer.claims(ALICE));
    alice.say(&auth(unknown)).await;
    let error = alice.hear().await;
    assert_eq!(error["code"], "busy");
    assert_eq!(error["ref"], json!({"type": "auth"}));
    assert!(error["retry_after_ms"].as_u64().unwrap() > 0);
    let expires_at_s = issuer::now_s() + 7200;
    let later = legacy.token(&plain, &issuer.with("exp", json!(expires_at_s)));
    alice.say(&auth(later)).await;
    let authenticated = alice.hear().await;
    assert_eq!(authenticated["type"], "authenticated");
    assert_eq!(authenticated["expires_at"], expires_at_s * 1_000);

    let expired = legacy.token(&plain, &issuer.with("exp", json!(issuer::now_s() - 60)));
    let bob = legacy.token(&plain, &issuer.claims(issuer::BOB));
    let anon = legacy.token(&plain, &issuer.with("role", json!("anon")));
    for (token, code) in [(bob, 4502), (expired, 4101), (anon, 4100)] {
        let mut alice = join().await;
        alice.say(&auth(token)).await;
        assert_eq!(alice.closed().await, code);
    }
}

/// Both clocks, `minutes` after the first moment of a test.
fn after(minutes: u64) -> Now {
    let now_ms = issuer::now_s() * 1_000;
    Now {
        monotonic: Millis(1_000_000 + minutes * 60_000),
        wall: now_ms.try_into().unwrap(),
    }
}

#[tokio::test]
async fn a_new_key_counts_at_once_and_a_withdrawn_one_for_ten_minutes() {
    let (old, new) = (Key::ec(), Key::rsa());
    let issuer = Issuer::start(Answer::Keys(vec![old.jwk("old")])).await;
    let tokens = issuer.tokens();
    let of_old = Token::new(old.token(&header("ES256", "old"), &issuer.claims(ALICE)));
    let of_new = Token::new(new.token(&header("RS256", "new"), &issuer.claims(ALICE)));
    assert!(tokens.verify(after(0), &of_old).await.is_ok());
    issuer.answers(Answer::Keys(vec![new.jwk("new"), old.jwk("old")]));
    assert!(tokens.verify(after(1), &of_new).await.is_ok());
    assert!(tokens.verify(after(1), &of_old).await.is_ok());
    assert_eq!(issuer.asked(), 2);
    issuer.answers(Answer::Keys(vec![new.jwk("new")]));
    assert!(tokens.verify(after(10), &of_old).await.is_ok());
    assert_eq!(issuer.asked(), 2);
    let withdrawn = tokens.verify(after(11), &of_old).await;
    assert_eq!(withdrawn, Err(Refusal::Invalid));
    assert!(tokens.verify(after(11), &of_new).await.is_ok());
    assert_eq!(issuer.asked(), 3);
    // Under the same name, too.
    let replaced = Key::ec();
    issuer.answers(Answer::Keys(vec![replaced.jwk("new")]));
    let of_replaced = Token::new(replaced.token(&header("ES256", "new"), &issuer.claims(ALICE)));
    assert!(tokens.verify(after(21), &of_replaced).await.is_ok());
    let withdrawn = tokens.verify(after(21), &of_new).await;
    assert_eq!(withdrawn, Err(Refusal::Invalid));
}

#[tokio::test]
async fn an_issuer_in_trouble_locks_nobody_out_for_an_hour_and_then_everybody() {
    let ec = Key::ec();
    for (name, trouble) in troubles(&ec) {
        let issuer = Issuer::start(Answer::Keys(vec![ec.jwk("ec")])).await;
        let tokens = issuer.tokens();
        let token = Token::new(ec.token(&header("ES256", "ec"), &issuer.claims(ALICE)));
        assert!(tokens.verify(after(0), &token).await.is_ok());
        issuer.answers(trouble);
        for minutes in [11, 59] {
            let found = tokens.verify(after(minutes), &token).await;
            assert!(found.is_ok(), "{name} after {minutes} min");
        }
        let found = tokens.verify(after(61), &token).await;
        assert_eq!(found, Err(Refusal::Unavailable), "{name}");
        issuer.answers(Answer::Keys(vec![ec.jwk("ec")]));
        // Whoever was being asked must give up first.
        let silent = name == "silence";
        let patience = Duration::from_secs(if silent { 3 } else { 0 });
        tokio::time::sleep(patience).await;
        let found = tokens.verify(after(62), &token).await;
        assert!(found.is_ok(), "{name}: it is well again");
        assert!(
            issuer.asked() <= 5,
            "{name}: asked {} times",
            issuer.asked()
        );
    }
}

#[tokio::test]
async fn an_issuer_that_is_not_there_or_speaks_no_tls_is_in_trouble_too() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = listener.local_addr().unwrap();
    drop(listener);
    let plain = Issuer::start(Answer::Keys(Vec::new())).await;
    for url in [
        format!("http://{nobody}"),
        plain.project_url().replace("http://", "https://"),
    ] {
        let settings = TokenSettings {
            supabase_url: Some(url.clone()),
            ..TokenSettings::default()
        };
        let tokens = settings.tokens().unwrap();
        let token = Key::ec().token(&header("ES256", "ec"), &plain.claims(ALICE));
        let found = tokens.verify(after(0), &Token::new(token)).await;
        assert_eq!(found, Err(Refusal::Unavailable), "{url}");
    }
    assert_eq!(plain.asked(), 0);
}
