//! What a token must say, once its signature is known to be good. Pure: the time is an argument.

use rejoinder_protocol::UnixMillis;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::core::{Identity, Refusal};

/// A token counts for so long after its expiry, and before its beginning, in seconds: clocks
/// differ.
const LEEWAY_S: u64 = 30;

/// The role of a signed-in user in a Supabase project.
const SUPABASE_USER_ROLE: &str = "authenticated";

/// The claims that we look at.
///
/// What nobody demands is kept as it came: a claim that another service needs in another form must
/// not cost a user the way in. `exp` is an integer and nothing else; a library that took the string
/// `"9999999999"` for "no expiry" has been a vulnerability (CVE-2026-25537).
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Claims {
    pub(super) sub: String,
    pub(super) exp: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) nbf: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) aud: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) iss: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) role: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) is_anonymous: Option<Value>,
}

/// What a token must say besides a user and an expiry.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Demands {
    /// This among its `aud`.
    pub(super) audience: Option<String>,
    /// Exactly this `iss`.
    pub(super) issuer: Option<String>,
    /// The role of a signed-in Supabase user, and a UUID as `sub`. The project's `anon` and
    /// `service_role` keys are signed with the same secret: without this they would be users.
    pub(super) supabase_user: bool,
    /// Not to be of somebody who has not signed up.
    pub(super) not_anonymous: bool,
}

/// Why a token with a good signature is refused. For the log; the client hears only whether a newer
/// token would help.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(super) enum Fault {
    #[error("its audience (aud) is not the one that is demanded")]
    Audience,
    #[error("its issuer (iss) is not the one that is demanded")]
    Issuer,
    #[error("its role is not that of a signed-in user; anon and service keys are not user tokens")]
    Role,
    #[error("its subject (sub) is not a user id of this gateway")]
    Subject,
    #[error("it is of an anonymous user, which --refuse-anonymous refuses")]
    Anonymous,
    #[error("its expiry (exp) is out of any range")]
    Expiry,
    #[error("it is not valid yet (nbf)")]
    Early,
    #[error("it has expired")]
    Expired,
}

impl Fault {
    pub(super) fn refusal(self) -> Refusal {
        match self {
            Self::Expired => Refusal::Expired,
            Self::Audience
            | Self::Issuer
            | Self::Role
            | Self::Subject
            | Self::Anonymous
            | Self::Expiry
            | Self::Early => Refusal::Invalid,
        }
    }
}

impl Demands {
    /// Finds out whom the claims name.
    ///
    /// A token counts as expired only if nothing else is wrong with it: then a newer one helps.
    pub(super) fn identity(&self, now: UnixMillis, claims: &Claims) -> Result<Identity, Fault> {
        if let Some(audience) = &self.audience
            && !names(claims.aud.as_ref(), audience)
        {
            return Err(Fault::Audience);
        }
        if let Some(issuer) = &self.issuer
            && !is(claims.iss.as_ref(), issuer)
        {
            return Err(Fault::Issuer);
        }
        if self.supabase_user && !is(claims.role.as_ref(), SUPABASE_USER_ROLE) {
            return Err(Fault::Role);
        }
        if self.not_anonymous && !matches!(claims.is_anonymous, None | Some(Value::Bool(false))) {
            return Err(Fault::Anonymous);
        }
        if self.supabase_user && !is_uuid(&claims.sub) {
            return Err(Fault::Subject);
        }
        let user_id = claims.sub.parse().map_err(|_| Fault::Subject)?;
        let expires_at = claims.exp.checked_mul(1_000).ok_or(Fault::Expiry)?;
        let expires_at = UnixMillis::try_from(expires_at).map_err(|_| Fault::Expiry)?;
        let now_s = now.get() / 1_000;
        if claims
            .nbf
            .is_some_and(|nbf| nbf > now_s.saturating_add(LEEWAY_S))
        {
            return Err(Fault::Early);
        }
        if claims.exp.saturating_add(LEEWAY_S) <= now_s {
            return Err(Fault::Expired);
        }
        Ok(Identity {
            user_id,
            expires_at: Some(expires_at),
        })
    }

    /// Returns claims that meet the demands; `None` if no token of this user can.
    pub(super) fn claims(&self, sub: &str, exp: u64) -> Option<Claims> {
        let text = |text: &String| Value::String(text.clone());
        (!self.supabase_user || is_uuid(sub)).then(|| Claims {
            sub: sub.to_owned(),
            exp,
            nbf: None,
            aud: self.audience.as_ref().map(text),
            iss: self.issuer.as_ref().map(text),
            role: self
                .supabase_user
                .then(|| Value::String(SUPABASE_USER_ROLE.to_owned())),
            is_anonymous: None,
        })
    }
}

fn is(claim: Option<&Value>, wanted: &str) -> bool {
    claim.and_then(Value::as_str) == Some(wanted)
}

/// An audience is one name or a list of names.
fn names(claim: Option<&Value>, wanted: &str) -> bool {
    let list = claim.and_then(Value::as_array);
    is(claim, wanted) || list.is_some_and(|list| list.iter().any(|one| is(Some(one), wanted)))
}

