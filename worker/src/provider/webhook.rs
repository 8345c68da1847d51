//! Posts messages to a URL, signed after the Standard Webhooks specification, so that any SMS
//! service can be plugged in.

use std::fmt;
use std::time::Duration;

use clap::Args;
use common::config::{AppConfig, ProviderName, SettingError, http_url};
use common::domain::delivery::Reason;
use common::runtime::clock::Clock;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use reqwest::{Client, Url};
use serde::Deserialize;
use serde_json::json;

use super::answer::{self, refused, unanswered};
use super::settings::{no_tls, required};
use super::{FailureClass, SendError, Sms, SmsProvider};
use crate::webhook_signature::WebhookSecret;

#[derive(Args, Clone)]
pub struct WebhookConfig {
    /// Where `webhook` posts SMS to
    #[arg(long, env, hide_env_values = true, value_parser = http_url)]
    sms_webhook_url: Option<Url>,
    /// Secret that signs them (Standard Webhooks): `whsec_` and 24 to 64 bytes in base64
    #[arg(long, env, hide_env_values = true, value_parser = WebhookSecret::parse)]
    sms_webhook_secret: Option<WebhookSecret>,
}

/// Hands messages to a URL of the operator's. `Debug` hides it: it may hold a password.
#[derive(Clone)]
pub struct Webhook {
    url: Url,
    secret: WebhookSecret,
    timeout: Duration,
    http: Client,
    clock: Clock,
}

#[derive(Default, Deserialize)]
struct Accepted {
    #[serde(default)]
    id: String,
}

impl Webhook {
    /// # Errors
    /// A setting that is missing, or TLS cannot be set up on this machine.
    pub fn from_config(
        app: &AppConfig,
        config: &WebhookConfig,
        timeout: Duration,
        clock: Clock,
    ) -> Result<Self, SettingError> {
        let url = required(&config.sms_webhook_url, "SMS_WEBHOOK_URL", "the provider webhook")?;
        app.check_encrypted("SMS_WEBHOOK_URL", url.scheme(), url.host_str())?;
        Ok(Self {
            url,
            secret: required(
                &config.sms_webhook_secret,
                "SMS_WEBHOOK_SECRET",
                "the provider webhook",
            )?,
            timeout,
            http: answer::client(timeout).map_err(no_tls)?,
            clock,
        })
    }

    async fn post(&self, sms: &Sms) -> Result<String, SendError> {
        let body = json!({
            "type": "sms.send",
            "data": { "to": sms.to, "body": sms.body, "valid_for_seconds": sms.valid_for.as_secs() },
        })
        .to_string();
        let timestamp = self.clock.unix_ms().div_euclid(1000);
        let request = answer::post(&self.http, self.url.clone(), self.timeout, sms);
        let answer = self
            .secret
            .signed(request, &sms.delivery_id, timestamp, body)
            .send()
            .await
            .map_err(|error| unanswered(&error))?;
        if !answer.status().is_success() {
            return Err(refused(answer, &self.clock).await);
        }
        let body = answer
            .bytes()
            .await
            .map_err(|_| SendError::new(FailureClass::Ambiguous, Reason::NoAnswer))?;
        // An id in the answer is a courtesy.
        Ok(serde_json::from_slice::<Accepted>(&body).unwrap_or_default().id)
    }
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Webhook(…)")
    }
}

impl SmsProvider for Webhook {
    fn name(&self) -> &'static str {
        ProviderName::Webhook.into_str()
    }

    fn send<'a>(&'a self, sms: &'a Sms) -> BoxFuture<'a, Result<String, SendError>> {
        self.post(sms).boxed()
    }

    fn time_limit(&self) -> Duration {
        self.timeout
    }
}
