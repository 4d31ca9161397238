//! Which tokens count, on the command line and in the environment.

use clap::Args;
use clap::builder::FalseyValueParser;
use rejoinder_gateway::tokens::TokenSettings;

#[derive(Args)]
#[command(next_help_heading = "Who may connect")]
pub(crate) struct TokenOptions {
    /// Your Supabase project, such as `https://abc.supabase.co`. Its signed-in users may connect:
    /// issuer `<url>/auth/v1`, keys from `<url>/auth/v1/.well-known/jwks.json`, audience and role
    /// `authenticated`, a UUID as `sub`. Its anon and service keys may not, and are not needed.
    /// `SUPABASE_URL` is read too.
    #[arg(
        long,
        global = true,
        env = "NEXT_PUBLIC_SUPABASE_URL",
        value_name = "URL"
    )]
    supabase_url: Option<String>,
    /// The secret that tokens are signed with (HS256). Better set by the environment: a command
    /// line shows in process lists. `SUPABASE_JWT_SECRET`, the legacy secret of a project, is read
    /// too; then its users' tokens are demanded as with --supabase-url.
    #[arg(
        long,
        global = true,
        env = "REJOINDER_JWT_SECRET",
        value_name = "SECRET",
        hide_env_values = true
    )]
    jwt_secret: Option<String>,
    /// Where an issuer publishes its keys (ES256, RS256): `https://`, or `http://` on this machine.
    /// Fetched when needed, at least every 10 minutes; after an hour without an answer nobody is
    /// let in. Without --supabase-url it needs --jwt-issuer and --jwt-audience.
    #[arg(long, global = true, env = "REJOINDER_JWKS_URL", value_name = "URL")]
    jwks_url: Option<String>,
    /// Demand this `aud` in every token.
    #[arg(
        long,
        global = true,
        env = "REJOINDER_JWT_AUDIENCE",
        value_name = "AUD"
    )]
    jwt_audience: Option<String>,
    /// Demand this `iss` in every token.
    #[arg(long, global = true, env = "REJOINDER_JWT_ISSUER", value_name = "ISS")]
    jwt_issuer: Option<String>,
    /// Refuse users who have not signed up (`is_anonymous` in Supabase tokens).
    #[arg(
        long,
        global = true,
        env = "REJOINDER_REFUSE_ANONYMOUS",
        value_parser = FalseyValueParser::new()
    )]
    refuse_anonymous: bool,
}

impl TokenOptions {
    /// Returns what they say, with what else the environment of a Supabase application holds.
    pub(crate) fn settings(self, dev: bool) -> TokenSettings {
        let environment = |name: &str| std::env::var(name).ok();
        let url = self.supabase_url.filter(|url| !url.trim().is_empty());
        TokenSettings {
            dev,
            secret: self.jwt_secret,
            supabase_secret: environment("SUPABASE_JWT_SECRET"),
            supabase_url: url.or_else(|| environment("SUPABASE_URL")),
            keys_url: self.jwks_url,
            issuer: self.jwt_issuer,
            audience: self.jwt_audience,
            refuse_anonymous: self.refuse_anonymous,
        }
    }
}
