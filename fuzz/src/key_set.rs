//! Whatever an issuer answers when it is asked for its keys: only the keys in its answer count, and
//! each only under its own name.

use std::cell::RefCell;
use std::sync::{Arc, Mutex};

use rejoinder_gateway::core::{Millis, Now, Refusal};
use rejoinder_gateway::tokens::Tokens;
use rejoinder_protocol::{Token, UnixMillis};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use crate::choices::Choices;
use crate::sealed::{Seal, pair, sealed};

/// By then nothing counts of what was fetched before, and the issuer is asked again.
const LATER_MS: u64 = 24 * 3_600_000;
const KID: &str = "the-key-that-counts";
const CLAIMS: &str = r#"{"sub":"alice","exp":4000000000}"#;

thread_local! {
    static ISSUER: RefCell<Option<Issuer>> = const { RefCell::new(None) };
}

/// Asks an issuer that answers what the bytes describe.
pub fn run(data: &[u8]) {
    ISSUER.with_borrow_mut(|issuer| {
        let issuer = issuer.get_or_insert_with(Issuer::start);
        issuer.try_answer(&mut Choices::new(data));
    });
}

/// An issuer on this machine, and a gateway's eyes for its tokens.
struct Issuer {
    runtime: Runtime,
    /// What it answers next, as bytes on the connection.
    answer: Arc<Mutex<Vec<u8>>>,
    tokens: Tokens,
    jwk: Value,
    /// Signed with the key that it publishes …
    token: String,
    /// … and with one that it never does.
    forged: String,
    now: Now,
}

impl Issuer {
    fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("http://{}/keys", listener.local_addr().unwrap());
        let answer = Arc::<Mutex<Vec<u8>>>::default();
        runtime.spawn(publish(listener, Arc::clone(&answer)));
        let ((own, jwk), (stranger, _)) = (pair(KID), pair(KID));
        let header = json!({"alg": "ES256", "kid": KID}).to_string();
        Self {
            runtime,
            answer,
            tokens: Tokens::new().with_issuer_keys(&url).unwrap(),
            jwk,
            token: sealed(&Seal::Pair(&own), &header, CLAIMS),
            forged: sealed(&Seal::Pair(&stranger), &header, CLAIMS),
            now: Now {
                monotonic: Millis(LATER_MS),
                wall: UnixMillis::try_from(1_800_000_000_000).unwrap(),
            },
        }
    }

    fn try_answer(&mut self, choices: &mut Choices<'_>) {
        let answer = self.any_answer(choices);
        let says = |field: &str| {
            let value = self.jwk[field].as_str().unwrap().as_bytes();
            answer.windows(value.len()).any(|part| part == value)
        };
        let is_published = ["kid", "x", "y"].into_iter().all(says);
        answer.clone_into(&mut self.answer.lock().unwrap());
        self.now.monotonic = self.now.monotonic.after(LATER_MS);
        let honest = self.verify(&self.token);
        assert!(honest.is_err() || is_published, "a key from nowhere");
        let forged = self.verify(&self.forged);
        assert!(forged.is_err(), "a stranger's key is taken");
    }

    fn verify(&self, token: &str) -> Result<(), Refusal> {
        let token = Token::new(token.to_owned());
        let verified = self.runtime.block_on(self.tokens.verify(self.now, &token));
        verified.map(drop)
    }

    fn any_answer(&self, choices: &mut Choices<'_>) -> Vec<u8> {
        if choices.one_in(8) {
            return choices.bytes(2_000).to_vec();
        }
        let body = match choices.below(4) {
            0 => choices.bytes(2_000).to_vec(),
            1 => {
                // Around a good one.
                let mut keys = choices.text(300);
                keys.insert_str(0, &format!(r#"{{"keys":[{},"#, self.jwk));
                keys.push_str("]}");
                keys.into_bytes()
            }
            _ => {
                let mut keys = Vec::new();
                for _ in 0..choices.of(&[1, 1, 2, 3, 70]) {
                    keys.push(self.any_key(choices));
                }
                json!({ "keys": keys }).to_string().into_bytes()
            }
        };
        let status = choices.of(&["200 OK", "200 OK", "200 OK", "200 OK", "404 Not", "304 N"]);
        let length = if choices.one_in(8) {
            choices.number()
        } else {
            body.len() as u64
        };
        let head = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n\r\n");
        [head.into_bytes(), body].concat()
    }

    fn any_key(&self, choices: &mut Choices<'_>) -> Value {
        let rsa = json!({"kid": "r", "kty": "RSA", "alg": "RS256", "e": "AQAB",
            "n": format!("_{}", "A".repeat(341))});
        let mut key = if choices.one_in(3) {
            rsa
        } else {
            self.jwk.clone()
        };
        for _ in 0..choices.below(3) {
            let fields = [
                "kid", "kty", "alg", "use", "key_ops", "crv", "x", "y", "n", "e",
            ];
            let field = choices.of(&fields);
            key[field] = match choices.below(6) {
                0 => Value::Null,
                1 => json!(choices.number()),
                2 => json!(["verify", choices.text(8)]),
                3 => json!("A".repeat(usize::try_from(choices.below(400)).unwrap())),
                4 => {
                    json!(choices.of(&["EC", "RSA", "ES256", "RS256", "P-256", "sig", "enc", KID]))
                }
                _ => json!(choices.text(60)),
            };
        }
        key
    }
}

/// Answers everybody with the same bytes.
async fn publish(listener: TcpListener, answer: Arc<Mutex<Vec<u8>>>) {
    while let Ok((mut stream, _)) = listener.accept().await {
        // Without leaving a socket that waits: thousands of them come in a minute.
        let _ = stream.set_zero_linger();
        let answer = answer.lock().unwrap().clone();
        let mut request = [0; 1024];
        let _ = stream.read(&mut request).await;
        let _ = stream.write_all(&answer).await;
        let _ = stream.shutdown().await;
        // Until the other side has read it and gone.
        while matches!(stream.read(&mut request).await, Ok(1..)) {}
    }
}
