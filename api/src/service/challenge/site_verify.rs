//! Challenges of Cloudflare Turnstile and hCaptcha, whose solutions their `siteverify` checks.

use std::time::Duration;

use common::config::{AppConfig, SettingError};
use common::domain::client::ClientAddress;
use reqwest::{Client, redirect};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};

use super::ChallengeError;

const TIME_LIMIT: Duration = Duration::from_secs(3);

/// A provider of challenges.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Site {
    Turnstile,
    Hcaptcha,
}

impl Site {
    const fn kind(self) -> &'static str {
        match self {
            Self::Turnstile => "turnstile",
            Self::Hcaptcha => "hcaptcha",
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Turnstile => "Turnstile",
            Self::Hcaptcha => "hCaptcha",
        }
    }

    /// Where it checks solutions.
    #[must_use]
    pub const fn verify_url(self) -> &'static str {
        match self {
            Self::Turnstile => "https://challenges.cloudflare.com/turnstile/v0/siteverify",
            Self::Hcaptcha => "https://api.hcaptcha.com/siteverify",
        }
    }
}

/// Asks a provider.
#[derive(Clone, Debug)]
pub struct SiteVerify {
    site: Site,
    site_key: String,
    secret: SecretString,
    url: String,
    client: Client,
}

#[derive(Deserialize)]
struct Answer {
    success: bool,
    #[serde(default, rename = "error-codes")]
    error_codes: Vec<String>,
}

impl SiteVerify {
    /// # Errors
    /// A URL that is none, or in production one that is not encrypted.
    pub fn new(
        app: &AppConfig,
        site: Site,
        site_key: String,
        secret: SecretString,
        url: String,
    ) -> Result<Self, SettingError> {
        let wrong = |_| SettingError::new("CHALLENGE_VERIFY_URL", "is not a URL");
        let parsed = reqwest::Url::parse(&url).map_err(wrong)?;
        app.check_encrypted("CHALLENGE_VERIFY_URL", parsed.scheme(), parsed.host_str())?;
        let client =
            Client::builder().timeout(TIME_LIMIT).redirect(redirect::Policy::none()).build();
        let client =
            client.map_err(|_| SettingError::new("CHALLENGE", "cannot be checked over HTTP"))?;
        Ok(Self { site, site_key, secret, url, client })
    }

    pub(super) fn challenge(&self) -> Value {
        json!({ "kind": self.site.kind(), "site_key": self.site_key })
    }

    /// The provider itself sees to it that a solution is good once.
    pub(super) async fn is_solved(
        &self,
        solution: &str,
        address: ClientAddress,
    ) -> Result<bool, ChallengeError> {
        let address = address.to_string();
        let mut form = vec![("secret", self.secret.expose_secret()), ("response", solution)];
        // Of an IPv6 address only the network is known here.
        if !address.contains('/') {
            form.push(("remoteip", &address));
        }
        let away = |error: &dyn std::fmt::Display| {
            let provider = self.site.name();
            tracing::error!(event = "challenge_not_checked", provider, %error);
            ChallengeError::Provider(provider)
        };
        let answer = self.client.post(&self.url).form(&form).send().await;
        let answer = answer.and_then(reqwest::Response::error_for_status);
        let answer = answer.map_err(|error| away(&error.without_url()))?;
        let answer: Answer = answer.json().await.map_err(|error| away(&error.without_url()))?;
        // These are ours, not the client's.
        let our_fault = |code: &&String| code.contains("-secret") || *code == "internal-error";
        match answer.error_codes.iter().find(our_fault) {
            Some(code) => Err(away(code)),
            None => Ok(answer.success),
        }
    }
}