/// In the one spelling that Supabase writes: another spelling would be another user.
fn is_uuid(text: &str) -> bool {
    Uuid::try_parse(text).is_ok_and(|id| id.hyphenated().to_string() == text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const NOW_S: u64 = 1_800_000_000;
    const ALICE: &str = "0b7c0000-0000-4000-8000-000000000001";

    fn supabase() -> Demands {
        Demands {
            audience: Some("authenticated".to_owned()),
            issuer: Some("https://p.supabase.co/auth/v1".to_owned()),
            supabase_user: true,
            not_anonymous: false,
        }
    }

    /// A good token of Alice with one claim replaced; `null` removes it.
    fn with(claim: &str, value: Value) -> Value {
        let mut claims = json!({
            "sub": ALICE, "exp": NOW_S + 60, "aud": "authenticated", "role": "authenticated",
            "iss": "https://p.supabase.co/auth/v1", "is_anonymous": false,
        });
        claims[claim] = value;
        claims
    }

    fn check(demands: &Demands, claims: Value) -> Result<Identity, Fault> {
        let now = UnixMillis::try_from(NOW_S * 1_000).unwrap();
        let claims = serde_json::from_value(claims).unwrap();
        demands.identity(now, &claims)
    }

    #[test]
    fn a_supabase_user_is_let_in_and_everybody_else_is_told_apart() {
        let demands = supabase();
        let identity = check(&demands, with("sub", json!(ALICE))).unwrap();
        assert_eq!(identity.user_id.as_str(), ALICE);
        assert_eq!(identity.expires_at.unwrap().get(), (NOW_S + 60) * 1_000);
        for (claim, value, fault) in [
            ("aud", Value::Null, Fault::Audience),
            ("aud", json!("anon"), Fault::Audience),
            ("aud", json!(["a", "b"]), Fault::Audience),
            ("aud", json!({"authenticated": 1}), Fault::Audience),
            ("iss", Value::Null, Fault::Issuer),
            (
                "iss",
                json!("https://p.supabase.co/auth/v1/"),
                Fault::Issuer,
            ),
            (
                "iss",
                json!(["https://p.supabase.co/auth/v1"]),
                Fault::Issuer,
            ),
            ("iss", json!("supabase"), Fault::Issuer),
            ("role", Value::Null, Fault::Role),
            ("role", json!("anon"), Fault::Role),
            ("role", json!("service_role"), Fault::Role),
            ("role", json!(["authenticated"]), Fault::Role),
            ("sub", json!("alice"), Fault::Subject),
            ("sub", json!(""), Fault::Subject),
            ("sub", json!(ALICE.to_uppercase()), Fault::Subject),
            ("sub", json!(ALICE.replace('-', "")), Fault::Subject),
            ("nbf", json!(NOW_S + 31), Fault::Early),
            ("exp", json!(NOW_S - 30), Fault::Expired),
            ("exp", json!(0), Fault::Expired),
            ("exp", json!(u64::MAX), Fault::Expiry),
        ] {
            let found = check(&demands, with(claim, value.clone()));
            assert_eq!(found, Err(fault), "{claim}: {value}");
        }
    }

    #[test]
    fn what_clocks_and_lists_allow_is_let_in() {
        for (claim, value) in [
            ("exp", json!(NOW_S - 29)),
            ("nbf", json!(NOW_S + 30)),
            ("aud", json!(["x", "authenticated"])),
            ("is_anonymous", json!(true)),
        ] {
            let found = check(&supabase(), with(claim, value));
            assert!(found.is_ok(), "{claim}: {found:?}");
        }
    }

    #[test]
    fn anonymous_users_are_refused_where_that_is_demanded() {
        let mut demands = supabase();
        demands.not_anonymous = true;
        assert!(check(&demands, with("is_anonymous", json!(false))).is_ok());
        for odd in [json!(true), json!("false"), json!(0)] {
            let found = check(&demands, with("is_anonymous", odd));
            assert_eq!(found, Err(Fault::Anonymous));
        }
    }

    #[test]
    fn an_expiry_is_an_integer_or_the_claims_cannot_be_read() {
        for odd in [
            json!("1800000060"),
            json!(1.8e9),
            json!(-1),
            json!(2_f64.powi(70)),
            json!([1_800_000_060]),
            json!({}),
            json!(true),
            Value::Null,
        ] {
            for claim in ["exp", "nbf"] {
                let read = serde_json::from_value::<Claims>(with(claim, odd.clone()));
                let absent = claim == "nbf" && odd.is_null();
                assert_eq!(read.is_ok(), absent, "{claim}: {odd}");
            }
        }
        let twice = r#"{"sub":"a","exp":1,"exp":9999999999}"#;
        assert!(serde_json::from_str::<Claims>(twice).is_err());
    }

    #[test]
    fn claims_that_are_made_meet_the_demands() {
        let now = UnixMillis::try_from(NOW_S * 1_000).unwrap();
        let claims = supabase().claims(ALICE, NOW_S + 1).unwrap();
        assert!(supabase().identity(now, &claims).is_ok());
        assert!(supabase().claims("alice", NOW_S + 1).is_none());
        let plain = Demands::default();
        let claims = plain.claims("alice", NOW_S + 1).unwrap();
        assert!(plain.identity(now, &claims).is_ok());
        assert!(supabase().identity(now, &claims).is_err());
    }
}
