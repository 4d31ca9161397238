//! An issuer of tokens on this machine: it publishes its keys as Supabase does, as well as a test
//! wants, and signs whatever a test wants with real keys.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(
    clippy::indexing_slicing,
    dead_code,
    unreachable_pub,
    unused_imports,
    missing_docs
)]

mod project;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rejoinder_gateway::tokens::{TokenSettings, Tokens};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair,
    EcdsaSigningAlgorithm, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
};
use serde_json::{Value, json};
use tokio::net::TcpListener;

pub use project::Project;

/// The user of most tokens.
pub const ALICE: &str = "0b7c0000-0000-4000-8000-00000000000a";
pub const BOB: &str = "0b7c0000-0000-4000-8000-00000000000b";
/// The secret that the project signed with before it had keys, and still signs its API keys with.
pub const LEGACY_SECRET: &str = "the-legacy-secret-of-a-test-project";
/// Made for these tests alone, by `openssl genpkey`; ring cannot make RSA keys.
const RSA_KEY: &[u8] = include_bytes!("rsa_2048_test_only.pkcs8.der");

pub fn base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub fn now_s() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.unwrap().as_secs()
}

/// A private key.
pub enum Key {
    Ec(EcdsaKeyPair, Vec<u8>),
    Rsa(RsaKeyPair),
    Secret(Vec<u8>),
}

impl Key {
    pub fn ec() -> Self {
        let random = SystemRandom::new();
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let document = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        Self::ec_from(algorithm, document.as_ref())
    }

    fn ec_from(algorithm: &'static EcdsaSigningAlgorithm, document: &[u8]) -> Self {
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, document, &SystemRandom::new()).unwrap();
        Self::Ec(pair, document.to_vec())
    }

    /// The same key, writing signatures as certificates do and tokens must not.
    pub fn in_asn1(&self) -> Self {
        let Self::Ec(_, document) = self else {
            panic!("only a P-256 key has two forms of signature");
        };
        Self::ec_from(&ECDSA_P256_SHA256_ASN1_SIGNING, document)
    }

    pub fn rsa() -> Self {
        Self::Rsa(RsaKeyPair::from_pkcs8(RSA_KEY).unwrap())
    }

    pub fn secret(secret: impl AsRef<[u8]>) -> Self {
        Self::Secret(secret.as_ref().to_vec())
    }

    /// The public half, as the issuer publishes it.
    pub fn jwk(&self, kid: &str) -> Value {
        match self {
            Self::Ec(pair, _) => {
                let point = pair.public_key().as_ref();
                json!({"kid": kid, "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig",
                    "key_ops": ["verify"], "ext": true,
                    "x": base64url(&point[1..33]), "y": base64url(&point[33..])})
            }
            Self::Rsa(pair) => {
                let public = ring::rsa::PublicKeyComponents::<Vec<u8>>::from(pair.public());
                json!({"kid": kid, "kty": "RSA", "alg": "RS256", "use": "sig",
                    "n": base64url(public.n), "e": base64url(public.e)})
            }
            Self::Secret(secret) => {
                json!({"kid": kid, "kty": "oct", "alg": "HS256", "k": base64url(secret)})
            }
        }
    }

    /// The public half in bytes: what an attacker takes for a secret.
    pub fn public_bytes(&self) -> Vec<u8> {
        match self {
            Self::Ec(pair, _) => pair.public_key().as_ref().to_vec(),
            Self::Rsa(pair) => pair.public_key().as_ref().to_vec(),
            Self::Secret(secret) => secret.clone(),
        }
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Self::Ec(pair, _) => pair.sign(&random, message).unwrap().as_ref().to_vec(),
            Self::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature)
                    .unwrap();
                signature
            }
            Self::Secret(secret) => {
                let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret);
                ring::hmac::sign(&key, message).as_ref().to_vec()
            }
        }
    }

    /// Signs any texts, whatever they say.
    pub fn token_of(&self, header: &str, claims: &str) -> String {
        let message = format!("{}.{}", base64url(header), base64url(claims));
        let signature = base64url(self.sign(message.as_bytes()));
        format!("{message}.{signature}")
    }

    /// Signs these claims.
    pub fn token(&self, header: &Value, claims: &Value) -> String {
        self.token_of(&header.to_string(), &claims.to_string())
    }
}

