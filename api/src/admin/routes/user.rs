//! `/admin/users/{user_id}`: seen, renamed, moved, revealed, deleted.

use std::sync::Arc;

use common::accounts::Renamed;
use common::domain::admin_action::{AdminActionKind, NewAdminAction};
use common::domain::person_name::PersonName;
use common::domain::phone::PhoneNumber;
use poem::web::Data;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::types::Example;
use poem_openapi::{Object, OpenApi};
use serde::Deserialize;

use super::Tag;
use super::failures::failures;
use super::payloads::{Because, Done, read_reason};
use super::users::{OneUser, example_id, find, listed};
use crate::admin::key_check::AdminKeyHolder;
use crate::admin::state::AdminState;
use crate::http::error::{ErrorKind, Failure};
use crate::http::request_id::RequestId;
use crate::http::strict_json::StrictJson;
use crate::routes::events::EventList;
use crate::routes::paging;
use crate::service::{deletion, number_change};

#[derive(Debug)]
pub(super) struct UserApi;

/// Another name.
#[derive(Debug, Deserialize, Object)]
#[serde(deny_unknown_fields)]
#[oai(example)]
struct NewName {
    /// 1 to 100 characters, one of them visible, none of them a control character.
    name: String,
    /// The user's version that is changed, as it was last read.
    version: i32,
    /// Why: 1 to 500 characters. The action tells it.
    reason: Option<String>,
}

/// Another number.
#[derive(Debug, Deserialize, Object)]
#[serde(deny_unknown_fields)]
#[oai(example)]
struct NewNumber {
    /// In any usual spelling; without a country code it belongs to the server's default country.
    #[oai(validator(min_length = 1, max_length = 64))]
    phone_number: String,
    /// Why: 1 to 500 characters. The action tells it.
    reason: String,
}

/// A user's number.
#[derive(Debug, Object)]
#[oai(example)]
struct Revealed {
    /// E.164, whole.
    phone_number: String,
}

failures! {
    OneFailures { InvalidParameter, UserNotFound }
    RenameFailures {
        InvalidParameter, InvalidPayload, InvalidPersonName, InvalidReason, UserNotFound,
        RequestTimeout, EditConflict, PayloadTooLarge, UnsupportedMediaType,
    }
    MoveFailures {
        InvalidParameter, InvalidPayload, InvalidPhoneNumber, InvalidReason, SamePhoneNumber,
        UserNotFound, RequestTimeout, PhoneNumberTaken, EditConflict, PayloadTooLarge,
        UnsupportedMediaType,
    }
    RevealFailures {
        InvalidParameter, InvalidPayload, InvalidReason, UserNotFound, RequestTimeout,
        PayloadTooLarge, UnsupportedMediaType,
    }
    DeleteFailures { InvalidParameter, InvalidReason, UserNotFound, EditConflict }
}

#[OpenApi]
impl UserApi {
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
        Ok(Json(OneUser { data: listed(&state, *user_id).await?.into() }))
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

