//! Tokens that need no issuer. Those of an issuer are checked on a real socket, in `tests/tokens.rs`.

use super::*;
use crate::core::Millis;
use rejoinder_protocol::UnixMillis;

const NOW_S: u64 = 1_800_000_000;

fn now() -> Now {
    Now {
        monotonic: Millis(0),
        wall: UnixMillis::try_from(NOW_S * 1_000).unwrap(),
    }
}

fn alice() -> UserId {
    "alice".parse().unwrap()
}

#[tokio::test]
async fn a_minted_token_names_its_user_until_it_expires() {
    let tokens = Tokens::new().with_secret("secret");
    let token = tokens.mint(&alice(), NOW_S + 60).unwrap();
    let identity = tokens.verify(now(), &token).await.unwrap();
    assert_eq!(identity.user_id, alice());
    let late = tokens.mint(&alice(), NOW_S - 10).unwrap();
    let found = tokens.verify(now(), &late).await;
    assert!(found.is_ok(), "clocks differ by some seconds");
    let later = tokens.mint(&alice(), NOW_S - 60).unwrap();
    assert_eq!(tokens.verify(now(), &later).await, Err(Refusal::Expired));
    let other = Tokens::new().with_secret("another");
    assert_eq!(other.verify(now(), &token).await, Err(Refusal::Invalid));
}

#[tokio::test]
async fn names_are_tokens_only_with_dev() {
    let name = Token::new("dev:alice".to_owned());
    let dev = Tokens::new().with_dev().verify(now(), &name).await;
    assert_eq!(dev.unwrap().user_id, alice());
    let tokens = Tokens::new().with_secret("secret");
    assert_eq!(tokens.verify(now(), &name).await, Err(Refusal::Invalid));
}

#[tokio::test]
async fn a_token_over_8_kib_is_not_looked_at_and_one_of_just_that_is() {
    let tokens = Tokens::new().with_secret("secret");
    let padded = |padding: usize| {
        let padding = "x".repeat(padding);
        let claims = serde_json::json!({"sub": "alice", "exp": NOW_S + 60, "padding": padding});
        let key = EncodingKey::from_secret(b"secret");
        Token::new(encode(&Header::new(Algorithm::HS256), &claims, &key).unwrap())
    };
    let mut most = 6_000;
    while padded(most + 1).secret().len() <= TOKEN_BYTES_MAX {
        most += 1;
    }
    assert!(tokens.verify(now(), &padded(most)).await.is_ok());
    let long = tokens.verify(now(), &padded(most + 1)).await;
    assert_eq!(long, Err(Refusal::Invalid));
}

#[tokio::test]
async fn a_demanded_audience_must_be_there() {
    let demanding = |audience: &str| {
        let audience = Some(audience.to_owned());
        Tokens::new()
            .with_secret("secret")
            .demanding(audience, None)
    };
    let token = demanding("chat").mint(&alice(), NOW_S + 60).unwrap();
    assert!(demanding("chat").verify(now(), &token).await.is_ok());
    assert!(demanding("other").verify(now(), &token).await.is_err());
    let plain = Tokens::new().with_secret("secret");
    let without = plain.mint(&alice(), NOW_S + 60).unwrap();
    assert!(demanding("chat").verify(now(), &without).await.is_err());
}

#[tokio::test]
async fn a_token_for_a_project_is_one_that_its_gateway_accepts() {
    let settings = TokenSettings {
        supabase_url: Some("https://p.supabase.co".to_owned()),
        supabase_secret: Some("legacy".to_owned()),
        refuse_anonymous: true,
        ..TokenSettings::default()
    };
    let tokens = settings.tokens().unwrap();
    let user: UserId = "0b7c0000-0000-4000-8000-000000000001".parse().unwrap();
    let token = tokens.mint(&user, NOW_S + 60).unwrap();
    let identity = tokens.verify(now(), &token).await.unwrap();
    assert_eq!(identity.user_id, user);
    let refused = tokens.mint(&alice(), NOW_S + 60);
    assert_eq!(refused.unwrap_err(), MintError::NotAUuid);
    let none = Tokens::new().mint(&user, NOW_S + 60);
    assert_eq!(none.unwrap_err(), MintError::NoSecret);
}

#[test]
fn no_secret_shows_when_tokens_are_printed() {
    let tokens = Tokens::new().with_secret("the-secret");
    assert!(!format!("{tokens:?}").contains("the-secret"));
}
