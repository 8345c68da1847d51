//! The failures of each operation, as the OpenAPI document lists them.

use std::collections::BTreeMap;
use std::marker::PhantomData;

use common::ledger::limits::LimitKind;
use poem::http::StatusCode;
use poem_openapi::ApiResponse;
use poem_openapi::registry::{
    MetaHeader, MetaMediaType, MetaResponse, MetaResponses, MetaSchema, MetaSchemaRef, Registry,
};
use serde_json::json;
use strum::VariantArray;

use super::{ApiError, ErrorKind};

/// The failures of one operation, for the document.
pub trait Failures: Send + Sync + 'static {
    /// All of them, but for those that every operation has.
    const KINDS: &'static [ErrorKind];
    /// Whether it sends OTPs, and so meets every limit on that.
    const SENDS: bool = false;
    /// Those that every operation has, unless its own answer of that status stands in their place.
    const USUAL: &'static [ErrorKind] = &EVERYWHERE;
}

/// What any operation may answer: its caller may send a bad bearer token, nobody is perfect, and a
/// server has its limits.
const EVERYWHERE: [ErrorKind; 4] = [
    ErrorKind::InvalidAuthorizationHeader,
    ErrorKind::Internal,
    ErrorKind::UserStoreUnavailable,
    ErrorKind::Overloaded,
];

/// An [`ApiError`] of an operation whose failures the document lists.
#[derive(Debug)]
pub struct Failure<F>(ApiError, PhantomData<F>);

impl<F, E: Into<ApiError>> From<E> for Failure<F> {
    fn from(error: E) -> Self {
        Self(error.into(), PhantomData)
    }
}

impl<F: Failures> From<Failure<F>> for poem::Error {
    fn from(failure: Failure<F>) -> Self {
        failure.0.into()
    }
}

impl<F: Failures> ApiResponse for Failure<F> {
    fn meta() -> MetaResponses {
        let mut by_status: BTreeMap<u16, Vec<ErrorKind>> = BTreeMap::new();
        let limits = LimitKind::VARIANTS.iter().filter(|_| F::SENDS).copied();
        let kinds = F::KINDS.iter().chain(F::USUAL).copied();
        for kind in kinds.chain(limits.map(ErrorKind::Refused)) {
            by_status.entry(kind.status_and_code().0.as_u16()).or_default().push(kind);
        }
        let responses =
            by_status.into_iter().map(|(status, kinds)| error_response(status, &kinds)).collect();
        MetaResponses { responses }
    }

    fn register(_: &mut Registry) {}
}

fn error_response(status: u16, kinds: &[ErrorKind]) -> MetaResponse {
    let schema = inline(error_schema(kinds));
    let content = vec![MetaMediaType { content_type: "application/json; charset=utf-8", schema }];
    let description = StatusCode::from_u16(status)
        .ok()
        .and_then(|status| status.canonical_reason())
        .unwrap_or(if status == 460 { "Checksum Mismatch" } else { "" });
    MetaResponse {
        description,
        status: Some(status),
        status_range: None,
        content,
        headers: error_headers(status, kinds),
    }
}

/// The body of an answer that is one of these.
pub(crate) fn error_schema(kinds: &[ErrorKind]) -> MetaSchema {
    let mut codes = Vec::new();
    for code in kinds.iter().map(|kind| json!(kind.status_and_code().1)) {
        if !codes.contains(&code) {
            codes.push(code);
        }
    }
    let text =
        |description| MetaSchema { description: Some(description), ..MetaSchema::new("string") };
    let mut properties = vec![
        ("error", inline(text("What went wrong, for people"))),
        (
            "code",
            inline(MetaSchema {
                enum_items: codes,
                ..text("What went wrong, for programs; stable")
            }),
        ),
    ];
    if kinds.contains(&ErrorKind::ChallengeRequired) {
        properties.push(("challenge", inline(challenge_schema())));
    }
    MetaSchema {
        required: vec!["error", "code"],
        properties,
        example: kinds.first().map(|kind| kind.body()),
        ..MetaSchema::new("object")
    }
}

/// What to solve, beside the code `challenge_required`.
fn challenge_schema() -> MetaSchema {
    let text = |description| {
        inline(MetaSchema { description: Some(description), ..MetaSchema::new("string") })
    };
    let kinds = ["altcha", "turnstile", "hcaptcha"].map(|kind| json!(kind)).to_vec();
    MetaSchema {
        description: Some(
            "What to solve, with the code `challenge_required`. `altcha` is ALTCHA's protocol, and \
             has all but `site_key`; the others have that alone",
        ),
        required: vec!["kind"],
        properties: vec![
            (
                "kind",
                inline(MetaSchema {
                    description: Some("Whose challenge it is"),
                    enum_items: kinds,
                    ..MetaSchema::new("string")
                }),
            ),
            ("algorithm", text("`SHA-256`")),
            ("challenge", text("The hash to find, in hexadecimal")),
            ("salt", text("What is hashed before the number")),
            ("signature", text("Sent back as it is")),
            (
                "maxnumber",
                inline(MetaSchema {
                    description: Some("The number is not above this"),
                    ..MetaSchema::new("integer")
                }),
            ),
            ("site_key", text("What the provider's widget takes")),
        ],
        ..MetaSchema::new("object")
    }
}

fn inline(schema: MetaSchema) -> MetaSchemaRef {
    MetaSchemaRef::Inline(Box::new(schema))
}

fn error_headers(status: u16, kinds: &[ErrorKind]) -> Vec<MetaHeader> {
    let header = |name: &str, description: &str, required, schema| MetaHeader {
        name: name.to_owned(),
        description: Some(description.to_owned()),
        required,
        deprecated: false,
        schema: inline(schema),
    };
    let mut headers = Vec::new();
    if status == StatusCode::UNAUTHORIZED {
        let scheme = MetaSchema::new("string");
        headers.push(header("WWW-Authenticate", "The scheme to use (RFC 6750)", true, scheme));
    }
    if kinds.iter().any(|kind| kind.says_when()) {
        let always = kinds.iter().all(|kind| kind.says_when());
        let seconds = MetaSchema { minimum: Some(0.0), ..MetaSchema::new("integer") };
        headers.push(header("Retry-After", "Seconds to wait (RFC 9110)", always, seconds));
    }
    headers
}
