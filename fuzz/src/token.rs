//! Whatever somebody shows as a token: only what we signed names a user, and only for as long as it
//! says and as we demand.

use futures_util::FutureExt;
use rejoinder_gateway::core::{Identity, Millis, Now, Refusal};
use rejoinder_gateway::tokens::Tokens;
use rejoinder_protocol::{Token, UnixMillis};
use ring::hmac;
use serde_json::{Value, json};

use crate::choices::Choices;
use crate::sealed::{Seal, sealed};

const SECRET: &str = "a secret that no fuzzer knows";
const NOW_S: u64 = 1_800_000_000;
const LEEWAY_S: u64 = 30;
const AUDIENCE: &str = "authenticated";
const ISSUER: &str = "https://p.supabase.co/auth/v1";

/// What is demanded of a token besides a signature.
#[derive(Clone, Copy, Debug)]
struct Demands {
    names: bool,
    supabase: bool,
    not_anonymous: bool,
}

/// Shows a token that the bytes describe.
pub fn run(data: &[u8]) {
    let mut choices = Choices::new(data);
    let demands = Demands {
        names: choices.bool(),
        supabase: choices.bool(),
        not_anonymous: choices.bool(),
    };
    if choices.one_in(3) {
        let text = choices.text(9_000);
        let shown = verify(demands, &text);
        assert_eq!(shown.err(), Some(Refusal::Invalid), "nobody signed {text}");
        return;
    }
    let header = header(&mut choices);
    let claims = claims(&mut choices);
    let secret = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    let token = sealed(&Seal::Secret(&secret), &header, &claims);
    match verify(demands, &token) {
        Ok(identity) => check(demands, &header, &claims, &identity),
        Err(refusal) => assert_ne!(refusal, Refusal::Unavailable, "nobody was asked"),
    }
    let mut forged = token.clone().into_bytes();
    let at = usize::try_from(choices.below(forged.len() as u64)).unwrap();
    forged[at] = u8::try_from(choices.below(128)).unwrap();
    let forged = String::from_utf8(forged).unwrap();
    if forged != token {
        assert!(verify(demands, &forged).is_err(), "{forged} for {token}");
    }
}

fn verify(demands: Demands, token: &str) -> Result<Identity, Refusal> {
    let mut tokens = Tokens::new().with_secret(SECRET);
    if demands.names {
        tokens = tokens.demanding(Some(AUDIENCE.to_owned()), Some(ISSUER.to_owned()));
    }
    if demands.supabase {
        tokens = tokens.demanding_supabase_users();
    }
    if demands.not_anonymous {
        tokens = tokens.refusing_anonymous();
    }
    let now = Now {
        monotonic: Millis(0),
        wall: UnixMillis::try_from(NOW_S * 1_000).unwrap(),
    };
    let verified = tokens
        .verify(now, &Token::new(token.to_owned()))
        .now_or_never();
    verified.expect("without an issuer nobody is waited for")
}

fn header(choices: &mut Choices<'_>) -> String {
    match choices.below(6) {
        0 => choices.text(200),
        1 => {
            let algorithm = choices.of(&["none", "HS256", "HS384", "ES256", "RS256", "EdDSA"]);
            json!({"alg": algorithm, "kid": choices.text(8)}).to_string()
        }
        2 => json!({"alg": "HS256", "crit": ["exp"], "exp": 1}).to_string(),
        _ => json!({"alg": "HS256", "typ": "JWT"}).to_string(),
    }
}

fn claims(choices: &mut Choices<'_>) -> String {
    if choices.one_in(6) {
        return choices.text(600);
    }
    let mut claims = json!({
        "sub": "0b7c0000-0000-4000-8000-000000000001", "exp": NOW_S + 60, "aud": AUDIENCE,
        "role": "authenticated", "iss": ISSUER, "is_anonymous": false,
    });
    for _ in 0..choices.below(4) {
        let claim = choices.of(&["sub", "exp", "nbf", "aud", "role", "iss", "is_anonymous"]);
        claims[claim] = value(choices);
    }
    claims.to_string()
}

fn value(choices: &mut Choices<'_>) -> Value {
    match choices.below(9) {
        0 => Value::Null,
        1 => json!(choices.bool()),
        2 => json!(choices.text(20)),
        3 => json!(NOW_S - 60 + choices.below(120)),
        4 => json!(choices.below(u64::MAX)),
        5 => json!(i64::try_from(choices.number()).unwrap() - (1 << 40)),
        6 => json!(2_f64.powi(i32::try_from(choices.below(80)).unwrap()) + 0.5),
        7 => json!([choices.of(&[AUDIENCE, ISSUER, "anon"]), choices.text(8)]),
        _ => json!(choices.of(&[AUDIENCE, ISSUER, "alice", "service_role"])),
    }
}

/// What lets a token in must be in it, in the one form that counts.
fn check(demands: Demands, header: &str, claims: &str, identity: &Identity) {
    let header: Value = serde_json::from_str(header).expect("a header");
    let claims: Value = serde_json::from_str(claims).expect("claims");
    let words = format!("{demands:?} {header} {claims} {identity:?}");
    assert_eq!(header["alg"], "HS256", "{words}");
    assert!(header["crit"].is_null(), "{words}");
    assert_eq!(claims["sub"], identity.user_id.as_str(), "{words}");
    let expires_s = claims["exp"].as_u64().expect("an integer");
    let expires_at = identity.expires_at.expect("a token that ends").get();
    assert_eq!(expires_at, expires_s * 1_000, "{words}");
    assert!(expires_s + LEEWAY_S > NOW_S, "{words}");
    let begins_s = &claims["nbf"];
    let begun = begins_s.as_u64().is_some_and(|at| at <= NOW_S + LEEWAY_S);
    assert!(begins_s.is_null() || begun, "{words}");
    if demands.names {
        assert_eq!(claims["iss"], ISSUER, "{words}");
        let among = claims["aud"].as_array();
        let among = among.is_some_and(|all| all.iter().any(|one| one == AUDIENCE));
        assert!(claims["aud"] == AUDIENCE || among, "{words}");
    }
    if demands.supabase {
        assert_eq!(claims["role"], "authenticated", "{words}");
        assert_eq!(identity.user_id.as_str().len(), 36, "{words}");
    }
    if demands.not_anonymous {
        let anonymous = &claims["is_anonymous"];
        assert!(anonymous.is_null() || anonymous == false, "{words}");
    }
}
