//! What an answer means that is not what a request asked for.
//!
//! The gateway refuses with a status and `{"code": "…"}`; whatever else is on the way answers as it
//! likes. The table is in `docs/protocol.md`, section 24.

use rejoinder_protocol::CloseCode;
use serde::Deserialize;

use crate::engine::NO_CLOSE_CODE;

/// Whoever is on the way may name any time; a page is not put off for longer, in milliseconds.
pub const RETRY_AFTER_MS_MAX: u64 = 300_000;

/// The codes that mean something, and the close codes that they stand for.
const CODES: [(&str, CloseCode); 7] = [
    ("busy", CloseCode::Internal),
    ("internal", CloseCode::Internal),
    ("limit", CloseCode::Limited),
    ("rate_limited", CloseCode::Limited),
    ("token_expired", CloseCode::TokenExpired),
    ("token_invalid", CloseCode::TokenInvalid),
    ("unsupported_version", CloseCode::UnsupportedVersion),
];

/// How a stream ended, or would have to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct End {
    /// The close code that it stands for; [`NO_CLOSE_CODE`] if it says nothing about the connection.
    pub code: u16,
    /// How long to stay away, in milliseconds, if it says: at most [`RETRY_AFTER_MS_MAX`].
    pub retry_after_ms: Option<u64>,
}

impl End {
    /// Without a word.
    pub const LOST: Self = Self {
        code: NO_CLOSE_CODE,
        retry_after_ms: None,
    };

    /// What a refused request stands for: by its status, `Content-Type`, `Retry-After` and body.
    #[must_use]
    pub fn of(status: u16, content_type: &str, retry_after: Option<&str>, body: &str) -> Self {
        let code = close_code(status, content_type, body);
        Self {
            code: code.map_or(NO_CLOSE_CODE, CloseCode::number),
            retry_after_ms: retry_after.and_then(retry_after_ms),
        }
    }
}

#[derive(Deserialize)]
struct Failure {
    code: String,
}

/// Returns the close code that a refusal stands for; `None` if it is not the gateway's, or says
/// nothing about the connection.
fn close_code(status: u16, content_type: &str, body: &str) -> Option<CloseCode> {
    let is_ours = matches!(status, 400 | 401 | 429 | 503);
    if !is_ours || !content_type.starts_with("application/json") {
        return None;
    }
    let Failure { code } = serde_json::from_str(body).ok()?;
    let meant = CODES.iter().find(|(name, _)| *name == code);
    meant.map(|(_, code)| *code)
}

/// Returns what `Retry-After` asks for, in milliseconds, held to [`RETRY_AFTER_MS_MAX`]; `None` for
/// a date, which nobody here sends.
fn retry_after_ms(header: &str) -> Option<u64> {
    let seconds: u64 = header.trim().parse().ok()?;
    Some(seconds.saturating_mul(1_000).min(RETRY_AFTER_MS_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const JSON: &str = "application/json";

    #[test]
    fn a_refusal_of_the_gateway_stands_for_a_close_code() {
        let meant =
            |status, code: &str| close_code(status, JSON, &format!(r#"{{"code":"{code}"}}"#));
        assert_eq!(meant(401, "token_expired"), Some(CloseCode::TokenExpired));
        assert_eq!(meant(401, "token_invalid"), Some(CloseCode::TokenInvalid));
        let version = meant(400, "unsupported_version");
        assert_eq!(version, Some(CloseCode::UnsupportedVersion));
        assert_eq!(meant(429, "rate_limited"), Some(CloseCode::Limited));
        assert_eq!(meant(429, "limit"), Some(CloseCode::Limited));
        assert_eq!(meant(503, "busy"), Some(CloseCode::Internal));
        assert_eq!(meant(503, "internal"), Some(CloseCode::Internal));
        assert_eq!(meant(503, "something_new"), None);
        assert_eq!(meant(413, "token_expired"), None);
    }

    #[test]
    fn a_time_holds_whatever_else_was_said() {
        let ours = End::of(429, JSON, Some("7"), r#"{"code":"limit"}"#);
        assert_eq!(ours.code, CloseCode::Limited.number());
        assert_eq!(ours.retry_after_ms, Some(7_000));
        let others = End::of(503, "text/html", Some("7"), "<h1>Later</h1>");
        assert_eq!(others.code, NO_CLOSE_CODE);
        assert_eq!(others.retry_after_ms, Some(7_000));
        assert_eq!(End::of(502, "", None, ""), End::LOST);
    }

    #[test]
    fn what_others_answer_says_nothing() {
        let page = "<h1>token_expired</h1>";
        assert_eq!(close_code(401, "text/html; charset=utf-8", page), None);
        let ours = r#"{"code":"token_expired"}"#;
        assert_eq!(close_code(401, "text/html", ours), None);
        assert_eq!(close_code(401, "", ours), None);
        for body in ["", "{", r#"{"error":"token_expired"}"#, page] {
            assert_eq!(close_code(401, JSON, body), None, "{body}");
        }
    }

    #[test]
    fn a_time_is_believed_up_to_five_minutes() {
        assert_eq!(retry_after_ms("0"), Some(0));
        assert_eq!(retry_after_ms(" 7 "), Some(7_000));
        assert_eq!(retry_after_ms("86400"), Some(300_000));
        assert_eq!(retry_after_ms("18446744073709551615"), Some(300_000));
        for other in ["", "-1", "1.5", "soon", "Wed, 21 Oct 2026 07:28:00 GMT"] {
            assert_eq!(retry_after_ms(other), None, "{other}");
        }
    }
}
