//! Static files for demos and small installations.

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use axum::extract::State;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};

/// Nothing but our own files; wasm needs its own permission.
const POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; \
     style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; \
     connect-src 'self' ws: wss:; manifest-src 'self'; base-uri 'none'; form-action 'self'; \
     frame-ancestors 'none'";

/// Answers with a file of the folder.
pub(super) async fn file(State(folder): State<Arc<Path>>, uri: Uri) -> Response {
    let Some(path) = inside(&folder, uri.path()) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let Ok(bytes) = tokio::fs::read(&path).await else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let headers = [
        (CONTENT_TYPE, mime(&path)),
        (CACHE_CONTROL, cache(&path)),
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
    ];
    (headers, bytes).into_response()
}

/// Returns the file that a URL path names, if it lies inside the folder and is not hidden.
fn inside(folder: &Path, url_path: &str) -> Option<PathBuf> {
    let relative = url_path.strip_prefix('/')?;
    // Our builds make no name that needs escaping.
    if relative.contains(['%', '\\', '\0']) {
        return None;
    }
    let mut path = folder.to_path_buf();
    for component in Path::new(relative).components() {
        let Component::Normal(name) = component else {
            return None;
        };
        if name.to_str()?.starts_with('.') {
            return None;
        }
        path.push(name);
    }
    if relative.is_empty() || relative.ends_with('/') {
        path.push("index.html");
    }
    Some(path)
}

fn extension(path: &Path) -> &str {
    path.extension()
        .and_then(|extension| extension.to_str())
        .unwrap_or_default()
}

fn mime(path: &Path) -> &'static str {
    match extension(path) {
        "css" => "text/css; charset=utf-8",
        "html" => "text/html; charset=utf-8",
        "ico" => "image/x-icon",
        "jpg" | "jpeg" => "image/jpeg",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "json" | "map" => "application/json",
        "png" => "image/png",
        "svg" => "image/svg+xml",
        "txt" => "text/plain; charset=utf-8",
        "wasm" => "application/wasm",
        "webmanifest" => "application/manifest+json",
        "webp" => "image/webp",
        "woff2" => "font/woff2",
        _ => "application/octet-stream",
    }
}

/// A name with a hash of its content never changes its content.
fn cache(path: &Path) -> &'static str {
    let stem = path.file_stem().and_then(|stem| stem.to_str());
    let hash = stem.and_then(|stem| stem.rsplit_once(['-', '.'])?.1.into());
    let hashed = hash.is_some_and(|hash: &str| {
        let letters = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        hash.len() >= 8
            && hash.bytes().all(letters)
            && hash
                .bytes()
                .any(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase())
    });
    if hashed && extension(path) != "html" {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_path_leaves_the_folder_or_shows_hidden_files() {
        let folder = Path::new("site");
        assert_eq!(inside(folder, "/"), Some("site/index.html".into()));
        assert_eq!(inside(folder, "/a/b.js"), Some("site/a/b.js".into()));
        for bad in [
            "/../secret",
            "/a/../../b",
            "/.env",
            "/a/.git/config",
            "/%2e%2e/b",
            "x",
        ] {
            assert_eq!(inside(folder, bad), None, "{bad}");
        }
    }

    #[test]
    fn only_hashed_names_are_kept_for_ever() {
        let forever = "public, max-age=31536000, immutable";
        assert_eq!(cache(Path::new("assets/index-BxS3k_9z.js")), forever);
        assert_eq!(cache(Path::new("assets/index.4f3a91c2.css")), forever);
        for changing in ["index.html", "main.js", "react-everything.js", "a-1.js"] {
            assert_eq!(cache(Path::new(changing)), "no-cache", "{changing}");
        }
        assert_eq!(mime(Path::new("rejoinder_bg.wasm")), "application/wasm");
    }
}
