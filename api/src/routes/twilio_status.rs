//! `POST /webhooks/twilio/status`: what Twilio reports of the SMS that it accepted. Not for clients, so
//! not in the document.

use std::collections::BTreeMap;

use common::domain::delivery::{DeliveryStatus, Reason};
use common::domain::ids::DeliveryId;
use common::ledger::delivery_status::{DeliveryReport, DeliveryStatuses};
use data_encoding::BASE64;
use hmac::{Hmac, KeyInit, Mac};
use poem::http::StatusCode;
use poem::{Endpoint, Request};
use secrecy::{ExposeSecret, SecretString};
use sha1::Sha1;

use crate::http::error::{ApiError, ErrorKind};
use crate::http::strict_json::read_bounded;

/// Twilio's documentation: <https://www.twilio.com/docs/usage/security#validating-requests>.
const SIGNATURE: &str = "x-twilio-signature";

/// Takes Twilio's reports, if they are signed for the URL that they were sent to.
#[derive(Clone, Debug)]
pub struct TwilioStatus {
    /// Where Twilio reaches this API, without a slash at its end.
    pub public_url: String,
    /// Signs the reports.
    pub auth_token: SecretString,
    /// What the reports are about.
    pub delivery_statuses: DeliveryStatuses,
}

impl Endpoint for TwilioStatus {
    type Output = StatusCode;

    async fn call(&self, mut request: Request) -> poem::Result<StatusCode> {
        let path_and_query = request.uri().path_and_query().map_or("/", |path| path.as_str());
        let url = format!("{}{path_and_query}", self.public_url);
        let signature = request.header(SIGNATURE).unwrap_or_default().to_owned();
        let delivery = request.uri().query().and_then(delivery_in);
        let body = request.take_body();
        let form = form_of(read_bounded(&request, body).await?.as_ref());
        if !is_signed(&url, &form, &signature, self.auth_token.expose_secret()) {
            tracing::warn!(event = "twilio_report_refused", reason = "bad signature");
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

/// Twilio's delivery errors: <https://www.twilio.com/docs/api/errors>.
fn reason_of(code: &str) -> Reason {
    match code {
        "21211" => Reason::InvalidNumber,
        "21408" => Reason::CountryNotEnabled,
        "21610" => Reason::OptedOut,
        "21614" | "30006" => Reason::NotAMobileNumber,
        "30003" => Reason::Unreachable,
        "30004" => Reason::Blocked,
        "30005" => Reason::UnknownNumber,
        "30007" => Reason::CarrierFiltered,
        "30036" => Reason::Expired,
        _ => Reason::NotDelivered,
    }
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
