//! `POST /webhooks/twilio/status`: what Twilio reports of the SMS that it accepted. Not for clients, so
//! not in the document.

use std::collections::BTreeMap;

use common::domain::delivery::{DeliveryStatus, Reason};
use common::domain::ids::DeliveryId;
use common::domain::twilio_error_codes;
use common::ledger::delivery_status::{DeliveryReport, DeliveryStatuses};
use data_encoding::BASE64;
use hmac::{Hmac, KeyInit, Mac};
use poem::http::StatusCode;
use poem::{Endpoint, Request};
use secrecy::{ExposeSecret, SecretString};
use sha1::Sha1;

use crate::http::bounded_body::read_bounded;
use crate::http::error::{ApiError, ErrorKind};
use crate::rejections::Rejections;

/// Twilio's documentation: <https://www.twilio.com/docs/usage/security#validating-requests>.
const SIGNATURE: &str = "x-twilio-signature";

/// Takes Twilio's reports, if they are signed for the URL that they were sent to.
#[derive(Clone, Debug)]
pub struct TwilioStatus {
    /// Where Twilio reaches this API, without a slash at its end, as it may have signed it.
    public_urls: [String; 2],
    /// Signs the reports.
    auth_token: SecretString,
    /// What the reports are about.
    delivery_statuses: DeliveryStatuses,
    rejections: Rejections,
}

impl TwilioStatus {
    /// `public_url` has no slash at its end.
    #[must_use]
    pub fn new(
        public_url: &str,
        auth_token: SecretString,
        delivery_statuses: DeliveryStatuses,
        rejections: Rejections,
    ) -> Self {
        Self { public_urls: spellings(public_url), auth_token, delivery_statuses, rejections }
    }

    fn is_signed(
        &self,
        path_and_query: &str,
        form: &BTreeMap<String, String>,
        signature: &str,
    ) -> bool {
        self.public_urls.iter().any(|public_url| {
            let url = format!("{public_url}{path_and_query}");
            is_signed(&url, form, signature, self.auth_token.expose_secret())
        })
    }
}

impl Endpoint for TwilioStatus {
    type Output = StatusCode;

    async fn call(&self, mut request: Request) -> poem::Result<StatusCode> {
        let path_and_query =
            request.uri().path_and_query().map_or("/", |path| path.as_str()).to_owned();
        let signature = request.header(SIGNATURE).unwrap_or_default().to_owned();
        let delivery = request.uri().query().and_then(delivery_in);
        let body = request.take_body();
        let form = form_of(read_bounded(&request, body).await?.as_ref());
        if !self.is_signed(&path_and_query, &form, &signature) {
            self.rejections.report();
            return Err(ApiError::from(ErrorKind::BadSignature).into());
        }
        if let (Some(id), Some(report)) = (delivery, report_in(&form)) {
            let status = report.status.into_str();
            tracing::info!(event = "sms_reported", delivery_id = %id, status);
            self.delivery_statuses.report(&id, &report).await.map_err(ApiError::from)?;
        }
        Ok(StatusCode::NO_CONTENT)
    }
}

fn form_of(body: &[u8]) -> BTreeMap<String, String> {
    form_urlencoded::parse(body).into_owned().collect()
}

fn delivery_in(query: &str) -> Option<DeliveryId> {
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    pairs.find_map(
        |(name, value)| if name == "delivery_id" { DeliveryId::parse(&value) } else { None },
    )
}

/// A URL with a port and without one. Twilio signs either, whichever of them it was given, and its
/// libraries take both: <https://www.twilio.com/docs/usage/security#a-few-notes>.
fn spellings(url: &str) -> [String; 2] {
    let (scheme, rest) = url.split_once("://").unwrap_or(("https", url));
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    // The last colon of an IPv6 address is before its bracket.
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => host,
        _ => authority,
    };
    let port = match authority.strip_prefix(host).unwrap_or_default() {
        "" if scheme == "http" => ":80",
        "" => ":443",
        port => port,
    };
    [format!("{scheme}://{host}{port}{path}"), format!("{scheme}://{host}{path}")]
}

