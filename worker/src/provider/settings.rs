//! Which providers there are, and in which order they are tried.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use common::config::{
    AppConfig, CallbackConfig, ProviderChoice, ProviderName, SettingError, is_loopback,
};
use common::ledger::dev_inbox::InboxPublisher;
use common::runtime::clock::Clock;
use reqwest::Url;

use super::console::Console;
use super::twilio::{Twilio, TwilioConfig};
use super::webhook::{Webhook, WebhookConfig};
use super::{Providers, SmsProvider};

/// `Debug` hides everything: URLs may hold passwords.
#[derive(Args, Clone)]
pub struct ProviderConfig {
    #[command(flatten)]
    choice: ProviderChoice,
    #[command(flatten)]
    twilio: TwilioConfig,
    #[command(flatten)]
    webhook: WebhookConfig,
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
        inbox: &InboxPublisher,
        clock: &Clock,
    ) -> Result<Providers, SettingError> {
        let timeout = Duration::from_secs(self.provider_timeout_seconds);
        let build = |name| -> Result<Arc<dyn SmsProvider>, SettingError> {
            Ok(match name {
                ProviderName::Console => {
                    let inbox = self.choice.has_dev_inbox(app).then(|| inbox.clone());
                    Arc::new(Console::from_config(app, inbox, clock.clone())?)
                }
                ProviderName::Twilio => {
                    let (shared, own) = (&self.choice, &self.twilio);
                    Arc::new(Twilio::from_config(
                        app,
                        shared,
                        own,
                        callbacks,
                        timeout,
                        clock.clone(),
                    )?)
                }
                ProviderName::Webhook => {
                    Arc::new(Webhook::from_config(app, &self.webhook, timeout, clock.clone())?)
                }
            })
        };
        self.choice.order().iter().map(build).collect::<Result<_, _>>().map(Providers::new)
    }
}

pub(super) fn http_url(text: &str) -> Result<Url, &'static str> {
    match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Ok(url),
        _ => Err("has to be a URL that starts with https:// or http://"),
    }
}

/// Numbers and OTPs, and the secrets that go with them, leave this machine encrypted.
///
/// # Errors
/// In production, `http://` to another machine.
pub(super) fn check_encrypted(app: &AppConfig, name: &str, url: &Url) -> Result<(), SettingError> {
    let in_clear = url.scheme() == "http" && !url.host_str().is_some_and(is_loopback);
    if app.is_production() && in_clear {
        return Err(SettingError::new(
            name,
            "has to start with https:// when APP_ENV=production, but for this machine itself",
        ));
    }
    Ok(())
}

/// For a setting without which `provider` cannot send.
pub(super) fn required<T: Clone>(
    value: &Option<T>,
    name: &str,
    provider: &str,
) -> Result<T, SettingError> {
    let missing = || SettingError::new(name, format!("is not set, and {provider} needs it"));
    value.clone().ok_or_else(missing)
}

pub(super) fn no_tls(error: reqwest::Error) -> SettingError {
    SettingError::new("SMS_PROVIDERS", format!("TLS cannot be set up: {error}"))
}
