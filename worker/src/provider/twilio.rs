//! Twilio's Messages API. What it takes and answers is Twilio's documentation.

use std::fmt;
use std::time::Duration;

use common::domain::delivery::Reason;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use reqwest::{Client, Response, Url};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::answer::{self, reason_of, refused, unanswered};
use super::{FailureClass, SendError, Sms, SmsProvider};
use common::config::ProviderName;

/// The longest `ValidityPeriod` that Twilio takes.
const LONGEST_VALIDITY: Duration = Duration::from_secs(36_000);

/// How to reach Twilio and who we are there.
#[derive(Clone)]
pub struct TwilioAccount {
    /// `https://api.twilio.com`, or a proxy's or test's.
    pub base_url: Url,
    /// The account (`AC…`).
    pub sid: String,
    /// User name of the basic authentication: an API key's (`SK…`), or the account's.
    pub user: String,
    /// The API key's secret, or the account's auth token.
    pub secret: SecretString,
    /// Who sends.
    pub sender: Sender,
    /// Where Twilio is to report what becomes of a message, in the very spelling that the API checks signatures with; the
    /// delivery's id is added as its query.
    pub status_callback: Option<String>,
}

/// Who a message comes from.
#[derive(Clone, Debug)]
pub enum Sender {
    /// A number of ours in E.164, or a short code.
    Number(String),
    /// A Messaging Service (`MG…`), which picks the number.
    MessagingService(String),
}

/// Sends by Twilio. `Debug` hides the account.
#[derive(Clone)]
pub struct Twilio {
    account: TwilioAccount,
    url: String,
    time_limit: Duration,
    http: Client,
}

#[derive(Deserialize)]
struct Message {
    sid: String,
    status: String,
    error_code: Option<u32>,
}

impl Twilio {
    /// A client that keeps connections open between messages, and takes `time_limit` for each at most.
    ///
    /// # Errors
    /// TLS cannot be set up on this machine.
    pub fn new(account: TwilioAccount, time_limit: Duration) -> Result<Self, reqwest::Error> {
        let http = answer::client(time_limit)?;
        let base = account.base_url.as_str().trim_end_matches('/');
        let url = format!("{base}/2010-04-01/Accounts/{}/Messages.json", account.sid);
        Ok(Self { account, url, time_limit, http })
    }

    async fn post(&self, sms: &Sms) -> Result<String, SendError> {
        let validity = sms.valid_for.min(LONGEST_VALIDITY).as_secs().max(1).to_string();
        let (sender_field, sender) = match &self.account.sender {
            Sender::Number(number) => ("From", number),
            Sender::MessagingService(sid) => ("MessagingServiceSid", sid),
        };
        let status_callback =
            self.account.status_callback.as_ref().map(|url| format!("{url}?delivery_id={}", sms.delivery_id));
        let mut form =
            vec![("To", sms.to.as_str()), (sender_field, sender), ("Body", &sms.body), ("ValidityPeriod", &validity)];
        form.extend(status_callback.as_deref().map(|url| ("StatusCallback", url)));
        let answer = answer::post(&self.http, &self.url, self.time_limit, sms)
            .basic_auth(&self.account.user, Some(self.account.secret.expose_secret()))
            .form(&form)
            .send()
            .await
            .map_err(|error| unanswered(&error))?;
        if answer.status().is_success() { accepted(answer).await } else { Err(refused(answer).await) }
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
        self.time_limit
    }
}

async fn accepted(answer: Response) -> Result<String, SendError> {
    let message: Message =
        answer.json().await.map_err(|_| SendError::new(FailureClass::Ambiguous, Reason::NoAnswer))?;
    match message.status.as_str() {
        "failed" | "undelivered" | "canceled" => Err(SendError {
            provider_code: message.error_code,
            ..SendError::new(FailureClass::Permanent, reason_of(message.error_code))
        }),
        _ => Ok(message.sid),
    }
}
