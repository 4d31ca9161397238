//! Whose signature opens a connection: the forged set, on a real socket.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod client;
mod issuer;

use issuer::{ALICE, BOB, Key, LEGACY_SECRET, Project, base64url, header, now_s};
use serde_json::{Value, json};

#[tokio::test]
async fn users_of_the_project_come_in_by_whichever_of_its_keys_signed() {
    let project = Project::start().await;
    let claims = project.claims();
    let with = |claim, value| project.issuer.with(claim, value);
    let es256 = header("ES256", "ec");
    let mut elsewhere = es256.clone();
    elsewhere["jku"] = json!(format!("{}/keys", project.stranger.project_url()));
    elsewhere["x5u"] = elsewhere["jku"].clone();
    elsewhere["jwk"] = project.stranger_key.jwk("ec");
    let legacy = Key::secret(LEGACY_SECRET);
    let plain = json!({"alg": "HS256", "typ": "JWT"});
    for (name, token) in [
        ("ES256", project.ec.token(&es256, &claims)),
        ("RS256", project.rsa.token(&header("RS256", "rsa"), &claims)),
        ("the legacy secret", legacy.token(&plain, &claims)),
        (
            "the legacy secret with a name",
            legacy.token(&header("HS256", "x"), &claims),
        ),
        (
            "a header that names other keys",
            project.ec.token(&elsewhere, &claims),
        ),
        (
            "expired 10 s ago",
            project.ec.token(&es256, &with("exp", json!(now_s() - 10))),
        ),
        (
            "valid in 10 s",
            project.ec.token(&es256, &with("nbf", json!(now_s() + 10))),
        ),
        (
            "several audiences",
            project
                .ec
                .token(&es256, &with("aud", json!(["x", "authenticated"]))),
        ),
        (
            "an anonymous user, where none is refused",
            project.ec.token(&es256, &with("is_anonymous", json!(true))),
        ),
    ] {
        assert_eq!(project.knock(&token).await, Ok(json!(ALICE)), "{name}");
    }
    assert_eq!(project.stranger.asked(), 0);
    assert_eq!(project.issuer.asked(), 1, "one fetch for everybody");
}

#[tokio::test]
async fn the_algorithm_is_that_of_our_key_whatever_the_header_says() {
    let project = Project::start().await;
    let claims = project.claims();
    let jwk = project.rsa.jwk("rsa");
    let text = |field: &str| jwk[field].as_str().unwrap().to_owned();
    let pem = format!(
        "-----BEGIN RSA PUBLIC KEY-----\n{}\n-----END RSA PUBLIC KEY-----\n",
        base64::Engine::encode(
            &base64::engine::general_purpose::STANDARD,
            project.rsa.public_bytes()
        )
    );
    let hs256 = |kid: &str, secret: &[u8]| {
        let key = Key::secret(secret);
        key.token(&header("HS256", kid), &claims)
    };
    let bare = |alg: &str| {
        let head = base64url(json!({"alg": alg, "typ": "JWT"}).to_string());
        format!("{head}.{}.", base64url(claims.to_string()))
    };
    let none_signed = project.ec.token(&header("none", "ec"), &claims);
    let ec_of = |alg: &str, kid: &str| project.ec.token(&header(alg, kid), &claims);
    let rsa_of = |alg: &str, kid: &str| project.rsa.token(&header(alg, kid), &claims);
    let legacy = Key::secret(LEGACY_SECRET);
    let rows = [
        ("no signature, none", bare("none")),
        ("no signature, None", bare("None")),
        ("no signature, NONE", bare("NONE")),
        ("no signature, ES256", bare("ES256")),
        ("no signature, HS256", bare("HS256")),
        ("a signature, none", none_signed),
        (
            "the RSA key as secret: DER",
            hs256("rsa", &project.rsa.public_bytes()),
        ),
        ("the RSA key as secret: PEM", hs256("rsa", pem.as_bytes())),
        (
            "the RSA key as secret: n",
            hs256("rsa", text("n").as_bytes()),
        ),
        (
            "the RSA key as secret: JWK",
            hs256("rsa", jwk.to_string().as_bytes()),
        ),
        (
            "the EC key as secret: point",
            hs256("ec", &project.ec.public_bytes()),
        ),
        (
            "the EC key as secret: x, y",
            hs256("ec", &project.ec.public_bytes()[1..]),
        ),
        ("an empty secret", hs256("ec", b"")),
        ("a published secret", hs256("oct", b"shared")),
        (
            "an EC signature by the name of the RSA key",
            ec_of("ES256", "rsa"),
        ),
        (
            "an RSA signature by the name of the EC key",
            rsa_of("RS256", "ec"),
        ),
        ("the EC key under another algorithm", ec_of("RS256", "ec")),
        ("the RSA key under PS256", rsa_of("PS256", "rsa")),
        ("the RSA key under RS512", rsa_of("RS512", "rsa")),
        ("the EC key under ES384", ec_of("ES384", "ec")),
        ("the EC key under EdDSA", ec_of("EdDSA", "ec")),
        (
            "the secret under HS512",
            legacy.token(&header("HS512", "x"), &claims),
        ),
        (
            "the secret under ES256",
            legacy.token(&header("ES256", "ec"), &claims),
        ),
        ("a weak key", rsa_of("RS256", "weak")),
        ("a key of another curve", ec_of("ES256", "p384")),
        ("a key of another kind", ec_of("ES256", "mislabelled")),
        ("a name of two keys", ec_of("ES256", "twice")),
        (
            "an EC signature in ASN.1",
            project.ec.in_asn1().token(&header("ES256", "ec"), &claims),
        ),
    ];
    project.refuses(rows, 4100).await;
}

