//! Does a gateway answer under a URL, as a page would ask it?

use std::time::Duration;

use http_body_util::Empty;
use hyper::body::Bytes;
use hyper::header::{CONNECTION, HOST, ORIGIN, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE};
use hyper::{Request, StatusCode, Uri};

use crate::finding::Finding;
use crate::https;

const NAME: &str = "gateway";
/// A gateway that takes longer is not there.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Opens a WebSocket at a URL such as `wss://chat.example/ws`, as a page of `origin` would, or one
/// that the same host serves, and says how that went.
pub async fn gateway(url: &str, origin: Option<&str>) -> Finding {
    let Some(http_url) = http(url) else {
        let remedy = "give the URL that the application connects to, such as wss://chat.example/ws";
        return Finding::bad(NAME, format!("`{url}` is not a URL of a WebSocket"), remedy);
    };
    let origin = origin.map_or_else(|| origin_of(&http_url), str::to_owned);
    match tokio::time::timeout(TIMEOUT, upgrade(http_url, &origin)).await {
        Ok(Ok(status)) => explain(url, status),
        Ok(Err(problem)) => Finding::bad(NAME, format!("{url}: {problem}"), UNREACHABLE),
        Err(_) => Finding::bad(NAME, format!("{url}: no answer within 5 s"), UNREACHABLE),
    }
}

const UNREACHABLE: &str = "start the gateway; check host, port and path of the URL, that a proxy \
     before it listens there, and that its certificate is valid";

/// The same URL as HTTP has it; nothing for another kind of URL.
fn http(url: &str) -> Option<Uri> {
    let (scheme, rest) = url.split_once("://")?;
    let scheme = match scheme {
        "ws" | "http" => "http",
        "wss" | "https" => "https",
        _ => return None,
    };
    let path = if rest.contains('/') { "" } else { "/ws" };
    format!("{scheme}://{rest}{path}").parse().ok()
}

/// The origin of a page that comes from there.
fn origin_of(url: &Uri) -> String {
    let scheme = url.scheme_str().unwrap_or("http");
    format!(
        "{scheme}://{}",
        url.authority().map_or("", |host| host.as_str())
    )
}

async fn upgrade(url: Uri, origin: &str) -> Result<StatusCode, String> {
    let words = |error: &dyn std::fmt::Display| error.to_string();
    let client = https::client().map_err(|error| words(&error))?;
    let host = url.authority().map(ToString::to_string).unwrap_or_default();
    let request = Request::get(url)
        .header(HOST, host)
        .header(CONNECTION, "upgrade")
        .header(UPGRADE, "websocket")
        .header(SEC_WEBSOCKET_VERSION, "13")
        // Nothing is said over this socket, so the key need not be random.
        .header(SEC_WEBSOCKET_KEY, "cmVqb2luZGVyLWNoZWNrLg==")
        .header(ORIGIN, origin)
        .body(Empty::<Bytes>::new());
    let answer = client
        .request(request.map_err(|error| words(&error))?)
        .await;
    let answer = answer.map_err(|error| {
        let cause = std::error::Error::source(&error);
        cause.map_or_else(|| words(&error), |cause| words(&cause))
    })?;
    Ok(answer.status())
}

fn explain(url: &str, status: StatusCode) -> Finding {
    let problem = format!("{url} answers {status}");
    match status {
        StatusCode::SWITCHING_PROTOCOLS => Finding::good(NAME, format!("answers at {url}")),
        StatusCode::FORBIDDEN => {
            let remedy = "name the page with --allow-origin, exactly as the browser shows it, and \
                          the host behind a proxy with --allow-host";
            Finding::bad(NAME, problem, remedy)
        }
        StatusCode::NOT_FOUND => {
            Finding::bad(NAME, problem, "the path is /ws, unless a proxy changes it")
        }
        _ => {
            let remedy = "what answers there does not pass WebSockets on: let the proxy upgrade \
                          connections (nginx: proxy_http_version 1.1, Upgrade and Connection)";
            Finding::bad(NAME, problem, remedy)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_those_that_an_application_is_given() {
        for (given, asked) in [
            ("ws://localhost:8787", "http://localhost:8787/ws"),
            ("wss://chat.example/ws", "https://chat.example/ws"),
            ("https://chat.example/dm/ws", "https://chat.example/dm/ws"),
        ] {
            assert_eq!(http(given).unwrap().to_string(), asked);
            let origin = origin_of(&http(given).unwrap());
            assert!(
                asked.starts_with(&origin) && !origin.ends_with("/ws"),
                "{origin}"
            );
        }
        for odd in ["", "chat.example", "ftp://chat.example", "ws://"] {
            assert!(http(odd).is_none_or(|url| url.host().is_none()), "{odd}");
        }
    }
}
