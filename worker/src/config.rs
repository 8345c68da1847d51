//! The worker's settings.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, Parser};
use common::config::{AppConfig, DatabaseConfig, OtpConfig, RedisConfig, SettingError};
use common::queue::Concurrency;
use common::telemetry::TelemetryConfig;
use secrecy::SecretString;

use crate::provider::SmsProvider;
use crate::provider::console::Console;
use crate::provider::twilio::{Twilio, TwilioAccount};
use crate::sms_text::SmsTextConfig;

/// Sends the SMS that the API queues. Every option is also an environment variable and may stand in `.env`.
#[derive(Clone, Debug, Parser)]
#[command(name = "worker", version)]
pub struct Config {
    /// Where it runs and what it is called.
    #[command(flatten)]
    pub app: AppConfig,
    /// Where users and tokens are.
    #[command(flatten)]
    pub database: DatabaseConfig,
    /// Where OTPs and jobs are.
    #[command(flatten)]
    pub redis: RedisConfig,
    /// How OTPs are made.
    #[command(flatten)]
    pub otp: OtpConfig,
    /// What the SMS says.
    #[command(flatten)]
    pub text: SmsTextConfig,
    /// Who sends.
    #[command(flatten)]
    pub providers: ProviderConfig,
    /// How it works.
    #[command(flatten)]
    pub work: WorkConfig,
    /// How it logs.
    #[command(flatten)]
    pub telemetry: TelemetryConfig,
}

/// How the worker works.
#[derive(Args, Clone, Debug)]
pub struct WorkConfig {
    /// Open provider calls of one worker (1 to 6000)
    #[arg(long, env, default_value_t)]
    pub worker_concurrency: Concurrency,
    /// Seconds that running jobs have to finish after SIGTERM (1 to 300)
    #[arg(long, env, default_value_t = 15, value_parser = clap::value_parser!(u64).range(1..=300))]
    shutdown_grace: u64,
}

impl WorkConfig {
    /// How long running jobs have to finish.
    #[must_use]
    pub fn shutdown_grace(&self) -> Duration {
        Duration::from_secs(self.shutdown_grace)
    }
}

/// A kind of provider.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ProviderName {
    /// Twilio's Messages API.
    Twilio,
    /// Standard output, for development.
    Console,
}

impl FromStr for ProviderName {
    type Err = &'static str;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        match name.trim() {
            "twilio" => Ok(Self::Twilio),
            "console" => Ok(Self::Console),
            _ => Err("has to be twilio or console"),
        }
    }
}

impl fmt::Display for ProviderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Twilio => "twilio",
            Self::Console => "console",
        })
    }
}

/// Who sends.
#[derive(Args, Clone, Debug)]
pub struct ProviderConfig {
    /// `twilio`, or `console` which prints SMS for developers [default: twilio where its settings are there, else console]
    #[arg(long, env)]
    sms_providers: Option<ProviderName>,
    /// Twilio's account SID (AC…)
    #[arg(long, env, hide_env_values = true, value_parser = twilio_account_sid)]
    twilio_sid: Option<String>,
    /// Twilio's auth token, or the secret of the API key
    #[arg(long, env, hide_env_values = true)]
    twilio_api_key: Option<SecretString>,
    /// SID of Twilio's API key (SK…), where one is used [default: TWILIO_SID]
    #[arg(long, env, hide_env_values = true)]
    twilio_api_key_sid: Option<String>,
    /// The number that SMS come from, in E.164, or a short code
    #[arg(long, env, value_parser = sender)]
    twilio_phone_number: Option<String>,
    /// Where Twilio is, for tests and proxies
    #[arg(long, env, default_value = "https://api.twilio.com", value_parser = http_url)]
    twilio_base_url: String,
    /// Seconds that a provider may take to accept an SMS (1 to 60)
    #[arg(long, env, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=60))]
    provider_timeout_seconds: u64,
}

impl ProviderConfig {
    /// The provider to send by.
    ///
    /// # Errors
    /// A setting of Twilio that is missing beside others, or the console in production.
    pub fn provider(&self, app: &AppConfig) -> Result<Arc<dyn SmsProvider>, SettingError> {
        let any_of_twilio =
            self.twilio_sid.is_some() || self.twilio_api_key.is_some() || self.twilio_phone_number.is_some();
        let usual = if any_of_twilio { ProviderName::Twilio } else { ProviderName::Console };
        match self.sms_providers.unwrap_or(usual) {
            ProviderName::Twilio => {
                let time_limit = Duration::from_secs(self.provider_timeout_seconds);
                let twilio = Twilio::new(self.twilio_account()?, time_limit)
                    .map_err(|error| SettingError::new("SMS_PROVIDERS", format!("twilio cannot be set up: {error}")))?;
                Ok(Arc::new(twilio))
            }
            ProviderName::Console if app.is_production() => Err(SettingError::new(
                "SMS_PROVIDERS",
                "console prints OTPs and is refused when APP_ENV=production; set the TWILIO_ settings",
            )),
            ProviderName::Console => Ok(Arc::new(Console)),
        }
    }

    fn twilio_account(&self) -> Result<TwilioAccount, SettingError> {
        let missing = |name| SettingError::new(name, "is not set, and Twilio needs it");
        let sid = self.twilio_sid.clone().ok_or_else(|| missing("TWILIO_SID"))?;
        let secret = self.twilio_api_key.clone().ok_or_else(|| missing("TWILIO_API_KEY"))?;
        let from = self.twilio_phone_number.clone().ok_or_else(|| missing("TWILIO_PHONE_NUMBER"))?;
        let user = self.twilio_api_key_sid.clone().unwrap_or_else(|| sid.clone());
        Ok(TwilioAccount { base_url: self.twilio_base_url.clone(), sid, user, secret, from })
    }
}

fn http_url(text: &str) -> Result<String, &'static str> {
    match reqwest::Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Ok(text.to_owned()),
        _ => Err("has to be a URL that starts with https:// or http://"),
    }
}

fn twilio_account_sid(text: &str) -> Result<String, &'static str> {
    let digits = text.strip_prefix("AC").unwrap_or_default();
    let well_formed = digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    well_formed.then(|| text.to_owned()).ok_or("has to be AC and 32 hexadecimal digits")
}

fn sender(text: &str) -> Result<String, &'static str> {
    let digits = text.strip_prefix('+').unwrap_or(text);
    let length = if text.starts_with('+') { 7..=15 } else { 3..=8 };
    let well_formed = length.contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    well_formed.then(|| text.to_owned()).ok_or("has to be + and 7 to 15 digits, or a short code")
}
