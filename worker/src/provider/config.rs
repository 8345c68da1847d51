//! Which providers there are, and in which order they are tried.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueEnum};
use common::clock::Clock;
use common::config::{AppConfig, CallbackConfig, SettingError, TWILIO_STATUS_PATH};
use reqwest::Url;
use secrecy::SecretString;

use super::console::Console;
use super::twilio::{Sender, Twilio, TwilioAccount};
use super::webhook::{Webhook, WebhookSecret};
use super::{Providers, SmsProvider};

/// A kind of provider.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum ProviderName {
    /// Twilio.
    Twilio,
    /// A service of the operator's own.
    Webhook,
    /// Prints SMS for developers.
    Console,
}

impl ProviderName {
    /// All there are.
    pub const ALL: [Self; 3] = [Self::Twilio, Self::Webhook, Self::Console];

    /// As settings and breakers call it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Twilio => "twilio",
            Self::Webhook => "webhook",
            Self::Console => "console",
        }
    }
}

/// Providers in the order in which they are tried, each once.
#[derive(Clone, Debug)]
struct ProviderOrder(Vec<ProviderName>);

impl FromStr for ProviderOrder {
    type Err = &'static str;

    fn from_str(list: &str) -> Result<Self, Self::Err> {
        let mut order = Vec::new();
        for name in list.split(',') {
            let known = ProviderName::ALL.into_iter().find(|known| known.as_str() == name.trim());
            let name = known.ok_or("has to be a list of twilio, webhook and console")?;
            if order.contains(&name) {
                return Err("names a provider twice");
            }
            order.push(name);
        }
        Ok(Self(order))
    }
}

/// Who sends. `Debug` hides everything: URLs may hold passwords.
#[derive(Args, Clone)]
pub struct ProviderConfig {
    /// `twilio`, `webhook`, `console` (prints SMS for developers), comma-separated in the order in which they are tried
    /// [default: twilio where its settings are there, else console]
    #[arg(long, env)]
    sms_providers: Option<ProviderOrder>,
    /// Twilio's account SID (AC…)
    #[arg(long, env, hide_env_values = true, value_parser = twilio_account_sid)]
    twilio_sid: Option<String>,
    /// Twilio's auth token, or the secret of the API key
    #[arg(long, env, hide_env_values = true)]
    twilio_api_key: Option<SecretString>,
    /// SID of Twilio's API key (SK…), where one is used [default: TWILIO_SID]
    #[arg(long, env, hide_env_values = true, value_parser = twilio_user)]
    twilio_api_key_sid: Option<String>,
    /// The number that SMS come from, in E.164, or a short code
    #[arg(long, env, value_parser = sender_number)]
    twilio_phone_number: Option<String>,
    /// Twilio's Messaging Service (MG…) that picks the number, in place of TWILIO_PHONE_NUMBER
    #[arg(long, env, value_parser = twilio_messaging_service_sid)]
    twilio_messaging_service_sid: Option<String>,
    /// Where Twilio is, for tests and proxies
    #[arg(long, env, default_value = "https://api.twilio.com", hide_env_values = true, value_parser = http_url)]
    twilio_base_url: Url,
    /// Where `webhook` posts SMS to
    #[arg(long, env, hide_env_values = true, value_parser = http_url)]
    sms_webhook_url: Option<Url>,
    /// Secret that signs them (Standard Webhooks): whsec_ and 24 to 64 bytes in base64
    #[arg(long, env, hide_env_values = true, value_parser = WebhookSecret::parse)]
    sms_webhook_secret: Option<WebhookSecret>,
    /// Seconds that a provider may take to accept an SMS (1 to 60)
    #[arg(long, env, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=60))]
    provider_timeout_seconds: u64,
}

impl fmt::Debug for ProviderConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProviderConfig").finish_non_exhaustive()
    }
}

impl ProviderConfig {
    /// The providers to send by.
    ///
    /// # Errors
    /// A setting that a provider needs and has not got, or the console in production.
    pub fn providers(
        &self,
        app: &AppConfig,
        callbacks: &CallbackConfig,
        clock: &Clock,
    ) -> Result<Providers, SettingError> {
        let order = self.sms_providers.clone().unwrap_or_else(|| self.usual_order());
        let build = |name: &ProviderName| self.build(*name, app, callbacks, clock);
        order.0.iter().map(build).collect::<Result<_, _>>().map(Providers::new)
    }

