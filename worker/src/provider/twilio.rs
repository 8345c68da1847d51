//! Twilio's Messages API. What it takes and answers is Twilio's documentation.

use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use reqwest::{Client, Response, StatusCode, redirect};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::{FailureClass, SendError, Sms, SmsProvider};

const CONNECT_LIMIT: Duration = Duration::from_secs(3);
/// The longest `ValidityPeriod` that Twilio takes.
const LONGEST_VALIDITY: Duration = Duration::from_secs(36_000);

/// How to reach Twilio and who we are there.
#[derive(Clone, Debug)]
pub struct TwilioAccount {
    /// `https://api.twilio.com`, or a proxy's or test's.
    pub base_url: String,
    /// The account (`AC…`).
    pub sid: String,
    /// User name of the basic authentication: an API key's (`SK…`), or the account's.
    pub user: String,
    /// The API key's secret, or the account's auth token.
    pub secret: SecretString,
    /// The sender, in E.164.
    pub from: String,
}

/// Sends by Twilio.
#[derive(Clone, Debug)]
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

#[derive(Default, Deserialize)]
struct Refusal {
    code: Option<u32>,
}

impl Twilio {
    /// A client that keeps connections open between messages, and takes `time_limit` for each at most.
    ///
    /// # Errors
    /// TLS cannot be set up on this machine.
    pub fn new(account: TwilioAccount, time_limit: Duration) -> Result<Self, reqwest::Error> {
        let http = Client::builder()
            .connect_timeout(CONNECT_LIMIT)
            .timeout(time_limit)
            .redirect(redirect::Policy::none())
            .build()?;
        let base = account.base_url.trim_end_matches('/');
        let url = format!("{base}/2010-04-01/Accounts/{}/Messages.json", account.sid);
        Ok(Self { account, url, time_limit, http })
    }

    async fn post(&self, sms: &Sms) -> Result<String, SendError> {
        let validity = sms.valid_for.min(LONGEST_VALIDITY).as_secs().max(1).to_string();
        let form =
            [("To", sms.to.as_str()), ("From", &self.account.from), ("Body", &sms.body), ("ValidityPeriod", &validity)];
        let answer = self
            .http
            .post(&self.url)
            .basic_auth(&self.account.user, Some(self.account.secret.expose_secret()))
            .form(&form)
            .send()
            .await
            .map_err(|error| unanswered(&error))?;
        if answer.status().is_success() { accepted(answer).await } else { Err(refused(answer).await) }
    }
}

impl SmsProvider for Twilio {
    fn name(&self) -> &'static str {
        "twilio"
    }

    fn send<'a>(&'a self, sms: &'a Sms) -> BoxFuture<'a, Result<String, SendError>> {
        self.post(sms).boxed()
    }

    fn time_limit(&self) -> Duration {
        self.time_limit
    }
}

/// A connection that was never made carried no message. Anything later may have.
fn unanswered(error: &reqwest::Error) -> SendError {
    if error.is_connect() {
        SendError::new(FailureClass::Transient, "provider_unreachable")
    } else {
        SendError::new(FailureClass::Ambiguous, "no_answer")
    }
}

async fn accepted(answer: Response) -> Result<String, SendError> {
    let message: Message = answer.json().await.map_err(|_| SendError::new(FailureClass::Ambiguous, "no_answer"))?;
    match message.status.as_str() {
        "failed" | "undelivered" | "canceled" => Err(SendError {
            provider_code: message.error_code,
            ..SendError::new(FailureClass::Permanent, reason_of(message.error_code))
        }),
        _ => Ok(message.sid),
    }
}

/// The status decides, because Twilio refines its codes; the code gives the reason.
async fn refused(answer: Response) -> SendError {
    let status = answer.status();
    let retry_after = answer
        .headers()
        .get(reqwest::header::RETRY_AFTER)
        .and_then(|value| value.to_str().ok()?.parse().ok())
        .map(Duration::from_secs);
    let provider_code = answer.json::<Refusal>().await.unwrap_or_default().code;
    let (class, reason) = match status {
        StatusCode::TOO_MANY_REQUESTS => (FailureClass::Throttled, "throttled"),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => (FailureClass::Misconfigured, "misconfigured"),
        status if status.is_server_error() => (FailureClass::Transient, "provider_error"),
        status if status.is_client_error() => (FailureClass::Permanent, reason_of(provider_code)),
        _ => (FailureClass::Misconfigured, "misconfigured"),
    };
    SendError { class, reason, provider_code, retry_after }
}

fn reason_of(code: Option<u32>) -> &'static str {
    match code {
        Some(21211) => "invalid_number",
        Some(21408) => "country_not_enabled",
        Some(21610) => "opted_out",
        Some(21614) => "not_a_mobile_number",
        _ => "rejected",
    }
}
