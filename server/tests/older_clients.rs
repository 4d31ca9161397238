//! A gateway of today serves the clients of yesterday: what each said then is said again on a real
//! socket, and what it heard then it must hear again.
//!
//! `tests/recording.rs` of the client writes the recordings, one for each version.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod client;

use std::collections::HashMap;

use client::{Client, Gateway};
use serde_json::Value;

const RECORDINGS: [(&str, &str); 1] = [("0.1.0", include_str!("older_clients/0.1.0.jsonl"))];

/// What is another at each start; of what kind it is must stay.
const VARIES: [&str; 7] = [
    "expires_at",
    "joined_at",
    "last_seen_at",
    "sent_at",
    "server_msg_id",
    "server_time",
    "session_id",
];

/// Whether a client that understands what was recorded understands what is said today: everything
/// that it knew is there and means the same. It skips what it does not know.
fn fits(name: &str, recorded: &Value, today: &Value) -> bool {
    match (recorded, today) {
        (Value::Object(recorded), Value::Object(today)) => recorded.iter().all(|(name, value)| {
            today
                .get(name)
                .is_some_and(|today| fits(name, value, today))
        }),
        (Value::Array(recorded), Value::Array(today)) => {
            let mut pairs = recorded.iter().zip(today);
            recorded.len() == today.len() && pairs.all(|(one, other)| fits(name, one, other))
        }
        (recorded, today) if VARIES.contains(&name) => {
            std::mem::discriminant(recorded) == std::mem::discriminant(today)
        }
        (recorded, today) => recorded == today,
    }
}

/// One socket, and what was heard on it and not yet wanted.
struct Socket {
    client: Client,
    heard: Vec<Value>,
}

impl Socket {
    /// Waits for a frame that fits; frames about different things may change places.
    async fn hear(&mut self, version: &str, recorded: &Value) {
        loop {
            let fitting = |today: &Value| fits("", recorded, today);
            if let Some(place) = self.heard.iter().position(fitting) {
                self.heard.remove(place);
                return;
            }
            let next = self.client.next().await;
            let text = next.unwrap_or_else(|code| {
                panic!(
                    "{version}: closed with {code} before {recorded}; heard {:#?}",
                    self.heard
                )
            });
            self.heard.push(serde_json::from_str(&text).unwrap());
        }
    }
}

#[tokio::test]
async fn what_older_clients_say_is_understood_and_answered_as_they_understand() {
    for (version, recording) in RECORDINGS {
        let gateway = Gateway::set(|settings| settings.config.messages_burst = 1_000).await;
        let mut sockets = HashMap::new();
        let mut heard = 0;
        for line in recording.lines() {
            let line: Value = serde_json::from_str(line).unwrap();
            let number = line["socket"].as_u64().unwrap();
            if line["opens"] == true {
                let client = gateway.open().await;
                let heard = Vec::new();
                sockets.insert(number, Socket { client, heard });
            } else if line["closes"] == true {
                sockets.remove(&number);
            } else if let Some(frame) = line.get("says") {
                let socket = sockets.get_mut(&number).unwrap();
                socket.client.say(&frame.to_string()).await;
            } else {
                let socket = sockets.get_mut(&number).unwrap();
                socket.hear(version, &line["hears"]).await;
                heard += 1;
            }
        }
        assert!(heard > 100, "{version}: {heard}");
    }
}

#[test]
fn what_would_break_an_older_client_is_noticed() {
    let recorded =
        serde_json::json!({"type": "ack", "sequence_number": 1, "sent_at": 5, "of": [{"a": 1}]});
    let today = |change: fn(&mut Value)| {
        let mut today = recorded.clone();
        change(&mut today);
        fits("", &recorded, &today)
    };
    assert!(today(|_| {}));
    assert!(today(|frame| frame["sent_at"] = 6.into()));
    assert!(today(|frame| frame["new"] = true.into()));
    assert!(today(|frame| frame["of"][0]["new"] = true.into()));
    assert!(!today(|frame| frame["sequence_number"] = 2.into()));
    assert!(!today(|frame| frame["sent_at"] = "6".into()));
    assert!(!today(|frame| drop(
        frame.as_object_mut().unwrap().remove("sent_at")
    )));
    assert!(!today(|frame| frame["of"] = Value::Array(Vec::new())));
    assert!(!today(|frame| frame["type"] = "acknowledged".into()));
}
