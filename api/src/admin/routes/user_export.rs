//! `POST /admin/users/{user_id}/export`: all that is known of a person.

use std::sync::Arc;

use common::accounts::{Accounts, AccountsError};
use common::domain::admin_action::AdminActionKind;
use common::domain::cursor::PageRequest;
use common::domain::phone::PhoneNumber;
use poem::web::Data;
use poem_openapi::param::Path;
use poem_openapi::payload::Json;
use poem_openapi::types::Example;
use poem_openapi::{Object, OpenApi};
use time::OffsetDateTime;
use time::macros::datetime;

use super::Tag;
use super::failures::failures;
use super::numbers::{self, Number};
use super::payloads::{Because, User};
use super::user_sessions::Session;
use super::users;
use crate::admin::key_check::AdminKeyHolder;
use crate::admin::state::AdminState;
use crate::http::error::Failure;
use crate::http::strict_json::StrictJson;
use crate::routes::events::Event;

/// Rows that are read at once.
const AT_ONCE: u64 = 500;

#[derive(Debug)]
pub(super) struct UserExportApi;

/// All that is known of a person, but for the bytes of their files.
#[derive(Debug, Object)]
#[oai(example)]
struct Export {
    /// When it was made (RFC 3339, UTC).
    exported_at: OffsetDateTime,
    /// The user, with their whole number.
    user: User,
    /// Where they are signed in, newest first.
    sessions: Vec<Session>,
    /// What happened to their account, newest first.
    events: Vec<Event>,
    /// What is known of their number.
    number: Number,
}

failures! {
    ExportFailures {
        InvalidParameter, InvalidPayload, InvalidReason, UserNotFound, RequestTimeout,
        PayloadTooLarge, UnsupportedMediaType, RedisUnavailable,
    }
}

#[OpenApi]
impl UserExportApi {
    /// Export what is known of a user
    ///
    /// For the user, who may ask for it. Their number is whole in it, once.
    #[oai(
        path = "/admin/users/:user_id/export",
        method = "post",
        tag = "Tag::Users",
        operation_id = "exportUser"
    )]
    async fn export(
        &self,
        state: Data<&Arc<AdminState>>,
        key: AdminKeyHolder,
        /// The user's id.
        #[oai(example = "example_id")]
        user_id: Path<i64>,
        body: StrictJson<Because>,
    ) -> Result<Json<Export>, Failure<ExportFailures>> {
        let reason = body.0.reason()?;
        let id = *user_id;
        let listed = users::listed(&state, id).await?;
        let kind = AdminActionKind::UserExported;
        key.notes(&state, kind, |action| action.of_user(id).because(reason)).await?;
        let (accounts, now) = (&state.app.accounts, state.app.clock.now());
        let sessions = all_sessions(accounts, id, now).await?;
        let events = all_events(accounts, id).await?;
        let number = listed.user.phone_number.clone();
        let record = numbers::numbers(&state).record(&PhoneNumber::from_account(&number)).await?;
        Ok(Json(Export {
            exported_at: now,
            user: User { phone_number: number.into_string(), ..listed.into() },
            sessions,
            events,
            number: Number::of(record, Some(id)),
        }))
    }
}

async fn all_sessions(
    accounts: &Accounts,
    user_id: i64,
    now: OffsetDateTime,
) -> Result<Vec<Session>, AccountsError> {
    let (mut rows, mut cursor) = (Vec::new(), None);
    loop {
        let page = accounts.sessions(user_id, PageRequest { cursor, limit: AT_ONCE }, now).await?;
        rows.extend(page.rows.into_iter().map(Session::from));
        cursor = page.next;
        if cursor.is_none() {
            return Ok(rows);
        }
    }
}

async fn all_events(accounts: &Accounts, user_id: i64) -> Result<Vec<Event>, AccountsError> {
    let (mut rows, mut cursor) = (Vec::new(), None);
    loop {
        let page = accounts.events(user_id, PageRequest { cursor, limit: AT_ONCE }).await?;
        rows.extend(page.rows.into_iter().map(Event::from));
        cursor = page.next;
        if cursor.is_none() {
            return Ok(rows);
        }
    }
}

fn example_id() -> i64 {
    users::example_id()
}

impl Example for Export {
    fn example() -> Self {
        Self {
            exported_at: datetime!(2026-11-24 10:00:00 UTC),
            user: User { phone_number: "+919876543210".to_owned(), ..User::example() },
            sessions: vec![Session::example()],
            events: vec![Event::example()],
            number: Number::example(),
        }
    }
}
