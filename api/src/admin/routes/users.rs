//! `GET /admin/users` and one of them.

#![expect(clippy::too_many_arguments, reason = "each is a parameter of the query")]

use std::sync::Arc;

use common::accounts::{self, UserFilter, UserOrder};
use common::domain::cursor::PageRequest;
use common::domain::phone::PhoneNumber;
use poem::web::Data;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::types::Example;
use poem_openapi::{Enum, Object, OpenApi};
use time::OffsetDateTime;
use time::macros::datetime;

use super::Tag;
use super::failures::failures;
use super::payloads::{User, next_cursor};
use crate::admin::key_check::AdminKeyHolder;
use crate::admin::state::AdminState;
use crate::http::error::{ApiError, ErrorKind, Failure};
use crate::routes::events::EventList;
use crate::routes::paging;
use crate::routes::payloads::NullableText;

#[derive(Debug)]
pub(super) struct UsersApi;

/// A part of the list.
#[derive(Debug, Object)]
#[oai(example)]
struct UserList {
    /// The users.
    data: Vec<User>,
    /// The `cursor` of the next page; null on the last one.
    next_cursor: NullableText,
}

/// One user.
#[derive(Debug, Object)]
#[oai(example)]
struct OneUser {
    /// Who.
    data: User,
}

/// `newest`: the newest account first. `last_sign_in`: who signed in last first, and nobody of whose sign-ins no event is kept.
#[derive(Clone, Copy, Debug, Default, Enum, Eq, PartialEq)]
#[oai(rename_all = "snake_case", remote = "UserOrder")]
enum Order {
    #[default]
    Newest,
    LastSignIn,
}

/// A part of the list, newest first.
#[derive(Debug, Object)]
#[oai(example)]
struct SessionList {
    /// The sessions.
    data: Vec<Session>,
    /// The `cursor` of the next page; null on the last one.
    next_cursor: NullableText,
}

/// A live session: what signed in with an OTP, and holds a token.
#[derive(Debug, Object)]
#[oai(example)]
struct Session {
    /// The session's id, which stays when its token is renewed. It is not the token.
    id: String,
    /// When its OTP was given (RFC 3339, UTC).
    created_at: OffsetDateTime,
    /// When its token was last used, up to a minute ago (RFC 3339, UTC).
    last_used_at: OffsetDateTime,
    /// When its token expires (RFC 3339, UTC).
    expires_at: OffsetDateTime,
    /// What the client called itself when it signed in; may be empty.
    device: String,
}

failures! {
    ListFailures { InvalidParameter, InvalidPhoneNumber }
    OneFailures { InvalidParameter, UserNotFound }
}

