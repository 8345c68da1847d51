//! Failures of OAuth 2.0 (RFC 6749, 5.2). What fails underneath, such as a store, is answered as
//! everywhere else.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use common::accounts::AccountsError;
use poem::error::ResponseError;
use poem::http::{HeaderValue, StatusCode, header};
use poem::{IntoResponse, Response};
use poem_openapi::ApiResponse;
use poem_openapi::registry::{
    MetaHeader, MetaMediaType, MetaResponse, MetaResponses, MetaSchema, MetaSchemaRef, Registry,
};
use serde_json::json;

use super::error::{ApiError, Failure, Failures};

/// How clients of OAuth 2.0 may say who they are.
const SCHEME: HeaderValue = HeaderValue::from_static("Basic realm=\"cheershare\"");

/// The codes, as the RFC has them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum OAuthErrorKind {
    InvalidRequest,
    InvalidClient,
    UnauthorizedClient,
    InvalidGrant,
    UnsupportedGrantType,
}

impl OAuthErrorKind {
    fn status_and_code(self) -> (StatusCode, &'static str) {
        match self {
            Self::InvalidRequest => (StatusCode::BAD_REQUEST, "invalid_request"),
            Self::InvalidClient => (StatusCode::UNAUTHORIZED, "invalid_client"),
            Self::UnauthorizedClient => (StatusCode::BAD_REQUEST, "unauthorized_client"),
            Self::InvalidGrant => (StatusCode::BAD_REQUEST, "invalid_grant"),
            Self::UnsupportedGrantType => (StatusCode::BAD_REQUEST, "unsupported_grant_type"),
        }
    }
}

/// A failure on its way to the client.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct OAuthError {
    pub kind: OAuthErrorKind,
    /// For people: plain ASCII without quotes, as the RFC asks.
    pub description: &'static str,
}

impl fmt::Display for OAuthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.description)
    }
}

impl std::error::Error for OAuthError {}

impl ResponseError for OAuthError {
    fn status(&self) -> StatusCode {
        self.kind.status_and_code().0
    }

    fn as_response(&self) -> Response {
        let (status, code) = self.kind.status_and_code();
        let body = json!({ "error": code, "error_description": self.description });
        let mut response = poem::web::Json(body).into_response();
        response.set_status(status);
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, SCHEME);
        }
        response
    }
}

/// The failures of one operation of OAuth 2.0, for the document.
pub trait OAuthFailures: Failures {
    const CODES: &'static [OAuthErrorKind];
}

/// A failure of an operation of OAuth 2.0.
#[derive(Debug)]
pub enum OAuthFailure<F> {
    OAuth(OAuthError),
    Underneath(ApiError, PhantomData<F>),
}

impl<F> From<OAuthError> for OAuthFailure<F> {
    fn from(error: OAuthError) -> Self {
        Self::OAuth(error)
    }
}

impl<F> From<AccountsError> for OAuthFailure<F> {
    fn from(error: AccountsError) -> Self {
        Self::Underneath(error.into(), PhantomData)
    }
}

impl<F: OAuthFailures> From<OAuthFailure<F>> for poem::Error {
    fn from(failure: OAuthFailure<F>) -> Self {
        match failure {
            OAuthFailure::OAuth(error) => error.into(),
            OAuthFailure::Underneath(error, _) => error.into(),
        }
    }
}

impl<F: OAuthFailures> ApiResponse for OAuthFailure<F> {
    fn meta() -> MetaResponses {
        let mut by_status: BTreeMap<u16, Vec<OAuthErrorKind>> = BTreeMap::new();
        for kind in F::CODES {
            by_status.entry(kind.status_and_code().0.as_u16()).or_default().push(*kind);
        }
        let mut meta = Failure::<F>::meta();
        meta.responses
            .extend(by_status.into_iter().map(|(status, kinds)| described(status, &kinds)));
        meta
    }

    fn register(_: &mut Registry) {}
}

fn described(status: u16, kinds: &[OAuthErrorKind]) -> MetaResponse {
    let text =
        |description| MetaSchema { description: Some(description), ..MetaSchema::new("string") };
    let codes = kinds.iter().map(|kind| json!(kind.status_and_code().1)).collect::<Vec<_>>();
    let example = json!({ "error": codes.first(), "error_description": "What is wrong" });
    let error = MetaSchema { enum_items: codes, ..text("What went wrong (RFC 6749, 5.2)") };
    let schema = MetaSchema {
        required: vec!["error", "error_description"],
        properties: vec![
            ("error", inline(error)),
            ("error_description", inline(text("What went wrong, for people"))),
        ],
        example: Some(example),
        ..MetaSchema::new("object")
    };
    let scheme = MetaHeader {
        name: "WWW-Authenticate".to_owned(),
        description: Some("The scheme to use (RFC 7617)".to_owned()),
        required: true,
        deprecated: false,
        schema: inline(MetaSchema::new("string")),
    };
    MetaResponse {
        description: StatusCode::from_u16(status)
            .ok()
            .and_then(|status| status.canonical_reason())
            .unwrap_or_default(),
        status: Some(status),
        status_range: None,
        content: vec![MetaMediaType {
            content_type: "application/json; charset=utf-8",
            schema: inline(schema),
        }],
        headers: Some(scheme).filter(|_| status == 401).into_iter().collect(),
    }
}

fn inline(schema: MetaSchema) -> MetaSchemaRef {
    MetaSchemaRef::Inline(Box::new(schema))
}
