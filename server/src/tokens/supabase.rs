//! What a Supabase project's URL tells about its tokens.

/// The `aud` of a signed-in user.
pub(super) const AUDIENCE: &str = "authenticated";

/// Returns the `iss` that the project's tokens bear.
pub(super) fn issuer(project_url: &str) -> String {
    format!("{}/auth/v1", project_url.trim_end_matches('/'))
}

/// Returns where the project publishes its keys.
pub(super) fn keys_url(project_url: &str) -> String {
    format!("{}/.well-known/jwks.json", issuer(project_url))
}
