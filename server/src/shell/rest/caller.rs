//! Who asks.

use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::response::Response;
use rejoinder_protocol::Token;

use super::{Rest, answer};
use crate::core::{Identity, Refusal};
use crate::store::{Reader, Store};

/// Who asks. Found out before anything else of a request is looked at.
pub(super) enum Caller {
    /// The application's back end, by the admin key.
    Backend,
    /// A user, by their token.
    User(Identity),
}

impl Caller {
    /// Returns as whom the store is asked.
    pub(super) fn reader(self) -> Reader {
        match self {
            Self::Backend => Reader::Backend,
            Self::User(identity) => Reader::User(identity.user_id),
        }
    }
}

impl<S: Store> FromRequestParts<Rest<S>> for Caller {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, rest: &Rest<S>) -> Result<Self, Response> {
        let Some(text) = bearer(parts) else {
            return Err(answer::unknown_caller(Refusal::Invalid));
        };
        if rest.0.admin_key.as_ref().is_some_and(|key| key.is(text)) {
            return Ok(Self::Backend);
        }
        let token = Token::new(text.to_owned());
        match rest.0.driver.verify(&token).await {
            Ok(identity) => match rest.0.driver.admit(&identity.user_id) {
                Ok(()) => Ok(Self::User(identity)),
                Err(retry_after) => Err(answer::too_often(retry_after)),
            },
            Err(refusal) => Err(answer::unknown_caller(refusal)),
        }
    }
}

/// The one place where a token may stand: URLs are logged on the way.
fn bearer(parts: &Parts) -> Option<&str> {
    let mut headers = parts.headers.get_all(AUTHORIZATION).iter();
    let (Some(header), None) = (headers.next(), headers.next()) else {
        return None;
    };
    let (scheme, text) = header.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(text)
}
