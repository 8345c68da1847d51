//! What the answer of an HTTP provider means, or that there is none. All HTTP providers use this.

use std::time::{Duration, SystemTime};

use common::domain::delivery::Reason;
use common::domain::twilio_error_codes;
use common::runtime::clock::Clock;
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

/// The status decides, because providers refine their codes; for the other 4xx the code does.
pub(super) async fn refused(answer: Response, clock: &Clock) -> SendError {
    let status = answer.status();
    let retry_after = answer
        .headers()
        .get(reqwest::header::RETRY_AFTER)
        .and_then(|value| wait_in(value.to_str().ok()?.trim(), clock))
        .map(|wait| wait.min(LONGEST_RETRY_AFTER));
    let provider_code = answer.json::<Refusal>().await.unwrap_or_default().code;
    let (class, reason) = match status {
        StatusCode::TOO_MANY_REQUESTS => (FailureClass::Throttled, Reason::Throttled),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            (FailureClass::Misconfigured, Reason::Misconfigured)
        }
        status if status.is_server_error() => {
            (FailureClass::Transient, Reason::ProviderUnavailable)
        }
        status if status.is_client_error() => by_code(provider_code),
        _ => (FailureClass::Misconfigured, Reason::Misconfigured),
    };
    SendError { class, reason, provider_code, retry_after }
}

/// What a code says of a message that was not accepted, where the status does not.
pub(super) fn by_code(code: Option<u32>) -> (FailureClass, Reason) {
    let reason = code.and_then(twilio_error_codes::reason_of).unwrap_or(Reason::Rejected);
    let class = match reason {
        Reason::Misconfigured => FailureClass::Misconfigured,
        Reason::Throttled => FailureClass::Throttled,
        _ => FailureClass::Permanent,
    };
    (class, reason)
}

/// `Retry-After` in seconds or as a date (RFC 9110, 10.2.3); a date that is over is no wait.
fn wait_in(value: &str, clock: &Clock) -> Option<Duration> {
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    let since_epoch = date.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    let now = Duration::from_millis(u64::try_from(clock.unix_ms()).unwrap_or(0));
    Some(since_epoch.saturating_sub(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_told_in_seconds_or_as_a_date() {
        let clock = Clock::manual(784_111_777_500);
        for (value, wait) in [
            ("0", Some(0)),
            ("120", Some(120_000)),
            ("Sun, 06 Nov 1994 08:49:47 GMT", Some(9_500)),
            ("Sunday, 06-Nov-94 08:49:47 GMT", Some(9_500)),
            ("Sun Nov  6 08:49:47 1994", Some(9_500)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(0)),
            ("Mon, 06 Nov 1994 08:49:47", None),
            ("soon", None),
            ("-1", None),
            ("", None),
        ] {
            assert_eq!(wait_in(value, &clock), wait.map(Duration::from_millis), "{value}");
        }
    }
}