    /// Rename a user
    ///
    /// Send the `version` that was last read. If the user has changed since then, nothing happens
    /// and the answer is 409. The name that they have already changes nothing.
    #[oai(
        path = "/admin/users/:user_id",
        method = "patch",
        tag = "Tag::Users",
        operation_id = "renameUser"
    )]
    async fn rename(
        &self,
        state: Data<&Arc<AdminState>>,
        key: AdminKeyHolder,
        /// The user's id.
        #[oai(example = "example_id")]
        user_id: Path<i64>,
        body: StrictJson<NewName>,
    ) -> Result<Json<OneUser>, Failure<RenameFailures>> {
        let NewName { name, version, reason } = body.0;
        let name = PersonName::parse(&name)?.ok_or(ErrorKind::InvalidPersonName)?;
        let reason = reason.map(|text| read_reason(&text)).transpose()?;
        find(&state, *user_id).await?;
        let (actor, now) = (key.0.actor(), state.app.clock.now());
        let action = NewAdminAction::new(&actor, AdminActionKind::UserRenamed)
            .of_user(*user_id)
            .because(reason);
        let accounts = &state.app.accounts;
        match accounts.rename_by_operator(*user_id, version, &name, &action, now).await? {
            Renamed::To(user) => Ok(Json(OneUser { data: user.into() })),
            Renamed::Outdated | Renamed::TooOften(_) => Err(ErrorKind::EditConflict.into()),
        }
    }

    /// Move a user to another number
    ///
    /// For somebody who has lost their number, which others may get later. All their sessions end,
    /// and the old number gets an SMS that says so. Nobody has proven that the new number is
    /// theirs: be sure of it.
    #[oai(
        path = "/admin/users/:user_id/phone-number",
        method = "post",
        tag = "Tag::Users",
        operation_id = "moveUser"
    )]
    async fn move_number(
        &self,
        state: Data<&Arc<AdminState>>,
        key: AdminKeyHolder,
        request_id: Data<&RequestId>,
        /// The user's id.
        #[oai(example = "example_id")]
        user_id: Path<i64>,
        body: StrictJson<NewNumber>,
    ) -> Result<Json<OneUser>, Failure<MoveFailures>> {
        let NewNumber { phone_number, reason } = body.0;
        let new = PhoneNumber::parse(&phone_number, state.app.default_country)?;
        let reason = read_reason(&reason)?;
        let user = find(&state, *user_id).await?;
        let actor = key.0.actor();
        let action = NewAdminAction::new(&actor, AdminActionKind::UserMoved)
            .of_user(*user_id)
            .about(format!("{} to {new}", user.phone_number))
            .because(reason);
        let request_id = request_id.as_str();
        let moved =
            number_change::move_by_operator(&state.app, &user, &new, &action, request_id).await?;
        Ok(Json(OneUser { data: moved.into() }))
    }

    /// See a user's whole number
    #[oai(
        path = "/admin/users/:user_id/reveal",
        method = "post",
        tag = "Tag::Users",
        operation_id = "revealUser"
    )]
    async fn reveal(
        &self,
        state: Data<&Arc<AdminState>>,
        key: AdminKeyHolder,
        /// The user's id.
        #[oai(example = "example_id")]
        user_id: Path<i64>,
        body: StrictJson<Because>,
    ) -> Result<Json<Revealed>, Failure<RevealFailures>> {
        let reason = body.0.reason()?;
        let user = find(&state, *user_id).await?;
        let kind = AdminActionKind::UserRevealed;
        key.notes(&state, kind, |action| action.of_user(*user_id).because(reason)).await?;
        Ok(Json(Revealed { phone_number: user.phone_number.into_string() }))
    }

    /// Delete a user
    ///
    /// With their sessions and events, as when they do it themselves. What the OTP store knows of
    /// their number stays: see `eraseNumber`.
    #[oai(
        path = "/admin/users/:user_id",
        method = "delete",
        tag = "Tag::Users",
        operation_id = "deleteUser"
    )]
    async fn delete(
        &self,
        state: Data<&Arc<AdminState>>,
        key: AdminKeyHolder,
        /// The user's id.
        #[oai(example = "example_id")]
        user_id: Path<i64>,
        /// Why: 1 to 500 characters. The action tells it.
        reason: Query<Option<String>>,
    ) -> Result<Done, Failure<DeleteFailures>> {
        let reason = reason.0.map(|text| read_reason(&text)).transpose()?;
        let user = find(&state, *user_id).await?;
        let actor = key.0.actor();
        let action = NewAdminAction::new(&actor, AdminActionKind::UserDeleted)
            .of_user(*user_id)
            .about(&user.phone_number)
            .because(reason);
        if deletion::delete_by_operator(&state.app, &user, &action).await? {
            Ok(Done::Done)
        } else {
            Err(ErrorKind::EditConflict.into())
        }
    }
}

impl Example for NewName {
    fn example() -> Self {
        Self { name: "Asha Rao".to_owned(), version: 1, reason: Some("Ticket 4711".to_owned()) }
    }
}

impl Example for NewNumber {
    fn example() -> Self {
        let reason = "Ticket 4711: the number is somebody else's now".to_owned();
        Self { phone_number: "+919876543211".to_owned(), reason }
    }
}

impl Example for Revealed {
    fn example() -> Self {
        Self { phone_number: "+919876543210".to_owned() }
    }
}
