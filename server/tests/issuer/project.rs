//! A project with an issuer, keys of both kinds, and a gateway that lets its users in.

use serde_json::{Value, json};

use super::{ALICE, Answer, Issuer, Key, base64url, header};
use crate::client::{Gateway, hello};

/// A project with both kinds of keys, and with what it should not publish.
pub struct Project {
    pub issuer: Issuer,
    pub ec: Key,
    pub rsa: Key,
    /// Somebody else's server, which must never be asked.
    pub stranger: Issuer,
    pub stranger_key: Key,
    pub gateway: Gateway,
}

impl Project {
    pub async fn start() -> Self {
        let (ec, rsa, stranger_key) = (Key::ec(), Key::rsa(), Key::ec());
        let mut weak = rsa.jwk("weak");
        weak["n"] = json!(base64url([0xff; 128]));
        let mut other_curve = ec.jwk("p384");
        other_curve["crv"] = json!("P-384");
        let mut mislabelled = ec.jwk("mislabelled");
        mislabelled["kty"] = json!("RSA");
        let keys = vec![
            json!({"nonsense": true}),
            Key::secret("shared").jwk("oct"),
            weak,
            other_curve,
            mislabelled,
            ec.jwk("twice"),
            stranger_key.jwk("twice"),
            ec.jwk("ec"),
            rsa.jwk("rsa"),
        ];
        let issuer = Issuer::start(Answer::Keys(keys)).await;
        let stranger = Issuer::start(Answer::Keys(vec![stranger_key.jwk("ec")])).await;
        let tokens = issuer.tokens();
        let gateway = Gateway::set(|settings| settings.tokens = tokens).await;
        Self {
            issuer,
            ec,
            rsa,
            stranger,
            stranger_key,
            gateway,
        }
    }

    pub fn claims(&self) -> Value {
        self.issuer.claims(ALICE)
    }

    /// Says hello with a token; returns the user, or the close code.
    pub async fn knock(&self, token: &str) -> Result<Value, u16> {
        let mut client = self.gateway.open().await;
        client.say(&hello(token)).await;
        match client.next().await {
            Ok(text) if text.contains(r#""type":"welcome""#) => {
                let frame: Value = serde_json::from_str(&text).unwrap();
                Ok(frame["user_id"].clone())
            }
            Ok(goodbye) => {
                let goodbye: Value = serde_json::from_str(&goodbye).unwrap();
                let closed = client.next().await;
                let code = closed.unwrap_err();
                assert_eq!(goodbye["code"], code);
                Err(code)
            }
            Err(code) => Err(code),
        }
    }

    pub async fn refuses(&self, rows: impl IntoIterator<Item = (&str, String)>, code: u16) {
        for (name, token) in rows {
            assert_eq!(self.knock(&token).await, Err(code), "{name}");
        }
        assert_eq!(self.stranger.asked(), 0, "no header says where keys are");
        // It still lets in who may come.
        let good = self.ec.token(&header("ES256", "ec"), &self.claims());
        assert_eq!(self.knock(&good).await, Ok(json!(ALICE)));
    }
}