/// How the issuer answers.
#[derive(Clone, Debug)]
pub enum Answer {
    /// With these keys.
    Keys(Vec<Value>),
    /// With these keys, after a while.
    Late(Duration, Vec<Value>),
    /// Not at all.
    Never,
    /// With this status and text.
    Text(u16, String),
    /// With half of what it announced.
    BrokenOff,
}

struct Shared {
    answer: Mutex<Answer>,
    asked: AtomicUsize,
}

/// A running issuer.
pub struct Issuer {
    address: SocketAddr,
    shared: Arc<Shared>,
}

async fn answer(State(shared): State<Arc<Shared>>) -> Response {
    shared.asked.fetch_add(1, Ordering::SeqCst);
    let answer = shared.answer.lock().unwrap().clone();
    let keys = |keys: Vec<Value>| {
        let kind = [(header::CONTENT_TYPE, "application/json")];
        (kind, json!({ "keys": keys }).to_string()).into_response()
    };
    match answer {
        Answer::Keys(all) => keys(all),
        Answer::Late(wait, all) => {
            tokio::time::sleep(wait).await;
            keys(all)
        }
        Answer::Never => std::future::pending().await,
        Answer::Text(status, text) => {
            let mut headers = HeaderMap::new();
            // Where a redirect would lead: here, to a place that answers the same again.
            headers.insert(header::LOCATION, "/elsewhere".parse().unwrap());
            let status = StatusCode::from_u16(status).unwrap();
            (status, headers, text).into_response()
        }
        Answer::BrokenOff => {
            let length = [(header::CONTENT_LENGTH, "1000")];
            let stream = axum::body::Body::new(HalfBody(Some("{\"keys\":[")));
            (length, stream).into_response()
        }
    }
}

/// Bytes, and then an error.
struct HalfBody(Option<&'static str>);

impl hyper::body::Body for HalfBody {
    type Data = hyper::body::Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<hyper::body::Frame<Self::Data>, Self::Error>>> {
        let next = self.0.take();
        let next = next.map(|text| hyper::body::Frame::data(text.into()));
        let broken = || std::io::Error::other("the issuer broke off");
        std::task::Poll::Ready(Some(next.ok_or_else(broken)))
    }
}

impl Issuer {
    pub async fn start(answer_first: Answer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            answer: Mutex::new(answer_first),
            asked: AtomicUsize::new(0),
        });
        let app = Router::new()
            .route("/{*path}", any(answer))
            .with_state(Arc::clone(&shared));
        tokio::spawn(async move { axum_serve(listener, app).await });
        Self { address, shared }
    }

    pub fn answers(&self, answer: Answer) {
        *self.shared.answer.lock().unwrap() = answer;
    }

    /// How often it was asked, for anything.
    pub fn asked(&self) -> usize {
        self.shared.asked.load(Ordering::SeqCst)
    }

    /// What an application has as `NEXT_PUBLIC_SUPABASE_URL`.
    pub fn project_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What a gateway with the project's URL and its legacy secret is told.
    pub fn settings(&self) -> TokenSettings {
        TokenSettings {
            supabase_url: Some(self.project_url()),
            supabase_secret: Some(LEGACY_SECRET.to_owned()),
            ..TokenSettings::default()
        }
    }

    pub fn tokens(&self) -> Tokens {
        self.settings().tokens().unwrap()
    }

    /// The claims of a signed-in user, as Supabase writes them.
    pub fn claims(&self, sub: &str) -> Value {
        json!({
            "iss": format!("{}/auth/v1", self.project_url()), "sub": sub, "aud": "authenticated",
            "exp": now_s() + 3600, "iat": now_s(), "email": "", "phone": "",
            "app_metadata": {"provider": "email"}, "user_metadata": {}, "role": "authenticated",
            "aal": "aal1", "session_id": ALICE, "is_anonymous": false,
        })
    }

    /// The claims of Alice with one replaced; `null` removes it.
    pub fn with(&self, claim: &str, value: Value) -> Value {
        let mut claims = self.claims(ALICE);
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(claim);
        } else {
            claims[claim] = value;
        }
        claims
    }
}

/// axum's own server is a feature that the gateway does without.
async fn axum_serve(listener: TcpListener, app: Router) {
    use hyper_util::rt::TokioIo;
    use hyper_util::service::TowerToHyperService;
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let service = TowerToHyperService::new(app.clone());
        tokio::spawn(async move {
            let http = hyper::server::conn::http1::Builder::new();
            let _ = http.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

pub fn header(alg: &str, kid: &str) -> Value {
    json!({"alg": alg, "typ": "JWT", "kid": kid})
}
