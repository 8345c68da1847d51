//! The one place where a failure becomes a status, a code and a message.

mod conversions;
mod documented;

use std::time::Duration;

use common::ledger::limits::LimitKind;
use poem::error::ResponseError;
use poem::http::{HeaderValue, StatusCode, header};
use poem::{Endpoint, IntoResponse, Request, Response};
use serde_json::{Value, json};

pub(crate) use self::documented::error_schema;
pub use self::documented::{Failure, Failures};
use super::oauth_error::OAuthError;
use super::route_lookup::MatchedRoute;

/// What can go wrong, as a client sees it. Internals never reach one.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ErrorKind {
    #[error("Phone number is required")]
    PhoneNumberRequired,
    /// The body has neither a name nor an OTP.
    #[error("Name is required for OTP generation")]
    NameRequired,
    /// The body is not one JSON object of the documented shape.
    #[error("Invalid request payload")]
    InvalidPayload,
    /// The body has one of two OTPs.
    #[error(
        "Both OTPs are required: the one sent to the current number and the one sent to the new number"
    )]
    BothOtpsRequired,
    #[error(
        "Invalid audience: it has to have 1 to 255 characters, none of them a control character, and not to be the id of an OpenID client"
    )]
    InvalidAudience,
    /// A parameter of the query is not as documented.
    #[error("Invalid query parameter")]
    InvalidParameter,
    #[error("Invalid phone number")]
    InvalidPhoneNumber,
    #[error("This is the account's phone number already")]
    SamePhoneNumber,
    #[error("The phone number belongs to another account")]
    PhoneNumberTaken,
    /// The name is too long or has control characters.
    #[error("Invalid name: it has to have 1 to 100 characters, none of them a control character")]
    InvalidPersonName,
    /// Wrong, used, burned or expired, malformed, or never asked for: one answer for all.
    #[error("Invalid or expired OTP")]
    InvalidOtp,
    /// The header is not `Bearer` and a live token.
    #[error("Invalid authorization header")]
    InvalidAuthorizationHeader,
    /// A protected route without the header.
    #[error("Unauthorized")]
    Unauthorized,
    /// SMS are not sent to that country or kind of number.
    #[error("SMS are not sent to this number's country or type")]
    DestinationNotAllowed,
    /// A report that its sender did not sign.
    #[error("Bad signature")]
    BadSignature,
    #[error("Not found")]
    NotFound,
    #[error("This service signs no JWTs: SIGNING_KEY_FILES is not set")]
    NoSigningKeys,
    #[error("Method not allowed")]
    MethodNotAllowed,
    /// The user has changed since the version that the client knows.
    #[error("Somebody else changed this meanwhile; read it again")]
    EditConflict,
    #[error("The request took too long to arrive")]
    RequestTimeout,
    #[error("Invalid request payload")]
    PayloadTooLarge,
    /// The body is not announced as JSON.
    #[error("Invalid request payload")]
    UnsupportedMediaType,
    /// The `Idempotency-Key` header cannot be read.
    #[error("Invalid Idempotency-Key: it has to have 1 to 255 visible ASCII characters")]
    InvalidIdempotencyKey,
    /// The first request with the key still runs.
    #[error("A request with this Idempotency-Key is still running")]
    IdempotencyKeyInUse,
    /// The key belongs to a request with another body.
    #[error("This Idempotency-Key was used with another request payload")]
    IdempotencyKeyReused,
    #[error("{}", .0.message())]
    Refused(LimitKind),
    /// The number's cooldown or hour refuses it, but not whoever solves a challenge.
    #[error("An OTP was just sent; solve the challenge, or wait before asking again")]
    ChallengeRequired,
    /// That provider did not say whether a challenge was solved.
    #[error("{0} did not check the challenge; try again soon")]
    ChallengeNotChecked(&'static str),
    #[error("Failed to recover")]
    FailedToRecover,
    #[error("Internal error")]
    Internal,
    #[error("The OTP store is unavailable")]
    OtpStoreUnavailable,
    #[error("The user store is unavailable")]
    UserStoreUnavailable,
    /// The head of the request is no HTTP/1.1.
    #[error("This is no HTTP/1.1 request")]
    BadRequest,
    /// The head of the request has no `Host`, several, or one that is none.
    #[error("The request needs exactly one Host header, with the name of a host")]
    InvalidHost,
    /// The development inbox was asked for under a name that others may lead here.
    #[error("This answers only under this machine's own names, such as localhost")]
    NotThisMachine,
    /// A page of another origin made a browser ask.
    #[error("Only the service's own pages may ask this")]
    ForeignPage,
    /// The head of the request is too long.
    #[error("The request's head is longer than 16 KiB")]
    RequestHeadTooLarge,
    /// The server has no room for another connection, or another long body.
    #[error("The service has too many connections. Try again soon.")]
    Overloaded,
}

