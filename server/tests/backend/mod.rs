//! A gateway with an admin key, and a thread that its back end has made.

#![allow(clippy::unwrap_used, dead_code, unreachable_pub, missing_docs)]

use rejoinder_gateway::shell::AdminKey;
use rejoinder_gateway::tokens::TokenSettings;
use serde_json::json;

use crate::client::{self, Client, Gateway, Http};
use crate::issuer::LEGACY_SECRET;

pub const ADMIN: &str = "an-admin-key-of-more-than-32-characters";
/// Alice and Bob take part in it, Carol did.
pub const T: &str = "t1";

/// Names are tokens; the project's secret is known too, so that its API keys are well signed.
pub async fn gateway() -> Gateway {
    let tokens = TokenSettings {
        dev: true,
        supabase_secret: Some(LEGACY_SECRET.to_owned()),
        ..TokenSettings::default()
    };
    let gateway = Gateway::set(|settings| {
        settings.tokens = tokens.tokens().unwrap();
        settings.admin_key = Some(AdminKey::new(ADMIN).unwrap());
    })
    .await;
    let thread = json!({"thread_id": T, "participants": ["bob", "alice"]}).to_string();
    let made = gateway
        .ask("POST /v1/threads", Some(ADMIN), "", &thread)
        .await;
    assert_eq!((made.status, made.json()), (200, json!({"thread_id": T})));
    for method in ["PUT", "DELETE"] {
        let what = format!("{method} /v1/threads/{T}/participants/carol");
        let done = gateway.ask(&what, Some(ADMIN), "", "").await;
        assert_eq!((done.status, done.text.as_str()), (204, ""));
    }
    gateway
}

pub async fn get(gateway: &Gateway, path: &str, token: &str) -> Http {
    let what = format!("GET /v1{path}");
    gateway.ask(&what, Some(token), "", "").await
}

pub async fn live(gateway: &Gateway, user: &str) -> Client {
    let mut client = gateway.join(user).await;
    client.say(&client::subscribe(T)).await;
    client.hear_of("live").await;
    client
}
