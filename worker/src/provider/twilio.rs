//! Twilio's Messages API. What it takes and answers is Twilio's documentation.

use std::fmt;
use std::time::Duration;

use clap::Args;
use common::config::{
    AppConfig, CallbackConfig, ProviderChoice, ProviderName, SettingError, TWILIO_STATUS_PATH,
    http_url, is_twilio_sid,
};
use common::domain::delivery::Reason;
use common::runtime::clock::Clock;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use reqwest::{Client, Response, Url};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::answer::{self, by_code, refused, unanswered};
use super::settings::{no_tls, required};
use super::{FailureClass, SendError, Sms, SmsProvider};

/// The longest `ValidityPeriod` that Twilio takes.
const LONGEST_VALIDITY: Duration = Duration::from_secs(36_000);

/// Twilio's settings that only the worker needs.
#[derive(Args, Clone)]
pub struct TwilioConfig {
    /// SID of Twilio's API key (SK…), where one is used [default: TWILIO_SID]
    #[arg(long, env, hide_env_values = true, value_parser = user_sid)]
    twilio_api_key_sid: Option<String>,
    /// Where Twilio is, for tests and proxies
    #[arg(long, env, default_value = "https://api.twilio.com", hide_env_values = true, value_parser = http_url)]
    twilio_base_url: Url,
}

#[derive(Clone, Debug)]
enum Sender {
    /// A number of ours in E.164, or a short code.
    Number(String),
    /// A Messaging Service (`MG…`), which picks the number.
    MessagingService(String),
}

/// Sends by Twilio. `Debug` hides the account.
#[derive(Clone)]
pub struct Twilio {
    url: String,
    /// User name of the basic authentication: an API key's (`SK…`), or the account's (`AC…`).
    user: String,
    /// The API key's secret, or the account's auth token.
    secret: SecretString,
    sender: Sender,
    /// Where Twilio reports what becomes of a message, spelled as the API checks signatures with
    /// it; the delivery's id is added as its query.
    status_callback: Option<String>,
    timeout: Duration,
    http: Client,
    clock: Clock,
}

#[derive(Deserialize)]
struct Message {
    sid: String,
    status: String,
    error_code: Option<u32>,
}

impl Twilio {
    /// # Errors
    /// A setting that is missing or wrong, or TLS cannot be set up on this machine.
    pub fn from_config(
        app: &AppConfig,
        shared: &ProviderChoice,
        own: &TwilioConfig,
        callbacks: &CallbackConfig,
        timeout: Duration,
        clock: Clock,
    ) -> Result<Self, SettingError> {
        let account = required(&shared.twilio_sid, "TWILIO_SID", "Twilio")?;
        let secret = required(&shared.twilio_api_key, "TWILIO_API_KEY", "Twilio")?;
        let sender = match &shared.twilio_messaging_service_sid {
            Some(service) => Sender::MessagingService(service.clone()),
            None => Sender::Number(required(
                &shared.twilio_phone_number,
                "TWILIO_PHONE_NUMBER",
                "Twilio",
            )?),
        };
        let status_callback =
            callbacks.both().map(|(public_url, _)| format!("{public_url}{TWILIO_STATUS_PATH}"));
        if let Some(url) = &status_callback {
            let wrong = |error| SettingError::new("PUBLIC_URL", format!("{error}"));
            let url = Url::parse(url).map_err(wrong)?;
            app.check_encrypted("PUBLIC_URL", url.scheme(), url.host_str())?;
        }
        let url = &own.twilio_base_url;
        app.check_encrypted("TWILIO_BASE_URL", url.scheme(), url.host_str())?;
        let base = own.twilio_base_url.as_str().trim_end_matches('/');
        Ok(Self {
            url: format!("{base}/2010-04-01/Accounts/{account}/Messages.json"),
            user: own.twilio_api_key_sid.clone().unwrap_or(account),
            secret,
            sender,
            status_callback,
            timeout,
            http: answer::client(timeout).map_err(no_tls)?,
            clock,
        })
    }

    async fn post(&self, sms: &Sms) -> Result<String, SendError> {
        let validity = sms.valid_for.min(LONGEST_VALIDITY).as_secs().max(1).to_string();
        let (sender_field, sender) = match &self.sender {
            Sender::Number(number) => ("From", number),
            Sender::MessagingService(sid) => ("MessagingServiceSid", sid),
        };
        let status_callback = self
            .status_callback
            .as_ref()
            .map(|url| format!("{url}?delivery_id={}", sms.delivery_id));
        let mut form = vec![
            ("To", sms.to.as_str()),
            (sender_field, sender),
            ("Body", &sms.body),
            ("ValidityPeriod", &validity),
        ];
        form.extend(status_callback.as_deref().map(|url| ("StatusCallback", url)));
        let answer = answer::post(&self.http, &self.url, self.timeout, sms)
            .basic_auth(&self.user, Some(self.secret.expose_secret()))
            .form(&form)
            .send()
            .await
            .map_err(|error| unanswered(&error))?;
        if answer.status().is_success() {
            accepted(answer).await
        } else {
            Err(refused(answer, &self.clock).await)
        }
    }
}

impl fmt::Debug for Twilio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Twilio(…)")
    }
}

impl SmsProvider for Twilio {
    fn name(&self) -> &'static str {
        ProviderName::Twilio.into_str()
    }

    fn send<'a>(&'a self, sms: &'a Sms) -> BoxFuture<'a, Result<String, SendError>> {
        self.post(sms).boxed()
    }

    fn time_limit(&self) -> Duration {
        self.timeout
    }
}

async fn accepted(answer: Response) -> Result<String, SendError> {
    let message: Message = answer
        .json()
        .await
        .map_err(|_| SendError::new(FailureClass::Ambiguous, Reason::NoAnswer))?;
    match message.status.as_str() {
        "failed" | "undelivered" | "canceled" => {
            let (class, reason) = by_code(message.error_code);
            Err(SendError { provider_code: message.error_code, ..SendError::new(class, reason) })
        }
        _ => Ok(message.sid),
    }
}

fn user_sid(text: &str) -> Result<String, &'static str> {
    let well_formed = is_twilio_sid("SK", text) || is_twilio_sid("AC", text);
    well_formed.then(|| text.to_owned()).ok_or("has to be SK and 32 hexadecimal digits")
}