impl ErrorKind {
    /// The status and the code, which is stable.
    #[must_use]
    pub fn status_and_code(self) -> (StatusCode, &'static str) {
        match self {
            Self::PhoneNumberRequired => (StatusCode::BAD_REQUEST, "phone_number_required"),
            Self::NameRequired => (StatusCode::BAD_REQUEST, "name_required"),
            Self::InvalidPayload => (StatusCode::BAD_REQUEST, "invalid_payload"),
            Self::BothOtpsRequired => (StatusCode::BAD_REQUEST, "both_otps_required"),
            Self::SamePhoneNumber => (StatusCode::BAD_REQUEST, "same_phone_number"),
            Self::PhoneNumberTaken => (StatusCode::CONFLICT, "phone_number_taken"),
            Self::InvalidAudience => (StatusCode::BAD_REQUEST, "invalid_audience"),
            Self::InvalidParameter => (StatusCode::BAD_REQUEST, "invalid_parameter"),
            Self::InvalidPhoneNumber => (StatusCode::BAD_REQUEST, "invalid_phone_number"),
            Self::InvalidPersonName => (StatusCode::BAD_REQUEST, "invalid_name"),
            Self::InvalidOtp => (StatusCode::UNAUTHORIZED, "invalid_otp"),
            Self::InvalidAuthorizationHeader => {
                (StatusCode::UNAUTHORIZED, "invalid_authorization_header")
            }
            Self::Unauthorized => (StatusCode::UNAUTHORIZED, "unauthorized"),
            Self::DestinationNotAllowed => (StatusCode::FORBIDDEN, "destination_not_allowed"),
            Self::BadSignature => (StatusCode::FORBIDDEN, "bad_signature"),
            Self::NotFound => (StatusCode::NOT_FOUND, "not_found"),
            Self::NoSigningKeys => (StatusCode::NOT_FOUND, "no_signing_keys"),
            Self::MethodNotAllowed => (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed"),
            Self::EditConflict => (StatusCode::CONFLICT, "edit_conflict"),
            Self::RequestTimeout => (StatusCode::REQUEST_TIMEOUT, "request_timeout"),
            Self::PayloadTooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large"),
            Self::UnsupportedMediaType => {
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type")
            }
            Self::InvalidIdempotencyKey => (StatusCode::BAD_REQUEST, "invalid_idempotency_key"),
            Self::IdempotencyKeyInUse => (StatusCode::CONFLICT, "idempotency_key_in_use"),
            Self::IdempotencyKeyReused => {
                (StatusCode::UNPROCESSABLE_ENTITY, "idempotency_key_reused")
            }
            Self::Refused(kind @ LimitKind::Blocked) => (StatusCode::FORBIDDEN, kind.code()),
            Self::Refused(kind) => (StatusCode::TOO_MANY_REQUESTS, kind.code()),
            Self::ChallengeRequired => (StatusCode::FORBIDDEN, "challenge_required"),
            Self::FailedToRecover | Self::Internal => {
                (StatusCode::INTERNAL_SERVER_ERROR, "internal_error")
            }
            Self::OtpStoreUnavailable
            | Self::UserStoreUnavailable
            | Self::ChallengeNotChecked(_) => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
            Self::BadRequest | Self::InvalidHost => (StatusCode::BAD_REQUEST, "bad_request"),
            Self::ForeignPage => (StatusCode::FORBIDDEN, "foreign_page"),
            Self::NotThisMachine => (StatusCode::FORBIDDEN, "not_this_machine"),
            Self::RequestHeadTooLarge => {
                (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "request_head_too_large")
            }
            Self::Overloaded => (StatusCode::SERVICE_UNAVAILABLE, "overloaded"),
        }
    }

    /// The body of its answer.
    pub(crate) fn body(self) -> Value {
        json!({ "error": self.to_string(), "code": self.status_and_code().1 })
    }

    /// How soon another try may help, where the failure itself does not say.
    pub(crate) fn usual_retry_after(self) -> Option<Duration> {
        let (status, _) = self.status_and_code();
        let passes = self == Self::IdempotencyKeyInUse || status == StatusCode::SERVICE_UNAVAILABLE;
        passes.then_some(Duration::from_secs(1))
    }

    /// Whether its answer says when to try again. Only an operator knows when a block ends.
    fn says_when(self) -> bool {
        match self {
            Self::Refused(kind) => kind != LimitKind::Blocked,
            Self::ChallengeRequired => true,
            _ => self.usual_retry_after().is_some(),
        }
    }
}

/// Answers a request, with its error where it has one.
pub(super) async fn respond(
    next: &impl Endpoint,
    request: Request,
    route: Option<&MatchedRoute>,
) -> Response {
    match next.call(request).await {
        Ok(response) => response.into_response(),
        Err(error) => {
            if let Some(error) = error.downcast_ref::<OAuthError>() {
                return error.as_response();
            }
            let mut response = ApiError::from(error).into_response();
            if response.status() == StatusCode::METHOD_NOT_ALLOWED
                && let Some(allow) = route.and_then(|route| route.allow.clone())
            {
                response.headers_mut().insert(header::ALLOW, allow);
            }
            response
        }
    }
}

/// A failure on its way to the client.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{kind}")]
pub struct ApiError {
    kind: ErrorKind,
    retry_after: Option<Duration>,
    /// What to solve.
    challenge: Option<Value>,
}

impl From<ErrorKind> for ApiError {
    fn from(kind: ErrorKind) -> Self {
        Self { kind, retry_after: kind.usual_retry_after(), challenge: None }
    }
}

impl ApiError {
    /// A refusal that ends after a while; clients are told whole seconds, rounded up.
    #[must_use]
    pub fn retry_after(kind: ErrorKind, wait: Duration) -> Self {
        Self { kind, retry_after: Some(wait), challenge: None }
    }

    /// A refusal that ends after a while, or once a challenge is solved.
    #[must_use]
    pub fn challenge(challenge: Value, wait: Duration) -> Self {
        let refusal = Self::retry_after(ErrorKind::ChallengeRequired, wait);
        Self { challenge: Some(challenge), ..refusal }
    }
}

impl ResponseError for ApiError {
    fn status(&self) -> StatusCode {
        self.kind.status_and_code().0
    }

    fn as_response(&self) -> Response {
        self.clone().into_response()
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let (status, _) = self.kind.status_and_code();
        let mut body = self.kind.body();
        if let (Some(challenge), Some(body)) = (self.challenge, body.as_object_mut()) {
            body.insert("challenge".to_owned(), challenge);
        }
        let mut response = poem::web::Json(body).into_response();
        response.set_status(status);
        let headers = response.headers_mut();
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if self.kind == ErrorKind::Overloaded {
            // The rest of the request is not waited for.
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        if let Some(wait) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(whole_seconds(wait)));
        }
        response
    }
}

/// Rounded up, so that a client that waits that long does not come too early.
#[must_use]
pub fn whole_seconds(wait: Duration) -> u64 {
    wait.as_millis().div_ceil(1000).try_into().unwrap_or(u64::MAX)
}
