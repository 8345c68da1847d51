//! What Twilio takes and answers when a message is created, after its published OpenAPI
//! description.

use std::collections::HashMap;

use data_encoding::BASE64;
use http::request::Parts;
use http::{Method, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Bytes;
use serde_json::{Value, json};

use super::{ACCOUNT_SID, API_KEY, API_KEY_SID};

#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    /// Twilio's own number for the error.
    pub(crate) code: u32,
    pub(crate) reason: String,
    pub(crate) retry_after: Option<String>,
}

impl Refusal {
    fn new(status: StatusCode, code: u32, reason: impl Into<String>) -> Self {
        Self { status, code, reason: reason.into(), retry_after: None }
    }

    fn bad_field(code: u32, reason: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, reason)
    }
}

/// The fields of a request that Twilio would take.
pub(super) fn check(head: &Parts, body: &[u8]) -> Result<HashMap<String, String>, Refusal> {
    let path = format!("/2010-04-01/Accounts/{ACCOUNT_SID}/Messages.json");
    if head.uri.path() != path {
        let reason = format!("{} was not found", head.uri.path());
        return Err(Refusal::new(StatusCode::NOT_FOUND, 20404, reason));
    }
    if head.method != Method::POST {
        let status = StatusCode::METHOD_NOT_ALLOWED;
        return Err(Refusal::new(status, 20004, "Method not allowed"));
    }
    let user_and_secret = [ACCOUNT_SID, API_KEY_SID].map(|user| format!("{user}:{API_KEY}"));
    let expected = user_and_secret
        .map(|credentials| format!("Basic {}", BASE64.encode(credentials.as_bytes())));
    if !expected.iter().any(|expected| header(head, "authorization") == expected) {
        let status = StatusCode::UNAUTHORIZED;
        return Err(Refusal::new(status, 20003, "Authenticate"));
    }
    if header(head, "content-type") != "application/x-www-form-urlencoded" {
        let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        return Err(Refusal::new(status, 20415, "Not a form"));
    }
    check_fields(body)
}

fn check_fields(body: &[u8]) -> Result<HashMap<String, String>, Refusal> {
    let mut fields = HashMap::new();
    for (name, value) in form_urlencoded::parse(body).into_owned() {
        if fields.insert(name.clone(), value).is_some() {
            return Err(Refusal::bad_field(20001, format!("{name} is there twice")));
        }
    }
    let field = |name: &str| fields.get(name).map_or("", String::as_str);
    match field("To") {
        "" => return Err(Refusal::bad_field(21604, "A 'To' phone number is required")),
        to if !is_e164(to) => {
            let reason = format!("Invalid 'To' Phone Number: {to}");
            return Err(Refusal::bad_field(21211, reason));
        }
        _ => {}
    }
    match (field("From"), field("MessagingServiceSid")) {
        ("", "") => {
            return Err(Refusal::bad_field(21603, "A 'From' phone number is required"));
        }
        ("", service) if is_service(service) => {}
        (from, "") if is_e164(from) || is_sender_id(from) => {}
        _ => return Err(Refusal::bad_field(21212, "The 'From' number is not valid")),
    }
    match field("Body").chars().count() {
        0 => return Err(Refusal::bad_field(21602, "Message body is required")),
        1..=1600 => {}
        _ => return Err(Refusal::bad_field(21617, "The message body is too long")),
    }
    check_optional(&fields)?;
    Ok(fields)
}

fn check_optional(fields: &HashMap<String, String>) -> Result<(), Refusal> {
    for (name, value) in fields {
        let right = match name.as_str() {
            "To" | "From" | "MessagingServiceSid" | "Body" => true,
            "ValidityPeriod" => {
                value.parse::<u32>().is_ok_and(|seconds| (1..=36_000).contains(&seconds))
            }
            "StatusCallback" => value.starts_with("http://") || value.starts_with("https://"),
            "Attempt" => value.parse::<u32>().is_ok(),
            "RiskCheck" => value == "enable" || value == "disable",
            "SmartEncoded" => value == "true" || value == "false",
            _ => false,
        };
        if !right {
            let reason = format!("Invalid parameter {name}: {value}");
            return Err(Refusal::bad_field(20001, reason));
        }
    }
    Ok(())
}

/// ITU-T E.164: a plus and at most 15 digits, the first not zero.
fn is_e164(number: &str) -> bool {
    number.strip_prefix('+').is_some_and(|digits| {
        (7..=15).contains(&digits.len())
            && !digits.starts_with('0')
            && digits.bytes().all(|byte| byte.is_ascii_digit())
    })
}

fn is_sender_id(from: &str) -> bool {
    from.len() <= 11
        && from.bytes().any(|byte| byte.is_ascii_alphabetic())
        && from.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b' ')
}

fn is_service(sid: &str) -> bool {
    sid.strip_prefix("MG")
        .is_some_and(|hex| hex.len() == 32 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// The answer to a message that was taken, and has failed at once where there is an error code.
pub(super) fn created(
    fields: &HashMap<String, String>,
    error_code: Option<u32>,
) -> Response<Full<Bytes>> {
    let sid = format!("SM{:032x}", ulid::Ulid::generate().0);
    let messages = format!("/2010-04-01/Accounts/{ACCOUNT_SID}/Messages");
    let date = "Thu, 24 Aug 2023 05:01:45 +0000";
    let body = json!({
        "account_sid": ACCOUNT_SID,
        "api_version": "2010-04-01",
        "body": fields.get("Body"),
        "date_created": date,
        "date_sent": null,
        "date_updated": date,
        "direction": "outbound-api",
        "error_code": error_code,
        "error_message": error_code.map(|code| format!("Error {code}")),
        "from": fields.get("From"),
        "messaging_service_sid": fields.get("MessagingServiceSid"),
        "num_media": "0",
        "num_segments": "1",
        "price": null,
        "price_unit": "USD",
        "sid": sid,
        "status": if error_code.is_some() { "failed" } else { "queued" },
        "subresource_uris": {"media": format!("{messages}/{sid}/Media.json")},
        "to": fields.get("To"),
        "uri": format!("{messages}/{sid}.json"),
    });
    json_response(StatusCode::CREATED, None, &body)
}

/// The answer to a message that was not taken.
pub(super) fn refused(refusal: &Refusal) -> Response<Full<Bytes>> {
    let body = json!({
        "code": refusal.code,
        "message": refusal.reason,
        "more_info": format!("https://www.twilio.com/docs/errors/{}", refusal.code),
        "status": refusal.status.as_u16(),
    });
    json_response(refusal.status, refusal.retry_after.as_deref(), &body)
}

/// An answer of 201 that was cut off.
pub(super) fn unreadable() -> Response<Full<Bytes>> {
    let response =
        Response::builder().status(StatusCode::CREATED).header("content-type", "application/json");
    response.body(Full::from(r#"{"sid": "SM"#)).unwrap()
}

/// What something in between answers that wants the request elsewhere.
pub(super) fn redirected() -> Response<Full<Bytes>> {
    let response =
        Response::builder().status(StatusCode::TEMPORARY_REDIRECT).header("location", "/elsewhere");
    response.body(Full::default()).unwrap()
}

fn json_response(
    status: StatusCode,
    retry_after: Option<&str>,
    body: &Value,
) -> Response<Full<Bytes>> {
    let mut response =
        Response::builder().status(status).header("content-type", "application/json;charset=utf-8");
    if let Some(wait) = retry_after {
        response = response.header("retry-after", wait);
    }
    response.body(Full::from(body.to_string())).unwrap()
}

fn header<'a>(head: &'a Parts, name: &str) -> &'a str {
    head.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}
