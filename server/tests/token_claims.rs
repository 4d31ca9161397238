//! What a well-signed token must say, on a real socket.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod client;
mod issuer;

use client::{Gateway, hello};
use issuer::{ALICE, Key, LEGACY_SECRET, Project, header, now_s};
use serde_json::{Value, json};

#[tokio::test]
async fn claims_say_exactly_what_a_signed_in_user_of_this_project_says() {
    let project = Project::start().await;
    let with = |claim: &str, value: Value| {
        let claims = project.issuer.with(claim, value);
        project.ec.token(&header("ES256", "ec"), &claims)
    };
    let soon = now_s() + 3600;
    let url = project.issuer.project_url();
    let twice = project.claims().to_string();
    let twice = twice.replace(r#""role":"#, r#""role":"service_role","role":"#);
    let rows = [
        ("exp as a string", with("exp", json!(soon.to_string()))),
        (
            "exp as a huge string",
            with("exp", json!("99999999999999999999")),
        ),
        ("exp as a float", with("exp", json!(1.0e10))),
        (
            "exp with a fraction",
            with("exp", json!(now_s() as f64 + 60.5)),
        ),
        ("a negative exp", with("exp", json!(-1))),
        ("exp of 2^70", with("exp", json!(2_f64.powi(70)))),
        ("exp of 2^64 - 1", with("exp", json!(u64::MAX))),
        ("exp as a list", with("exp", json!([soon]))),
        ("exp as true", with("exp", json!(true))),
        ("no exp", with("exp", Value::Null)),
        ("nbf as a string", with("nbf", json!("0"))),
        ("nbf as a float", with("nbf", json!(0.5))),
        ("a negative nbf", with("nbf", json!(-1))),
        ("nbf in a minute", with("nbf", json!(now_s() + 60))),
        (
            "another issuer",
            with("iss", json!("https://other.supabase.co/auth/v1")),
        ),
        (
            "an issuer with a slash more",
            with("iss", json!(format!("{url}/auth/v1/"))),
        ),
        ("the project as issuer", with("iss", json!(url))),
        (
            "a list of issuers",
            with("iss", json!([format!("{url}/auth/v1")])),
        ),
        ("no issuer", with("iss", Value::Null)),
        ("another audience", with("aud", json!("anon"))),
        ("other audiences", with("aud", json!(["a", "b"]))),
        ("no audience", with("aud", Value::Null)),
        ("role anon", with("role", json!("anon"))),
        ("role service_role", with("role", json!("service_role"))),
        ("role supabase_admin", with("role", json!("supabase_admin"))),
        ("no role", with("role", Value::Null)),
        ("a list of roles", with("role", json!(["authenticated"]))),
        (
            "two roles",
            project.ec.token_of(r#"{"alg":"ES256","kid":"ec"}"#, &twice),
        ),
        ("no subject", with("sub", Value::Null)),
        ("an empty subject", with("sub", json!(""))),
        ("a subject that is no UUID", with("sub", json!("alice"))),
        (
            "a subject in upper case",
            with("sub", json!(ALICE.to_uppercase())),
        ),
        (
            "a subject in braces",
            with("sub", json!(format!("{{{ALICE}}}"))),
        ),
        ("a number as subject", with("sub", json!(7))),
    ];
    project.refuses(rows, 4100).await;
}

#[tokio::test]
async fn the_projects_own_api_keys_are_nobody() {
    let project = Project::start().await;
    let legacy = Key::secret(LEGACY_SECRET);
    let plain = json!({"alg": "HS256", "typ": "JWT"});
    // As the project's settings show them.
    let api_key = |role: &str| {
        let claims = json!({"iss": "supabase", "ref": "abcdefghijklmnopqrst", "role": role,
            "iat": now_s(), "exp": now_s() + 315_360_000});
        legacy.token(&plain, &claims)
    };
    let dressed_up = |role: &str| legacy.token(&plain, &project.issuer.with("role", json!(role)));
    let rows = [
        ("the anon key", api_key("anon")),
        ("the service key", api_key("service_role")),
        ("an anon key with a user's claims", dressed_up("anon")),
        (
            "a service key with a user's claims",
            dressed_up("service_role"),
        ),
    ];
    project.refuses(rows, 4100).await;

    // Without the project's URL too: whose secret it is says whose tokens it signs.
    let mut settings = project.issuer.settings();
    settings.supabase_url = None;
    let tokens = settings.tokens().unwrap();
    let gateway = Gateway::set(|settings| settings.tokens = tokens).await;
    for (token, code) in [
        (dressed_up("authenticated"), None),
        (dressed_up("anon"), Some(4100)),
        (dressed_up("service_role"), Some(4100)),
        (api_key("anon"), Some(4100)),
        (api_key("service_role"), Some(4100)),
    ] {
        let mut client = gateway.open().await;
        client.say(&hello(&token)).await;
        match code {
            None => assert_eq!(client.hear().await["type"], "welcome"),
            Some(code) => assert_eq!(client.closed().await, code),
        }
    }
}

#[tokio::test]
async fn an_expired_token_is_told_apart_whoever_signed_it() {
    let project = Project::start().await;
    let expired = project.issuer.with("exp", json!(now_s() - 60));
    let ancient = project.issuer.with("exp", json!(0));
    let legacy = Key::secret(LEGACY_SECRET);
    let rows = [
        ("ES256", project.ec.token(&header("ES256", "ec"), &expired)),
        (
            "RS256",
            project.rsa.token(&header("RS256", "rsa"), &expired),
        ),
        ("HS256", legacy.token(&json!({"alg": "HS256"}), &expired)),
        ("1970", project.ec.token(&header("ES256", "ec"), &ancient)),
    ];
    project.refuses(rows, 4101).await;
    // What is wrong besides is worse: a newer token of the same kind would not help.
    let mut wrong = expired.clone();
    wrong["role"] = json!("anon");
    let forged = project.stranger_key.token(&header("ES256", "ec"), &expired);
    let wrong = project.ec.token(&header("ES256", "ec"), &wrong);
    let rows = [("of the wrong role", wrong), ("forged", forged)];
    project.refuses(rows, 4100).await;
}

#[tokio::test]
async fn anonymous_users_stay_out_where_they_shall() {
    let project = Project::start().await;
    let mut settings = project.issuer.settings();
    settings.refuse_anonymous = true;
    let tokens = settings.tokens().unwrap();
    let gateway = Gateway::set(|settings| settings.tokens = tokens).await;
    for (anonymous, welcome) in [(true, false), (false, true)] {
        let claims = project.issuer.with("is_anonymous", json!(anonymous));
        let token = project.ec.token(&header("ES256", "ec"), &claims);
        let mut client = gateway.open().await;
        client.say(&hello(&token)).await;
        if welcome {
            assert_eq!(client.hear().await["type"], "welcome");
        } else {
            assert_eq!(client.closed().await, 4100);
        }
    }
}
