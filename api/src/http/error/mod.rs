//! How a failure is answered; `statuses.rs` has which status and message each has.

mod conversions;
mod documented;
mod statuses;

use std::time::Duration;

use poem::error::ResponseError;
use poem::http::{HeaderValue, StatusCode, header};
use poem::{Endpoint, IntoResponse, Request, Response};
use serde_json::Value;

pub(crate) use self::documented::error_schema;
pub use self::documented::{Failure, Failures};
pub use self::statuses::ErrorKind;
use super::oauth_error::OAuthError;
use super::route_lookup::MatchedRoute;

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

    /// What went wrong, for programs.
    #[must_use]
    pub(crate) fn code(&self) -> &'static str {
        self.kind.status_and_code().1
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