#[OpenApi]
impl UsersApi {
    /// Find users
    ///
    /// All parameters that are given have to fit.
    #[oai(path = "/admin/users", method = "get", tag = "Tag::Users", operation_id = "listUsers")]
    async fn list(
        &self,
        state: Data<&Arc<AdminState>>,
        _key: AdminKeyHolder,
        /// The user's number, in any usual spelling; without a country code it belongs to the
        /// server's default country.
        #[oai(validator(min_length = 1, max_length = 64))]
        phone_number: Query<Option<String>>,
        /// A part of the name, in any case.
        #[oai(validator(min_length = 1, max_length = 100))]
        name: Query<Option<String>>,
        /// The user's id.
        id: Query<Option<i64>>,
        /// Which users come first; the newest where nothing is said.
        order: Query<Option<Order>>,
        /// The most that the answer lists.
        #[oai(
            default = "paging::default_limit",
            validator(minimum(value = "1"), maximum(value = "100"))
        )]
        limit: Query<u32>,
        /// Where to go on: the `next_cursor` of the page before.
        cursor: Query<Option<String>>,
    ) -> Result<Json<UserList>, Failure<ListFailures>> {
        let page = paging::request(*limit, cursor.as_deref())?;
        let number = phone_number.as_deref();
        let number = number.map(|text| PhoneNumber::parse(text, state.app.default_country));
        let number = number.transpose()?.map(|number| number.e164().clone());
        let filter = UserFilter { id: *id, number, name: name.0 };
        let page = state
            .app
            .accounts
            .list_users(&filter, order.0.unwrap_or_default().into(), page)
            .await?;
        let next_cursor = next_cursor(page.next);
        Ok(Json(UserList { data: page.rows.into_iter().map(User::from).collect(), next_cursor }))
    }

    /// See one user
    #[oai(
        path = "/admin/users/:user_id",
        method = "get",
        tag = "Tag::Users",
        operation_id = "getUser"
    )]
    async fn one(
        &self,
        state: Data<&Arc<AdminState>>,
        _key: AdminKeyHolder,
        /// The user's id.
        #[oai(example = "example_id")]
        user_id: Path<i64>,
    ) -> Result<Json<OneUser>, Failure<OneFailures>> {
        Ok(Json(OneUser { data: find(&state, *user_id).await? }))
    }

    /// See where a user is signed in
    #[oai(
        path = "/admin/users/:user_id/sessions",
        method = "get",
        tag = "Tag::Users",
        operation_id = "listUserSessions"
    )]
    async fn sessions(
        &self,
        state: Data<&Arc<AdminState>>,
        _key: AdminKeyHolder,
        /// The user's id.
        #[oai(example = "example_id")]
        user_id: Path<i64>,
        /// The most that the answer lists.
        #[oai(
            default = "paging::default_limit",
            validator(minimum(value = "1"), maximum(value = "100"))
        )]
        limit: Query<u32>,
        /// Where to go on: the `next_cursor` of the page before.
        cursor: Query<Option<String>>,
    ) -> Result<Json<SessionList>, Failure<OneFailures>> {
        let page = paging::request(*limit, cursor.as_deref())?;
        find(&state, *user_id).await?;
        let page = state.app.accounts.sessions(*user_id, page, state.app.clock.now()).await?;
        let next_cursor = next_cursor(page.next);
        Ok(Json(SessionList {
            data: page.rows.into_iter().map(Session::from).collect(),
            next_cursor,
        }))
    }

    /// See what happened to a user's account
    ///
    /// Newest first. Events are kept for 90 days, unless the service is set otherwise.
    #[oai(
        path = "/admin/users/:user_id/events",
        method = "get",
        tag = "Tag::Users",
        operation_id = "listUserEvents"
    )]
    async fn events(
        &self,
        state: Data<&Arc<AdminState>>,
        _key: AdminKeyHolder,
        /// The user's id.
        #[oai(example = "example_id")]
        user_id: Path<i64>,
        /// The most that the answer lists.
        #[oai(
            default = "paging::default_limit",
            validator(minimum(value = "1"), maximum(value = "100"))
        )]
        limit: Query<u32>,
        /// Where to go on: the `next_cursor` of the page before.
        cursor: Query<Option<String>>,
    ) -> Result<Json<EventList>, Failure<OneFailures>> {
        let page = paging::request(*limit, cursor.as_deref())?;
        find(&state, *user_id).await?;
        Ok(Json(state.app.accounts.events(*user_id, page).await?.into()))
    }
}

/// The user of that id.
pub(super) async fn find(state: &AdminState, id: i64) -> Result<User, ApiError> {
    let filter = UserFilter { id: Some(id), ..UserFilter::default() };
    let page = PageRequest { cursor: None, limit: 1 };
    let found = state.app.accounts.list_users(&filter, UserOrder::Newest, page).await?;
    let user = found.rows.into_iter().next().ok_or(ErrorKind::UserNotFound)?;
    Ok(user.into())
}

impl From<accounts::Session> for Session {
    fn from(session: accounts::Session) -> Self {
        Self {
            id: session.id.to_string(),
            created_at: session.created_at,
            last_used_at: session.last_used_at,
            expires_at: session.expires_at,
            device: session.device.as_str().to_owned(),
        }
    }
}

pub(super) fn example_id() -> i64 {
    1
}

impl Example for UserList {
    fn example() -> Self {
        Self { data: vec![User::example()], next_cursor: NullableText(None) }
    }
}

impl Example for OneUser {
    fn example() -> Self {
        Self { data: User::example() }
    }
}

impl Example for SessionList {
    fn example() -> Self {
        Self { data: vec![Session::example()], next_cursor: NullableText(None) }
    }
}

impl Example for Session {
    fn example() -> Self {
        Self {
            id: "k5x2aw7nqf3c4zt6y2h4v5xk7e".to_owned(),
            created_at: datetime!(2026-11-23 07:04:59 UTC),
            last_used_at: datetime!(2026-11-23 09:30:00 UTC),
            expires_at: datetime!(2026-11-25 07:04:59 UTC),
            device: "Cheershare/1.0 (Android 15)".to_owned(),
        }
    }
}