#[tokio::test]
async fn no_token_brings_its_own_key() {
    let project = Project::start().await;
    let claims = project.claims();
    let stranger = &project.stranger_key;
    let url = json!(format!(
        "{}/.well-known/jwks.json",
        project.stranger.project_url()
    ));
    let naming = |field: &str, value: Value| {
        let mut head = header("ES256", "ec");
        head[field] = value;
        stranger.token(&head, &claims)
    };
    let by_kid = |kid: &str| project.ec.token(&header("ES256", kid), &claims);
    let nameless = json!({"alg": "ES256", "typ": "JWT"});
    let rows = [
        (
            "another's key",
            stranger.token(&header("ES256", "ec"), &claims),
        ),
        ("jwk", naming("jwk", stranger.jwk("ec"))),
        ("jku", naming("jku", url.clone())),
        ("x5u", naming("x5u", url.clone())),
        ("x5c", naming("x5c", json!(["MIIB"]))),
        ("crit", {
            let mut head = header("ES256", "ec");
            head["crit"] = json!(["exp"]);
            project.ec.token(&head, &claims)
        }),
        ("no kid", project.ec.token(&nameless, &claims)),
        ("kid of another type", {
            let mut head = header("ES256", "ec");
            head["kid"] = json!(["ec"]);
            project.ec.token(&head, &claims)
        }),
        ("an empty kid", by_kid("")),
        ("an unknown kid", by_kid("ec2")),
        ("a kid that climbs", by_kid("../../ec")),
        ("a kid that is a URL", by_kid(url.as_str().unwrap())),
        ("a kid of 4 KiB", by_kid(&"k".repeat(4096))),
    ];
    project.refuses(rows, 4100).await;
}

#[tokio::test]
async fn what_is_not_quite_a_signed_token_is_refused() {
    let project = Project::start().await;
    let good = project.ec.token(&header("ES256", "ec"), &project.claims());
    let parts: Vec<_> = good.split('.').collect();
    let (head, claims, signature) = (parts[0], parts[1], parts[2]);
    let bob = base64url(project.issuer.claims(BOB).to_string());
    let long = {
        let mut claims = project.claims();
        claims["user_metadata"] = json!("x".repeat(6 * 1024));
        project.ec.token(&header("ES256", "ec"), &claims)
    };
    assert!(long.len() > 8 * 1024 && long.len() < 9 * 1024);
    let rows = [
        ("empty", String::new()),
        ("a dot", ".".to_owned()),
        ("two dots", "..".to_owned()),
        ("another user's claims", format!("{head}.{bob}.{signature}")),
        (
            "half a signature",
            format!("{head}.{claims}.{}", &signature[..43]),
        ),
        ("zeros", format!("{head}.{claims}.{}", base64url([0; 64]))),
        ("no signature", format!("{head}.{claims}")),
        ("a fourth part", format!("{good}.{signature}")),
        ("padding", format!("{good}==")),
        ("a space before", format!(" {good}")),
        ("Bearer", format!("Bearer {good}")),
        (
            "claims that are a list",
            project.ec.token_of(r#"{"alg":"ES256","kid":"ec"}"#, "[]"),
        ),
        (
            "claims that are no JSON",
            project.ec.token_of(r#"{"alg":"ES256","kid":"ec"}"#, "x"),
        ),
        (
            "a header that is no JSON",
            project.ec.token_of("x", &project.claims().to_string()),
        ),
        (
            "a new API key",
            "sb_publishable_0123456789_abcdefgh".to_owned(),
        ),
        (
            "a new secret API key",
            "sb_secret_0123456789abcdefghijk".to_owned(),
        ),
        ("over 8 KiB, though well signed", long),
    ];
    project.refuses(rows, 4100).await;
}
