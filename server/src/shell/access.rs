//! Which pages may talk to the gateway. Any page on the web can open a socket to localhost.

use axum::http::HeaderMap;
use axum::http::header::{HOST, ORIGIN};

/// Which origins and hosts are accepted.
#[derive(Clone, Debug, Default)]
pub struct Access {
    dev: bool,
    origins: Vec<String>,
    hosts: Vec<String>,
}

/// Why a request is refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Denied {
    Host,
    Origin,
}

impl Access {
    /// Accepts whatever is on this machine, any port (`--dev`).
    #[must_use]
    pub fn dev() -> Self {
        Self {
            dev: true,
            ..Self::default()
        }
    }

    /// Accepts exactly these origins, such as `https://chat.example`, and their hosts, and these
    /// further hosts under which a proxy passes requests on.
    #[must_use]
    pub fn exactly(origins: Vec<String>, hosts: Vec<String>) -> Self {
        Self {
            dev: false,
            origins: origins.iter().map(|one| one.to_ascii_lowercase()).collect(),
            hosts: hosts.iter().map(|one| one.to_ascii_lowercase()).collect(),
        }
    }

    /// Checks a request; returns its origin if it comes from a page.
    pub(super) fn check(&self, headers: &HeaderMap) -> Result<Option<String>, Denied> {
        let mut hosts = headers.get_all(HOST).iter();
        let (host, None) = (hosts.next(), hosts.next()) else {
            return Err(Denied::Host);
        };
        let host = host.and_then(|host| host.to_str().ok());
        let host = host.ok_or(Denied::Host)?.to_ascii_lowercase();
        // A name that an attacker points at this machine arrives here as a foreign host.
        if !self.knows_host(&host) {
            return Err(Denied::Host);
        }
        let mut origins = headers.get_all(ORIGIN).iter();
        let (origin, None) = (origins.next(), origins.next()) else {
            return Err(Denied::Origin);
        };
        let Some(origin) = origin else {
            return Ok(None); // Not a page: only browsers send, and cannot forge, it.
        };
        let origin = origin.to_str().map_err(|_| Denied::Origin)?;
        let origin = origin.to_ascii_lowercase();
        let Some(authority) = authority(&origin) else {
            return Err(Denied::Origin);
        };
        let known = if self.dev {
            is_loopback(authority)
        } else {
            authority == host || self.origins.contains(&origin)
        };
        if known {
            Ok(Some(origin))
        } else {
            Err(Denied::Origin)
        }
    }

    fn knows_host(&self, host: &str) -> bool {
        let mut of_origins = self.origins.iter().filter_map(|origin| authority(origin));
        is_loopback(host)
            || self.hosts.iter().any(|one| one == host)
            || of_origins.any(|one| one == host)
    }
}

/// Returns host and port of an origin; `None` if it is not one.
fn authority(origin: &str) -> Option<&str> {
    let rest = origin
        .strip_prefix("http://")
        .or_else(|| origin.strip_prefix("https://"))?;
    let plain = !rest.is_empty() && !rest.contains(['/', '@', '?', '#', ' ']);
    plain.then_some(rest)
}

/// Returns whether a host, with or without a port, is this machine by its very name.
fn is_loopback(authority: &str) -> bool {
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        Some(_) | None => authority,
    };
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || address
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(access: &Access, host: &str, origin: Option<&str>) -> Result<(), Denied> {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, host.parse().unwrap());
        if let Some(origin) = origin {
            headers.insert(ORIGIN, origin.parse().unwrap());
        }
        access.check(&headers).map(|_| ())
    }

    #[test]
    fn dev_accepts_this_machine_and_nobody_else() {
        let dev = Access::dev();
        for host in [
            "localhost:8787",
            "127.0.0.1",
            "127.9.9.9:1",
            "[::1]:8787",
            "LOCALHOST",
        ] {
            assert_eq!(check(&dev, host, None), Ok(()), "{host}");
        }
        for host in [
            "evil.example",
            "localhost.evil.example",
            "192.168.1.5:8787",
            "",
        ] {
            assert_eq!(check(&dev, host, None), Err(Denied::Host), "{host}");
        }
        for origin in [
            "http://localhost:5173",
            "https://127.0.0.1",
            "http://[::1]:80",
        ] {
            assert_eq!(check(&dev, "localhost", Some(origin)), Ok(()), "{origin}");
        }
        for origin in [
            "null",
            "https://evil.example",
            "http://localhost.evil.example",
            "http://localhost@evil.example",
            "http://evil.example/localhost",
            "file://localhost",
            "http://",
        ] {
            let found = check(&dev, "localhost", Some(origin));
            assert_eq!(found, Err(Denied::Origin), "{origin}");
        }
    }

    #[test]
    fn otherwise_the_list_is_exact() {
        let access = Access::exactly(vec!["https://chat.example".to_owned()], Vec::new());
        let host = "chat.example";
        for origin in [
            None,
            Some("https://chat.example"),
            Some("HTTPS://CHAT.EXAMPLE"),
        ] {
            assert_eq!(check(&access, host, origin), Ok(()), "{origin:?}");
        }
        for origin in [
            "https://chat.example:8443",
            "https://evil-chat.example",
            "https://chat.example.evil.example",
            "http://localhost:8787",
            "null",
        ] {
            assert_eq!(
                check(&access, host, Some(origin)),
                Err(Denied::Origin),
                "{origin}"
            );
        }
        assert_eq!(check(&access, "other.example", None), Err(Denied::Host));
    }
}
