//! Which providers there are, and in which order they are tried.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use common::config::{
    AppConfig, CallbackConfig, ProviderChoice, ProviderName, SettingError, TWILIO_STATUS_PATH, is_twilio_sid,
};
use common::ledger::dev_inbox::InboxPublisher;
use common::runtime::clock::Clock;
use reqwest::Url;

use super::console::Console;
use super::twilio::{Sender, Twilio, TwilioAccount};
use super::webhook::{Webhook, WebhookSecret};
use super::{Providers, SmsProvider};

/// Who sends. `Debug` hides everything: URLs may hold passwords.
#[derive(Args, Clone)]
pub struct ProviderConfig {
    #[command(flatten)]
    choice: ProviderChoice,
    /// SID of Twilio's API key (SK…), where one is used [default: TWILIO_SID]
    #[arg(long, env, hide_env_values = true, value_parser = twilio_user)]
    twilio_api_key_sid: Option<String>,
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
        inbox: &InboxPublisher,
        clock: &Clock,
    ) -> Result<Providers, SettingError> {
        let build = |name| match name {
            ProviderName::Console => self.console(app, inbox, clock),
            ProviderName::Twilio => self.twilio(callbacks),
            ProviderName::Webhook => self.webhook(clock),
        };
        self.choice.order().iter().map(build).collect::<Result<_, _>>().map(Providers::new)
    }

    fn time_limit(&self) -> Duration {
        Duration::from_secs(self.provider_timeout_seconds)
    }

    fn console(
        &self,
        app: &AppConfig,
        inbox: &InboxPublisher,
        clock: &Clock,
    ) -> Result<Arc<dyn SmsProvider>, SettingError> {
        if app.is_production() {
            return Err(SettingError::new(
                "SMS_PROVIDERS",
                "console prints OTPs and is refused when APP_ENV=production; set up twilio or webhook",
            ));
        }
        let inbox = self.choice.has_dev_inbox(app).then(|| inbox.clone());
        Ok(Arc::new(Console { inbox, clock: clock.clone() }))
    }

    fn webhook(&self, clock: &Clock) -> Result<Arc<dyn SmsProvider>, SettingError> {
        let missing = |name| SettingError::new(name, "is not set, and the provider webhook needs it");
        let url = self.sms_webhook_url.clone().ok_or_else(|| missing("SMS_WEBHOOK_URL"))?;
        let secret = self.sms_webhook_secret.clone().ok_or_else(|| missing("SMS_WEBHOOK_SECRET"))?;
        Ok(Arc::new(Webhook::new(url, secret, self.time_limit(), clock.clone()).map_err(no_tls)?))
    }

    fn twilio(&self, callbacks: &CallbackConfig) -> Result<Arc<dyn SmsProvider>, SettingError> {
        Ok(Arc::new(Twilio::new(self.twilio_account(callbacks)?, self.time_limit()).map_err(no_tls)?))
    }

    fn twilio_account(&self, callbacks: &CallbackConfig) -> Result<TwilioAccount, SettingError> {
        let twilio = &self.choice;
        let missing = |name| SettingError::new(name, "is not set, and Twilio needs it");
        let sid = twilio.twilio_sid.clone().ok_or_else(|| missing("TWILIO_SID"))?;
        let secret = twilio.twilio_api_key.clone().ok_or_else(|| missing("TWILIO_API_KEY"))?;
        let sender = match (&twilio.twilio_messaging_service_sid, &twilio.twilio_phone_number) {
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

fn twilio_user(text: &str) -> Result<String, &'static str> {
    let well_formed = is_twilio_sid("SK", text) || is_twilio_sid("AC", text);
    well_formed.then(|| text.to_owned()).ok_or("has to be SK and 32 hexadecimal digits")
}

fn no_tls(error: reqwest::Error) -> SettingError {
    SettingError::new("SMS_PROVIDERS", format!("TLS cannot be set up: {error}"))
}
