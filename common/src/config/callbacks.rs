use clap::Args;
use secrecy::SecretString;

/// Where Twilio reports what became of an SMS. API and worker share it.
#[derive(Args, Clone, Debug)]
pub struct CallbackConfig {
    /// Where the API is reached from outside, like `https://signin.example.com`: the issuer of JWTs
    /// and the beginning of the URLs of links and pictures; with the sign-in page and signing keys,
    /// apps let users sign in here by OpenID Connect; with TWILIO_AUTH_TOKEN it turns Twilio's
    /// delivery reports on
    #[arg(long, env, value_parser = public_url)]
    pub public_url: Option<String>,
    /// Twilio's auth token, with which it signs its reports
    #[arg(long, env, hide_env_values = true)]
    pub twilio_auth_token: Option<SecretString>,
}

impl CallbackConfig {
    /// Public URL (without a slash at its end) and auth token, where both are set.
    #[must_use]
    pub fn both(&self) -> Option<(&str, &SecretString)> {
        Some((self.issuer()?, self.twilio_auth_token.as_ref()?))
    }

    /// The public URL without a slash at its end, where it is set.
    #[must_use]
    pub fn issuer(&self) -> Option<&str> {
        Some(self.public_url.as_deref()?.trim_end_matches('/'))
    }
}

/// Path of the API that takes Twilio's reports.
pub const TWILIO_STATUS_PATH: &str = "/webhooks/twilio/status";

fn public_url(text: &str) -> Result<String, &'static str> {
    let host =
        text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).unwrap_or_default();
    let plain = !host.is_empty() && !host.contains(['?', '#', '@', ' ']);
    plain.then(|| text.to_owned()).ok_or("has to be like https://signin.example.com")
}
