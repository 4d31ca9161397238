//! What a client of today says and hears on its sockets, for gateways of later versions.
//!
//! `RECORD=0.1.0 cargo test --test recording` writes it where the gateway's tests replay it.

#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, clippy::expect_used)]
#![allow(clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::wildcard_enum_match_arm, dead_code)]

mod story;

use std::collections::BTreeSet;

use rejoinder::engine::AppInput;
use rejoinder_protocol::{Auth, Cancel, ClientFrame, ClientMsgId, Cursor, Since, Sync, Token};
use serde_json::{Value, json};
use story::thread;
use story::world::{Line, World};

/// A day on which everything is said once.
fn day() -> World {
    let mut world = World::new();
    let alice = world.join("alice", &thread());
    world.with(alice, |browser| browser.app(AppInput::WatchInbox));
    for number in 0..55 {
        world.with(alice, |browser| {
            browser.send(&thread(), &format!("line {number}"))
        });
    }
    let bob = world.join("bob", &thread());
    world.with(bob, |browser| {
        browser.app(AppInput::LoadOlder {
            thread_id: thread(),
        })
    });
    let is_typing = AppInput::SetTyping {
        thread_id: thread(),
        is_typing: true,
    };
    world.with(bob, |browser| browser.app(is_typing));
    world.with(bob, |browser| browser.send(&thread(), "hello, Alice"));
    // A reload comes back with a cursor, and with what was missed.
    let bob = world.reload(bob, &thread());
    world.with(bob, |browser| browser.send(&thread(), "and again"));
    let key = ClientMsgId::new(uuid::Uuid::from_u128(77));
    for frame in [
        ClientFrame::Cancel(Cancel {
            thread_id: thread(),
            client_msg_id: key,
        }),
        ClientFrame::Auth(Auth {
            token: Token::new("dev:alice".to_owned()),
        }),
        ClientFrame::Sync(Sync {
            thread_id: thread(),
            since: Since::Cursor(Cursor {
                epoch: "epoch-1".parse().unwrap(),
                revision: 40.try_into().unwrap(),
            }),
            to_revision: None,
        }),
        ClientFrame::Ping,
        ClientFrame::Pong,
    ] {
        world.inject(alice, &frame);
    }
    world.with(bob, |browser| {
        browser.app(AppInput::CloseThread {
            thread_id: thread(),
        });
        browser.open(&thread());
    });
    world
}

fn written(line: &Line) -> String {
    // The history that the gateway's tests have.
    let frame = |text: &str| serde_json::from_str::<Value>(&text.replace("epoch-1", "e1")).unwrap();
    let line = match line {
        Line::Closes(socket) => json!({"socket": socket, "closes": true}),
        Line::Hears(socket, text) => json!({"socket": socket, "hears": frame(text)}),
        Line::Opens(socket) => json!({"socket": socket, "opens": true}),
        Line::Says(socket, text) => json!({"socket": socket, "says": frame(text)}),
    };
    line.to_string()
}

#[test]
fn everything_that_a_client_can_say_is_recorded() {
    let lines: Vec<_> = day().recording.iter().map(written).collect();
    let said = lines.iter().filter_map(|line| {
        let line: Value = serde_json::from_str(line).unwrap();
        Some(line.get("says")?["type"].as_str()?.to_owned())
    });
    let said: BTreeSet<_> = said.collect();
    let all = [
        "auth",
        "cancel",
        "hello",
        "history",
        "inbox",
        "ping",
        "pong",
        "send",
        "subscribe",
        "sync",
        "typing",
        "unsubscribe",
    ];
    assert_eq!(said, all.map(str::to_owned).into());
    if let Ok(version) = std::env::var("RECORD") {
        let path = format!("server/tests/older_clients/{version}.jsonl");
        std::fs::write(path, lines.join("\n") + "\n").unwrap();
    }
}
