//! Which tokens count, as an operator says it.

use super::{KeysUrlError, Tokens, supabase};

/// Which tokens count, as an operator says it. Empty texts count as not given.
#[derive(Clone, Default)]
pub struct TokenSettings {
    /// Names are tokens (`--dev`).
    pub dev: bool,
    /// The secret that tokens are signed with (HS256).
    pub secret: Option<String>,
    /// The same, of a Supabase project; its users' tokens are demanded then.
    pub supabase_secret: Option<String>,
    /// A Supabase project, such as `https://abc.supabase.co`.
    pub supabase_url: Option<String>,
    /// Where the issuer publishes its keys; beats what the project's URL says.
    pub keys_url: Option<String>,
    /// The `iss` to demand; beats what the project's URL says.
    pub issuer: Option<String>,
    /// The `aud` to demand; beats `authenticated`.
    pub audience: Option<String>,
    /// Whether users who have not signed up are refused.
    pub refuse_anonymous: bool,
}

/// Why no tokens can be accepted this way.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// An empty secret would be everybody's.
    #[error("the secret of --jwt-secret is empty")]
    EmptySecret,
    /// The URL of the keys is not one.
    #[error("the keys of --jwks-url or --supabase-url: {0}")]
    KeysUrl(#[from] KeysUrlError),
    /// One key set serves many applications.
    #[error(
        "--jwks-url needs --jwt-issuer and --jwt-audience: the same keys may sign tokens that are \
         meant for other applications"
    )]
    KeysOfWhom,
    /// There is nothing to check a token with.
    #[error(
        "nobody could come in: set NEXT_PUBLIC_SUPABASE_URL to your Supabase project, or \
         REJOINDER_JWT_SECRET to the secret that your tokens are signed with, or try things out \
         with --dev"
    )]
    NobodyComesIn,
}

impl std::fmt::Debug for TokenSettings {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("TokenSettings(..)")
    }
}

fn given(text: Option<String>) -> Option<String> {
    text.map(|text| text.trim().to_owned())
        .filter(|text| !text.is_empty())
}

impl TokenSettings {
    /// Returns what checks tokens.
    ///
    /// # Errors
    ///
    /// [`SettingsError`].
    pub fn tokens(self) -> Result<Tokens, SettingsError> {
        if self.secret.as_deref() == Some("") {
            return Err(SettingsError::EmptySecret);
        }
        let project = given(self.supabase_url);
        // A frontend's environment may hold the variable without a value.
        let supabase_secret = self.supabase_secret.filter(|secret| !secret.is_empty());
        // Whose secret it is says whose tokens it signs: also without the project's URL.
        let of_supabase = project.is_some() || (self.secret.is_none() && supabase_secret.is_some());
        let secret = self.secret.or(supabase_secret);
        let project = project.as_deref();
        let keys_url = given(self.keys_url).or(project.map(supabase::keys_url));
        let issuer = given(self.issuer).or(project.map(supabase::issuer));
        let audience = given(self.audience);
        let audience = audience.or(of_supabase.then(|| supabase::AUDIENCE.to_owned()));
        if keys_url.is_some() && (issuer.is_none() || audience.is_none()) {
            return Err(SettingsError::KeysOfWhom);
        }
        if secret.is_none() && keys_url.is_none() && !self.dev {
            return Err(SettingsError::NobodyComesIn);
        }
        let mut tokens = Tokens::new().demanding(audience, issuer);
        if let Some(secret) = secret {
            tokens = tokens.with_secret(&secret);
        }
        if let Some(url) = keys_url {
            tokens = tokens.with_issuer_keys(&url)?;
        }
        if of_supabase {
            tokens = tokens.demanding_supabase_users();
        }
        if self.refuse_anonymous {
            tokens = tokens.refusing_anonymous();
        }
        Ok(if self.dev { tokens.with_dev() } else { tokens })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    fn project(url: &str) -> TokenSettings {
        TokenSettings {
            supabase_url: text(url),
            ..TokenSettings::default()
        }
    }

    #[test]
    fn a_projects_url_says_it_all_and_what_is_said_beside_it_wins() {
        for url in [
            "https://p.supabase.co",
            "https://p.supabase.co/",
            " https://p.supabase.co// ",
        ] {
            let tokens = project(url).tokens().unwrap();
            let issuer = tokens.demands.issuer.as_deref();
            assert_eq!(issuer, Some("https://p.supabase.co/auth/v1"), "{url}");
            assert_eq!(tokens.demands.audience.as_deref(), Some("authenticated"));
            assert!(tokens.demands.supabase_user);
            let keys = tokens.issuer_keys.unwrap().url();
            assert_eq!(keys, "https://p.supabase.co/auth/v1/.well-known/jwks.json");
        }
        let settings = TokenSettings {
            issuer: text("https://id.example"),
            audience: text("chat"),
            keys_url: text("https://id.example/keys"),
            ..project("https://p.supabase.co")
        };
        let tokens = settings.tokens().unwrap();
        let demands = &tokens.demands;
        assert_eq!(demands.issuer.as_deref(), Some("https://id.example"));
        assert_eq!(demands.audience.as_deref(), Some("chat"));
        assert_eq!(tokens.issuer_keys.unwrap().url(), "https://id.example/keys");
    }

    #[test]
    fn the_secret_of_a_project_demands_its_users_and_ones_own_does_not() {
        let settings = TokenSettings {
            supabase_secret: text("s"),
            ..TokenSettings::default()
        };
        let demands = settings.clone().tokens().unwrap().demands;
        assert!(demands.supabase_user && demands.audience.is_some());
        let own = TokenSettings {
            secret: text("own"),
            ..settings
        };
        let tokens = own.tokens().unwrap();
        assert_eq!(tokens.secret.as_deref(), Some(b"own".as_slice()));
        assert!(!tokens.demands.supabase_user);
    }

    #[test]
    fn what_would_let_in_nobody_or_too_many_is_explained() {
        let keys = TokenSettings {
            keys_url: text("https://id.example/keys"),
            ..TokenSettings::default()
        };
        let empty = TokenSettings {
            secret: text(""),
            ..TokenSettings::default()
        };
        let audience_only = TokenSettings {
            audience: text("chat"),
            ..keys.clone()
        };
        for (settings, words) in [
            (TokenSettings::default(), "--dev"),
            (project(""), "NEXT_PUBLIC_SUPABASE_URL"),
            (empty, "empty"),
            (keys, "--jwt-issuer"),
            (audience_only, "--jwt-issuer"),
            (project("http://p.supabase.co"), "https://"),
            (project("p.supabase.co"), "not a URL"),
        ] {
            let error = settings.tokens().unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
