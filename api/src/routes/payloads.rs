//! Parts of answers that several operations share.

use std::borrow::Cow;

use common::accounts::entities::user;
use poem_openapi::Object;
use poem_openapi::registry::MetaSchemaRef;
use poem_openapi::types::{Example, ParseError, ParseFromJSON, ParseResult, ToJSON, Type};
use serde_json::Value;
use time::OffsetDateTime;
use time::macros::datetime;

use crate::http::error::whole_seconds;
use crate::service::otp_service::OtpQueued;

/// A user.
#[derive(Debug, Object)]
#[oai(example)]
pub struct User {
    /// The user's id.
    pub(super) id: i64,
    /// When the number first signed in (RFC 3339, UTC).
    pub(super) created_at: OffsetDateTime,
    /// As the person gave it.
    pub(super) name: String,
    /// E.164.
    pub(super) phone_number: String,
    /// Grows with each change.
    pub(super) version: i32,
}

impl From<user::Model> for User {
    fn from(user: user::Model) -> Self {
        let user::Model { id, created_at, name, phone_number, version, .. } = user;
        Self { id, created_at, name, phone_number: phone_number.into_string(), version }
    }
}

impl Example for User {
    fn example() -> Self {
        Self {
            id: 1,
            created_at: datetime!(2026-11-23 07:04:59 UTC),
            name: "Asha".to_owned(),
            phone_number: "+919876543210".to_owned(),
            version: 1,
        }
    }
}

/// An SMS with the OTP is on its way.
#[derive(Object)]
#[oai(example)]
pub struct OtpSent {
    /// Always true.
    success: bool,
    /// `OTP sent successfully`
    message: String,
    /// The SMS that will be sent. It cannot be guessed.
    delivery_id: String,
    /// Seconds until the OTP expires.
    expires_in: u64,
    /// Seconds until the number may ask again.
    resend_in: u64,
}

impl From<OtpQueued> for OtpSent {
    fn from(queued: OtpQueued) -> Self {
        Self {
            success: true,
            message: "OTP sent successfully".to_owned(),
            delivery_id: queued.delivery_id,
            expires_in: queued.expires_in.as_secs(),
            resend_in: whole_seconds(queued.resend_in),
        }
    }
}

impl Example for OtpSent {
    fn example() -> Self {
        Self {
            success: true,
            message: "OTP sent successfully".to_owned(),
            delivery_id: "q3zt6nq5y6o4cbz6t2h4v5xk7e".to_owned(),
            expires_in: 300,
            resend_in: 30,
        }
    }
}

/// As `Option<String>`, but the document says what the answer does: the field is there, and may be
/// null.
#[derive(Clone, Debug)]
pub struct NullableText(pub Option<String>);

impl Type for NullableText {
    const IS_REQUIRED: bool = true;

    type RawValueType = String;
    type RawElementValueType = String;

    fn name() -> Cow<'static, str> {
        "nullable_string".into()
    }

    fn schema_ref() -> MetaSchemaRef {
        match String::schema_ref() {
            MetaSchemaRef::Inline(mut schema) => {
                schema.nullable = true;
                MetaSchemaRef::Inline(schema)
            }
            reference @ MetaSchemaRef::Reference(_) => reference,
        }
    }

    fn as_raw_value(&self) -> Option<&String> {
        self.0.as_ref()
    }

    fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a String> + 'a> {
        Box::new(self.0.iter())
    }
}

impl ParseFromJSON for NullableText {
    fn parse_from_json(value: Option<Value>) -> ParseResult<Self> {
        Option::<String>::parse_from_json(value).map(Self).map_err(ParseError::propagate)
    }
}

impl ToJSON for NullableText {
    fn to_json(&self) -> Option<Value> {
        self.0.to_json()
    }
}
