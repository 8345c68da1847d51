//! Posts messages to a URL, signed after the Standard Webhooks specification, so that any SMS
//! service can be plugged in.

use std::fmt;
use std::time::Duration;

use clap::Args;
use common::config::{AppConfig, ProviderName, SettingError};
use common::domain::delivery::Reason;
use common::runtime::clock::Clock;
use data_encoding::BASE64;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use hmac::{Hmac, KeyInit, Mac};
use reqwest::{Client, Url};
use serde::Deserialize;
use serde_json::json;
use sha2::Sha256;

use super::answer::{self, refused, unanswered};
use super::settings::{http_url, no_tls, required};
use super::{FailureClass, SendError, Sms, SmsProvider};

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

/// `whsec_` and 24 to 64 bytes in base64. `Debug` hides them.
#[derive(Clone)]
pub struct WebhookSecret(Hmac<Sha256>);

#[derive(Default, Deserialize)]
struct Accepted {
    #[serde(default)]
    id: String,
}

impl WebhookSecret {
    /// # Errors
    /// Text of another form.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        text.strip_prefix("whsec_")
            .and_then(|encoded| BASE64.decode(encoded.as_bytes()).ok())
            .filter(|bytes| (24..=64).contains(&bytes.len()))
            .and_then(|bytes| Hmac::new_from_slice(&bytes).ok())
            .map(Self)
            .ok_or("has to be whsec_ and 24 to 64 bytes in base64")
    }

    /// The signature of one message, as the header carries it.
    fn sign(&self, id: &str, timestamp: i64, body: &str) -> String {
        let text = format!("{id}.{timestamp}.{body}");
        let mac = self.0.clone().chain_update(text).finalize();
        format!("v1,{}", BASE64.encode(&mac.into_bytes()))
    }
}

impl fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookSecret(…)")
    }
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
        let answer = answer::post(&self.http, self.url.clone(), self.timeout, sms)
            .header("content-type", "application/json")
            .header("webhook-id", &sms.delivery_id)
            .header("webhook-timestamp", timestamp)
            .header("webhook-signature", self.secret.sign(&sms.delivery_id, timestamp, &body))
            .body(body)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_the_hmac_of_id_timestamp_and_body() {
        // Computed with: printf 'msg_1.1700000000.{}' | openssl dgst -sha256 -hmac <24 times "k">
        // -binary | base64
        let secret =
            WebhookSecret::parse(&format!("whsec_{}", BASE64.encode(&[b'k'; 24]))).unwrap();
        assert_eq!(
            secret.sign("msg_1", 1_700_000_000, "{}"),
            "v1,E3sCg9uS8x43RKlJqcda1EcaYZxNkN+l2u7RBZBSZQQ="
        );
    }

    #[test]
    fn a_secret_of_another_form_is_refused() {
        for text in ["", "whsec_", "whsec_AAAA", "whsec_not base64", &BASE64.encode(&[0; 32])] {
            assert!(WebhookSecret::parse(text).is_err(), "{text}");
        }
    }
}
