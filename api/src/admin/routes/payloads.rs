//! Parts of answers that several operations share.

use common::accounts::ListedUser;
use common::accounts::entities::user;
use common::admin::buckets::Level;
use common::admin::deliveries::NumberedDelivery;
use common::domain::admin_key::AdminRole;
use common::domain::cursor::Cursor;
use common::domain::delivery::DeliveryStatus;
use poem_openapi::types::Example;
use poem_openapi::{ApiResponse, Enum, Object};
use serde::Deserialize;
use time::OffsetDateTime;
use time::macros::datetime;

use crate::http::error::ErrorKind;
use crate::routes::deliveries::Status;
use crate::routes::payloads::NullableText;

/// In characters.
const LONGEST_REASON: usize = 500;

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

impl From<user::Model> for User {
    fn from(user: user::Model) -> Self {
        Self {
            id: user.id,
            created_at: user.created_at,
            name: user.name,
            phone_number: user.phone_number.to_string(),
            version: user.version,
            last_sign_in_at: None,
        }
    }
}

impl From<ListedUser> for User {
    fn from(ListedUser { user, last_sign_in_at, .. }: ListedUser) -> Self {
        Self { last_sign_in_at, ..user.into() }
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

/// Why something is done.
#[derive(Debug, Default, Deserialize, Object)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub(super) struct Because {
    /// Why: 1 to 500 characters. The action tells it.
    reason: Option<String>,
}

impl Because {
    pub(super) fn reason(self) -> Result<Option<String>, ErrorKind> {
        self.reason.map(|text| read_reason(&text)).transpose()
    }
}

/// A reason as somebody gives it.
pub(super) fn read_reason(text: &str) -> Result<String, ErrorKind> {
    let text = text.trim();
    let fits = (1..=LONGEST_REASON).contains(&text.chars().count());
    let plain = !text.chars().any(char::is_control);
    if fits && plain { Ok(text.to_owned()) } else { Err(ErrorKind::InvalidReason) }
}

impl Example for Because {
    fn example() -> Self {
        Self { reason: Some("Ticket 4711".to_owned()) }
    }
}

/// How full a bucket is.
#[derive(Debug, Object)]
#[oai(example)]
pub(super) struct BucketLevel {
    /// Whose sends it counts.
    bucket: String,
    /// Sends that are in it.
    level: f64,
    /// Sends that it holds, and drains in an hour; 0 where the limit is off.
    capacity: u32,
    #[oai(skip)]
    is_of_range: bool,
}

impl From<Level> for BucketLevel {
    fn from(Level { bucket, level, capacity, is_of_range }: Level) -> Self {
        Self { bucket, level, capacity, is_of_range }
    }
}

impl BucketLevel {
    /// By the exact level of its range, a masked number could be found among others: here it is
    /// empty or full.
    pub(super) fn for_those_who_guess(self) -> Self {
        let is_full = self.level + 1.0 > f64::from(self.capacity);
        match (self.is_of_range, is_full) {
            (false, _) => self,
            (true, true) => Self { level: f64::from(self.capacity), ..self },
            (true, false) => Self { level: 0.0, ..self },
        }
    }
}

impl Example for BucketLevel {
    fn example() -> Self {
        let bucket = "country IN".to_owned();
        Self { bucket, level: 12.5, capacity: 1000, is_of_range: false }
    }
}

/// One SMS.
#[derive(Debug, Object)]
#[oai(example, skip_serializing_if_is_none)]
pub(super) struct Delivery {
    /// Its id.
    delivery_id: String,
    /// To whom; all but its country code and last two digits are `*`.
    phone_number: String,
    /// It only moves forward.
    status: Status,
    /// Why it ended, or why it was tried again.
    reason: Option<String>,
    /// When it was asked for (RFC 3339, UTC).
    requested_at: OffsetDateTime,
    /// Who was asked last to send it.
    provider: Option<String>,
    /// How often a provider was asked.
    tries: u32,
}

impl Delivery {
    /// None for a status that only a later version knows.
    pub(super) fn of(NumberedDelivery { number, sms }: NumberedDelivery) -> Option<Self> {
        Some(Self {
            delivery_id: sms.delivery_id,
            phone_number: number,
            status: sms.status.parse::<DeliveryStatus>().ok()?.into(),
            reason: sms.reason,
            requested_at: sms.requested_at.time(),
            provider: sms.provider,
            tries: sms.tries,
        })
    }
}

impl Example for Delivery {
    fn example() -> Self {
        Self {
            delivery_id: "q3zt6nq5y6o4cbz6t2h4v5xk7e".to_owned(),
            phone_number: "+91********10".to_owned(),
            status: Status::Failed,
            reason: Some("provider_unavailable".to_owned()),
            requested_at: datetime!(2026-11-23 07:04:59 UTC),
            provider: Some("twilio".to_owned()),
            tries: 3,
        }
    }
}

/// Done, with nothing to say.
#[derive(ApiResponse, Debug)]
pub(super) enum Done {
    /// Done
    #[oai(status = 204)]
    Done,
}