    fn usual_order(&self) -> ProviderOrder {
        let any_of_twilio = self.twilio_sid.is_some()
            || self.twilio_api_key.is_some()
            || self.twilio_phone_number.is_some()
            || self.twilio_messaging_service_sid.is_some();
        ProviderOrder(vec![if any_of_twilio { ProviderName::Twilio } else { ProviderName::Console }])
    }

    fn build(
        &self,
        name: ProviderName,
        app: &AppConfig,
        callbacks: &CallbackConfig,
        clock: &Clock,
    ) -> Result<Arc<dyn SmsProvider>, SettingError> {
        let time_limit = Duration::from_secs(self.provider_timeout_seconds);
        let no_tls = |error| SettingError::new("SMS_PROVIDERS", format!("TLS cannot be set up: {error}"));
        match name {
            ProviderName::Twilio => {
                Ok(Arc::new(Twilio::new(self.twilio_account(callbacks)?, time_limit).map_err(no_tls)?))
            }
            ProviderName::Webhook => {
                let missing = |name| SettingError::new(name, "is not set, and the provider webhook needs it");
                let url = self.sms_webhook_url.clone().ok_or_else(|| missing("SMS_WEBHOOK_URL"))?;
                let secret = self.sms_webhook_secret.clone().ok_or_else(|| missing("SMS_WEBHOOK_SECRET"))?;
                Ok(Arc::new(Webhook::new(url, secret, time_limit, clock.clone()).map_err(no_tls)?))
            }
            ProviderName::Console if app.is_production() => Err(SettingError::new(
                "SMS_PROVIDERS",
                "console prints OTPs and is refused when APP_ENV=production; set up twilio or webhook",
            )),
            ProviderName::Console => Ok(Arc::new(Console)),
        }
    }

    fn twilio_account(&self, callbacks: &CallbackConfig) -> Result<TwilioAccount, SettingError> {
        let missing = |name| SettingError::new(name, "is not set, and Twilio needs it");
        let sid = self.twilio_sid.clone().ok_or_else(|| missing("TWILIO_SID"))?;
        let secret = self.twilio_api_key.clone().ok_or_else(|| missing("TWILIO_API_KEY"))?;
        let sender = match (&self.twilio_messaging_service_sid, &self.twilio_phone_number) {
            (Some(service), _) => Sender::MessagingService(service.clone()),
            (None, Some(number)) => Sender::Number(number.clone()),
            (None, None) => return Err(missing("TWILIO_PHONE_NUMBER")),
        };
        let status_callback = callbacks.both().map(|(public_url, _)| format!("{public_url}{TWILIO_STATUS_PATH}"));
        if let Some(Err(error)) = status_callback.as_deref().map(Url::parse) {
            return Err(SettingError::new("PUBLIC_URL", error.to_string()));
        }
        let user = self.twilio_api_key_sid.clone().unwrap_or_else(|| sid.clone());
        Ok(TwilioAccount { base_url: self.twilio_base_url.clone(), sid, user, secret, sender, status_callback })
    }
}

fn http_url(text: &str) -> Result<Url, &'static str> {
    match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Ok(url),
        _ => Err("has to be a URL that starts with https:// or http://"),
    }
}

fn twilio_account_sid(text: &str) -> Result<String, &'static str> {
    is_sid("AC", text).then(|| text.to_owned()).ok_or("has to be AC and 32 hexadecimal digits")
}

fn twilio_user(text: &str) -> Result<String, &'static str> {
    let well_formed = is_sid("SK", text) || is_sid("AC", text);
    well_formed.then(|| text.to_owned()).ok_or("has to be SK and 32 hexadecimal digits")
}

fn twilio_messaging_service_sid(text: &str) -> Result<String, &'static str> {
    is_sid("MG", text).then(|| text.to_owned()).ok_or("has to be MG and 32 hexadecimal digits")
}

fn is_sid(prefix: &str, text: &str) -> bool {
    let digits = text.strip_prefix(prefix).unwrap_or_default();
    digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn sender_number(text: &str) -> Result<String, &'static str> {
    let digits = text.strip_prefix('+').unwrap_or(text);
    let length = if text.starts_with('+') { 7..=15 } else { 3..=8 };
    let well_formed = length.contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    well_formed.then(|| text.to_owned()).ok_or("has to be + and 7 to 15 digits, or a short code")
}
