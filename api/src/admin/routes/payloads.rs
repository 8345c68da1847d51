//! Parts of answers that several operations share.

use common::accounts::ListedUser;
use common::domain::admin_key::AdminRole;
use common::domain::cursor::Cursor;
use poem_openapi::types::Example;
use poem_openapi::{Enum, Object};
use serde::Deserialize;
use time::OffsetDateTime;
use time::macros::datetime;

use crate::routes::payloads::NullableText;

/// A user.
#[derive(Debug, Object)]
#[oai(example, skip_serializing_if_is_none)]
pub(super) struct User {
    /// The user's id.
    pub(super) id: i64,
    /// When the account began (RFC 3339, UTC).
    pub(super) created_at: OffsetDateTime,
    /// As the person gave it.
    pub(super) name: String,
    /// E.164; all but its country code and last two digits are `*`.
    pub(super) phone_number: String,
    /// Grows with each change.
    pub(super) version: i32,
    /// When they last signed in, as far as events are kept (RFC 3339, UTC).
    pub(super) last_sign_in_at: Option<OffsetDateTime>,
}

impl From<ListedUser> for User {
    fn from(ListedUser { user, last_sign_in_at, .. }: ListedUser) -> Self {
        Self {
            id: user.id,
            created_at: user.created_at,
            name: user.name,
            phone_number: user.phone_number.to_string(),
            version: user.version,
            last_sign_in_at,
        }
    }
}

impl Example for User {
    fn example() -> Self {
        Self {
            id: 1,
            created_at: datetime!(2026-11-23 07:04:59 UTC),
            name: "Asha".to_owned(),
            phone_number: "+91********10".to_owned(),
            version: 1,
            last_sign_in_at: Some(datetime!(2026-11-24 09:30:00 UTC)),
        }
    }
}

/// `viewer` sees everything but whole numbers, and changes nothing. `operator` also helps users. `owner` may do everything.
#[derive(Clone, Copy, Debug, Deserialize, Enum, Eq, PartialEq)]
#[oai(rename_all = "snake_case", remote = "AdminRole")]
#[serde(rename_all = "snake_case")]
pub(super) enum Role {
    Viewer,
    Operator,
    Owner,
}

/// Where the next page begins.
pub(super) fn next_cursor(next: Option<Cursor>) -> NullableText {
    NullableText(next.map(|cursor| cursor.to_string()))
}
