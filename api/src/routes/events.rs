//! `GET /me/events`

use std::sync::Arc;

use common::accounts;
use common::domain::cursor::Page;
use common::domain::event;
use poem::web::Data;
use poem_openapi::param::Query;
use poem_openapi::payload::Json;
use poem_openapi::types::Example;
use poem_openapi::{Enum, Object, OpenApi};
use time::OffsetDateTime;
use time::macros::datetime;

use super::payloads::NullableText;
use super::{Tag, paging};
use crate::http::bearer::BearerToken;
use crate::http::error::{ErrorKind, Failure, Failures};
use crate::state::AppState;

#[derive(Debug)]
pub struct EventsApi;

/// A part of the list, newest first.
#[derive(Debug, Object)]
#[oai(example)]
pub struct EventList {
    /// The events.
    data: Vec<Event>,
    /// The `cursor` of the next page; null on the last one.
    next_cursor: NullableText,
}

/// Something that happened to the account.
#[derive(Debug, Object)]
#[oai(example)]
pub struct Event {
    /// Grows with time.
    id: i64,
    /// When it happened (RFC 3339, UTC).
    created_at: OffsetDateTime,
    /// What happened.
    kind: EventKind,
    /// Where the request came from: an IPv4 address, or the /64 of an IPv6 address.
    address: NullableText,
    /// The session that it concerns; it may have ended.
    session_id: NullableText,
    /// What else there is to say.
    details: EventDetails,
}

/// What there is to say depends on the kind.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct EventDetails {
    /// For `signed_up` and `signed_in`: what the client called itself.
    device: Option<String>,
    /// For `signed_out`: why.
    reason: Option<SessionEnd>,
    /// For `number_changed`: the number that the account had; all but its country code and last two
    /// digits are `*`.
    old_number: Option<String>,
    /// For `number_changed`: the number that it has since, likewise.
    new_number: Option<String>,
}

/// `signed_up`: the number signed in for the first time. `signed_in`: it did again. `renewed`: a session got a new token.
/// `signed_out`: a session was ended. `number_changed`: the account has another number. `name_changed`: the user has another
/// name. `picture_changed`: the user has another picture, or none any more. `file_link_made`: there
/// is a link by which others get a file.
#[derive(Clone, Copy, Debug, Enum, Eq, PartialEq)]
#[oai(rename_all = "snake_case", remote = "event::EventKind")]
pub enum EventKind {
    SignedUp,
    SignedIn,
    Renewed,
    SignedOut,
    NumberChanged,
    NameChanged,
    PictureChanged,
    FileLinkMade,
}

/// `signed_out`: the session ended itself. `ended_elsewhere`: another one ended it. `signed_out_everywhere`: with all, or all
/// others, at once. `ended_by_operator`: by those who run the service. `session_limit`: a newer
/// sign-in took its place. `number_changed`: the account moved to another number.
#[derive(Clone, Copy, Debug, Enum, Eq, PartialEq)]
#[oai(rename_all = "snake_case", remote = "event::SessionEnd")]
pub enum SessionEnd {
    SignedOut,
    EndedElsewhere,
    SignedOutEverywhere,
    EndedByOperator,
    SessionLimit,
    NumberChanged,
}

#[derive(Debug)]
pub struct EventFailures;

impl Failures for EventFailures {
    const KINDS: &'static [ErrorKind] = &[ErrorKind::InvalidParameter, ErrorKind::Unauthorized];
}

#[OpenApi]
impl EventsApi {
    /// See what happened to the account
    ///
    /// Newest first. Events are kept for 90 days, unless the service is set otherwise.
    #[oai(path = "/me/events", method = "get", tag = "Tag::Account", operation_id = "listEvents")]
    async fn events(
        &self,
        state: Data<&Arc<AppState>>,
        current: BearerToken,
        /// The most that the answer lists.
        #[oai(
            default = "paging::default_limit",
            validator(minimum(value = "1"), maximum(value = "100"))
        )]
        limit: Query<u32>,
        /// Where to go on: the `next_cursor` of the page before.
        cursor: Query<Option<String>>,
    ) -> Result<Json<EventList>, Failure<EventFailures>> {
        let page = paging::request(*limit, cursor.as_deref())?;
        Ok(Json(state.accounts.events(current.0.user.id, page).await?.into()))
    }
}

impl From<Page<accounts::Event>> for EventList {
    fn from(page: Page<accounts::Event>) -> Self {
        let next_cursor = NullableText(page.next.map(|cursor| cursor.to_string()));
        Self { data: page.rows.into_iter().map(Event::from).collect(), next_cursor }
    }
}

impl From<accounts::Event> for Event {
    fn from(event: accounts::Event) -> Self {
        let accounts::Event { id, created_at, kind, address, session_id, details } = event;
        Self {
            id,
            created_at,
            kind: kind.into(),
            address: NullableText(address),
            session_id: NullableText(session_id),
            details: EventDetails {
                device: details.device,
                reason: details.reason.map(Into::into),
                old_number: details.old_number,
                new_number: details.new_number,
            },
        }
    }
}

impl Example for EventList {
    fn example() -> Self {
        Self { data: vec![Event::example()], next_cursor: NullableText(None) }
    }
}

impl Example for Event {
    fn example() -> Self {
        Self {
            id: 1,
            created_at: datetime!(2026-11-23 07:04:59 UTC),
            kind: EventKind::SignedUp,
            address: NullableText(Some("203.0.113.7".to_owned())),
            session_id: NullableText(Some("k5x2aw7nqf3c4zt6y2h4v5xk7e".to_owned())),
            details: EventDetails {
                device: Some("Cheershare/1.0 (Android 15)".to_owned()),
                reason: None,
                old_number: None,
                new_number: None,
            },
        }
    }
}
