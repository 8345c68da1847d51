//! `/admin/users`: found, and made.

#![expect(clippy::too_many_arguments, reason = "each is a parameter of the query")]

use std::sync::Arc;

use common::accounts::entities::user;
use common::accounts::{ListedUser, UserFilter, UserOrder, UserSelector};
use common::domain::cursor::PageRequest;
use common::domain::person_name::PersonName;
use common::domain::phone::PhoneNumber;
use poem::web::Data;
use poem_openapi::param::Query;
use poem_openapi::payload::Json;
use poem_openapi::types::Example;
use poem_openapi::{Enum, Object, OpenApi};
use serde::Deserialize;

use super::Tag;
use super::failures::failures;
use super::payloads::{User, next_cursor};
use crate::admin::key_check::AdminKeyHolder;
use crate::admin::state::AdminState;
use crate::http::error::{ApiError, ErrorKind, Failure};
use crate::http::strict_json::StrictJson;
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
pub(super) struct OneUser {
    /// Who.
    pub(super) data: User,
}

/// `newest`: the newest account first. `last_sign_in`: who signed in last first, and nobody of whose sign-ins no event is kept.
#[derive(Clone, Copy, Debug, Default, Enum, Eq, PartialEq)]
#[oai(rename_all = "snake_case", remote = "UserOrder")]
enum Order {
    #[default]
    Newest,
    LastSignIn,
}

/// Somebody who has not signed in yet.
#[derive(Debug, Deserialize, Object)]
#[serde(deny_unknown_fields)]
#[oai(example)]
struct NewUser {
    /// 1 to 100 characters, one of them visible, none of them a control character.
    name: String,
    /// In any usual spelling; without a country code it belongs to the server's default country.
    #[oai(validator(min_length = 1, max_length = 64))]
    phone_number: String,
}

failures! {
    ListFailures { InvalidParameter, InvalidPhoneNumber, TooManyLookUps }
    CreateFailures {
        InvalidPayload, InvalidPersonName, InvalidPhoneNumber, RequestTimeout, PhoneNumberTaken,
        PayloadTooLarge, UnsupportedMediaType,
    }
}

#[OpenApi]
impl UsersApi {
    /// Find users
    ///
    /// All parameters that are given have to fit. A page that is shorter than `limit`, or empty, need
    /// not be the last one: only a `next_cursor` that is null says so.
    #[oai(path = "/admin/users", method = "get", tag = "Tag::Users", operation_id = "listUsers")]
    async fn list(
        &self,
        state: Data<&Arc<AdminState>>,
        key: AdminKeyHolder,
        /// The user's number, in any usual spelling; without a country code it belongs to the
        /// server's default country. The holder of a `viewer` key may look 100 numbers up within an
        /// hour; each is an action.
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
        if let Some(number) = &number {
            key.looks_up(&state, number).await?;
        }
        let filter = UserFilter { id: *id, number, name: name.0 };
        let page = state
            .app
            .accounts
            .list_users(&filter, order.0.unwrap_or_default().into(), page)
            .await?;
        let next_cursor = next_cursor(page.next);
        Ok(Json(UserList { data: page.rows.into_iter().map(User::from).collect(), next_cursor }))
    }

    /// Make a user
    ///
    /// They sign in with an OTP as everybody does.
    #[oai(path = "/admin/users", method = "post", tag = "Tag::Users", operation_id = "createUser")]
    async fn create(
        &self,
        state: Data<&Arc<AdminState>>,
        key: AdminKeyHolder,
        body: StrictJson<NewUser>,
    ) -> Result<Json<OneUser>, Failure<CreateFailures>> {
        let NewUser { name, phone_number } = body.0;
        let name = PersonName::parse(&name)?.ok_or(ErrorKind::InvalidPersonName)?;
        let number = PhoneNumber::parse(&phone_number, state.app.default_country)?;
        let (actor, now) = (key.0.actor(), state.app.clock.now());
        let made = state.app.accounts.create_user(number.e164(), &name, &actor, now).await?;
        Ok(Json(OneUser { data: made.ok_or(ErrorKind::PhoneNumberTaken)?.into() }))
    }
}

/// The user of that id.
pub(super) async fn find(state: &AdminState, id: i64) -> Result<user::Model, ApiError> {
    let found = state.app.accounts.user(&UserSelector::Id(id)).await?;
    Ok(found.ok_or(ErrorKind::UserNotFound)?)
}

/// The user of that id, as lists show them.
pub(super) async fn listed(state: &AdminState, id: i64) -> Result<ListedUser, ApiError> {
    let filter = UserFilter { id: Some(id), ..UserFilter::default() };
    let page = PageRequest { cursor: None, limit: 1 };
    let found = state.app.accounts.list_users(&filter, UserOrder::Newest, page).await?;
    Ok(found.rows.into_iter().next().ok_or(ErrorKind::UserNotFound)?)
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

impl Example for NewUser {
    fn example() -> Self {
        Self { name: "Asha".to_owned(), phone_number: "+919876543210".to_owned() }
    }
}