/// Base64 of the HMAC-SHA1 over the URL and all parameters, sorted by name. Compared in constant
/// time.
fn is_signed(
    url: &str,
    form: &BTreeMap<String, String>,
    signature: &str,
    auth_token: &str,
) -> bool {
    let Ok(signature) = BASE64.decode(signature.as_bytes()) else { return false };
    let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(auth_token.as_bytes()) else { return false };
    mac.update(url.as_bytes());
    for (name, value) in form {
        mac.update(name.as_bytes());
        mac.update(value.as_bytes());
    }
    mac.verify_slice(&signature).is_ok()
}

fn report_in(form: &BTreeMap<String, String>) -> Option<DeliveryReport> {
    let status = match form.get("MessageStatus")?.as_str() {
        "accepted" | "scheduled" | "queued" | "sending" | "sent" => DeliveryStatus::Sent,
        "delivered" | "read" => DeliveryStatus::Delivered,
        "undelivered" => DeliveryStatus::Undelivered,
        "failed" | "canceled" => DeliveryStatus::Failed,
        _ => return None,
    };
    let ended_badly = matches!(status, DeliveryStatus::Undelivered | DeliveryStatus::Failed);
    let reason = ended_badly.then(|| reason_of(form.get("ErrorCode").map_or("", String::as_str)));
    Some(DeliveryReport {
        status,
        reason,
        provider_id: form.get("MessageSid").cloned().unwrap_or_default(),
    })
}

fn reason_of(code: &str) -> Reason {
    code.parse().ok().and_then(twilio_error_codes::reason_of).unwrap_or(Reason::NotDelivered)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of Twilio's documentation and libraries.
    #[test]
    fn twilio_s_own_example_is_signed() {
        let url = "https://mycompany.com/myapp.php?foo=1&bar=2";
        let form = form_of(
            b"CallSid=CA1234567890ABCDE&Caller=%2B14158675309&Digits=1234&From=%2B14158675309&To=%2B18005551212",
        );
        let signature = "RSOYDt4T1cUTdK1PDd93/VVr8B8=";
        assert!(is_signed(url, &form, signature, "12345"));
        assert!(!is_signed(url, &form, signature, "12346"));
        assert!(!is_signed("https://mycompany.com/myapp.php?foo=1", &form, signature, "12345"));
        assert!(!is_signed(url, &form_of(b"CallSid=CA1234567890ABCDE"), signature, "12345"));
        for bad in ["", "RSOYDt4T1cUTdK1PDd93/VVr8B8", "AAAA", "not base64"] {
            assert!(!is_signed(url, &form, bad, "12345"), "{bad}");
        }
    }

    #[test]
    fn a_url_has_a_port_or_not() {
        for (url, with, without) in [
            ("https://a.example", "https://a.example:443", "https://a.example"),
            ("http://a.example/x", "http://a.example:80/x", "http://a.example/x"),
            ("https://A.example:443/x:1", "https://A.example:443/x:1", "https://A.example/x:1"),
            ("https://a.example:8443", "https://a.example:8443", "https://a.example"),
            ("https://[::1]/x", "https://[::1]:443/x", "https://[::1]/x"),
            ("https://[::1]:8443/x", "https://[::1]:8443/x", "https://[::1]/x"),
        ] {
            assert_eq!(spellings(url), [with, without], "{url}");
        }
    }

    #[test]
    fn every_status_of_twilio_s_is_known() {
        for (status, expected) in [
            ("queued", DeliveryStatus::Sent),
            ("sent", DeliveryStatus::Sent),
            ("delivered", DeliveryStatus::Delivered),
            ("read", DeliveryStatus::Delivered),
            ("undelivered", DeliveryStatus::Undelivered),
            ("failed", DeliveryStatus::Failed),
            ("canceled", DeliveryStatus::Failed),
        ] {
            let report =
                report_in(&form_of(format!("MessageStatus={status}&ErrorCode=30003").as_bytes()))
                    .unwrap();
            assert_eq!(report.status, expected, "{status}");
        }
        assert_eq!(report_in(&form_of(b"MessageStatus=receiving")), None);
        assert_eq!(report_in(&form_of(b"")), None);
    }
}
