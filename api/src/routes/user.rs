//! A user, as every answer shows one.

use common::accounts::entities::user;
use poem_openapi::Object;
use poem_openapi::types::Example;
use time::OffsetDateTime;
use time::macros::datetime;

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
        let user::Model { id, created_at, name, phone_number, version } = user;
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
