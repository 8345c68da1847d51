//! What the answer of an HTTP provider means, or that there is none. All HTTP providers use this.

use std::time::Duration;

use common::domain::delivery::Reason;
use reqwest::{Client, IntoUrl, RequestBuilder, Response, StatusCode, redirect};
use serde::Deserialize;

use super::{FailureClass, SendError, Sms};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// The longest that a provider is believed to want to be left alone: a wrong answer must not end
/// all sending.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(5 * 60);

#[derive(Default, Deserialize)]
struct Refusal {
    code: Option<u32>,
}

/// A client that keeps connections open between messages, follows no redirects, and takes
/// `time_limit` for each at most.
///
/// # Errors
/// TLS cannot be set up on this machine.
pub(super) fn client(time_limit: Duration) -> Result<Client, reqwest::Error> {
    Client::builder()
        .connect_timeout(CONNECT_TIMEOUT.min(time_limit))
        .timeout(time_limit)
        .redirect(redirect::Policy::none())
        .build()
}

/// Starts a request that ends with the SMS's life, so that a connection that takes long to be made
/// carries no SMS that has expired.
pub(super) fn post(
    client: &Client,
    url: impl IntoUrl,
    time_limit: Duration,
    sms: &Sms,
) -> RequestBuilder {
    client.post(url).timeout(time_limit.min(sms.valid_for))
}

/// A connection that was never made carried no message. Anything later may have.
pub(super) fn unanswered(error: &reqwest::Error) -> SendError {
    if error.is_connect() {
        SendError::new(FailureClass::Transient, Reason::ProviderUnavailable)
    } else {
        SendError::new(FailureClass::Ambiguous, Reason::NoAnswer)
    }
}

/// The status decides, because providers refine their codes; the code gives the reason.
pub(super) async fn refused(answer: Response) -> SendError {
    let status = answer.status();
    let retry_after = answer
        .headers()
        .get(reqwest::header::RETRY_AFTER)
        .and_then(|value| value.to_str().ok()?.trim().parse().ok())
        .map(|seconds| Duration::from_secs(seconds).min(LONGEST_RETRY_AFTER));
    let provider_code = answer.json::<Refusal>().await.unwrap_or_default().code;
    let (class, reason) = match status {
        StatusCode::TOO_MANY_REQUESTS => (FailureClass::Throttled, Reason::Throttled),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            (FailureClass::Misconfigured, Reason::Misconfigured)
        }
        status if status.is_server_error() => {
            (FailureClass::Transient, Reason::ProviderUnavailable)
        }
        status if status.is_client_error() => (FailureClass::Permanent, reason_of(provider_code)),
        _ => (FailureClass::Misconfigured, Reason::Misconfigured),
    };
    SendError { class, reason, provider_code, retry_after }
}

/// Twilio's codes; a webhook may answer with the same ones.
pub(super) fn reason_of(code: Option<u32>) -> Reason {
    match code {
        Some(21211) => Reason::InvalidNumber,
        Some(21408) => Reason::CountryNotEnabled,
        Some(21610) => Reason::OptedOut,
        Some(21614) => Reason::NotAMobileNumber,
        _ => Reason::Rejected,
    }
}
