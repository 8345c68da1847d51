//! `GET /me` and `PATCH /me`

use std::sync::Arc;

use common::accounts::entities::user;
use common::accounts::{AccountsError, Renamed};
use common::domain::client::Client;
use common::domain::person_name::PersonName;
use poem::web::Data;
use poem_openapi::payload::Json;
use poem_openapi::types::Example;
use poem_openapi::{Object, OpenApi};
use serde::Deserialize;

use super::payloads::{NullableText, User};
use super::{Tag, pictures};
use crate::http::bearer::BearerToken;
use crate::http::error::{ApiError, ErrorKind, Failure, Failures};
use crate::http::strict_json::StrictJson;
use crate::state::AppState;

#[derive(Debug)]
pub struct MeApi;

/// The signed-in user.
#[derive(Debug, Object)]
#[oai(example)]
pub struct Me {
    /// Who.
    data: User,
    /// Where everybody sees the user's picture; null where they have none.
    picture: NullableText,
}

/// A change of what a user says of themselves.
#[derive(Debug, Deserialize, Object)]
#[serde(deny_unknown_fields)]
#[oai(example)]
pub struct ProfileChange {
    /// 1 to 100 characters, one of them visible, none of them a control character or one that turns
    /// the text around it.
    name: String,
    /// The user's version that is changed, as it was last read.
    version: i32,
}

#[derive(Debug)]
pub struct ReadFailures;

impl Failures for ReadFailures {
    const KINDS: &'static [ErrorKind] = &[ErrorKind::Unauthorized];
}

#[derive(Debug)]
pub struct ChangeFailures;

impl Failures for ChangeFailures {
    const KINDS: &'static [ErrorKind] = &[
        ErrorKind::InvalidPayload,
        ErrorKind::InvalidPersonName,
        ErrorKind::Unauthorized,
        ErrorKind::RequestTimeout,
        ErrorKind::EditConflict,
        ErrorKind::TooManyNames,
        ErrorKind::PayloadTooLarge,
        ErrorKind::UnsupportedMediaType,
    ];
}

#[OpenApi]
impl MeApi {
    /// See who is signed in
    #[oai(path = "/me", method = "get", tag = "Tag::Account", operation_id = "getMe")]
    async fn me(
        &self,
        state: Data<&Arc<AppState>>,
        current: BearerToken,
    ) -> Result<Json<Me>, Failure<ReadFailures>> {
        Ok(Json(Me::of(*state, current.0.user.clone()).await?))
    }

    /// Change the name
    ///
    /// Send the `version` that was last read. If the user has changed since then, nothing happens
    /// and the answer is 409: read again, and decide again. The name that the user has already
    /// changes nothing, the version neither. After 20 new names within an hour the answer is 429.
    #[oai(path = "/me", method = "patch", tag = "Tag::Account", operation_id = "updateMe")]
    async fn update(
        &self,
        state: Data<&Arc<AppState>>,
        client: Data<&Client>,
        current: BearerToken,
        body: StrictJson<ProfileChange>,
    ) -> Result<Json<Me>, Failure<ChangeFailures>> {
        let ProfileChange { name, version } = body.0;
        let name = PersonName::parse(&name)?.ok_or(ErrorKind::InvalidPersonName)?;
        let (user_id, session) = (current.0.user.id, &current.0.session.id);
        let now = state.clock.now();
        match state.accounts.rename(user_id, version, &name, session, *client, now).await? {
            Renamed::To(user) => {
                if user.version != version {
                    tracing::info!(event = "profile_changed", user_id, version = user.version);
                }
                Ok(Json(Me::of(*state, user).await?))
            }
            Renamed::Outdated => Err(ErrorKind::EditConflict.into()),
            Renamed::TooOften(wait) => {
                Err(ApiError::retry_after(ErrorKind::TooManyNames, wait).into())
            }
        }
    }
}

impl Me {
    async fn of(state: &AppState, user: user::Model) -> Result<Self, AccountsError> {
        let picture = state.accounts.picture_of(user.id).await?;
        let picture = NullableText(picture.map(|id| pictures::url(state, &id)));
        Ok(Self { data: user.into(), picture })
    }
}

impl Example for Me {
    fn example() -> Self {
        Self { data: User::example(), picture: NullableText(None) }
    }
}

impl Example for ProfileChange {
    fn example() -> Self {
        Self { name: "Asha".to_owned(), version: 1 }
    }
}
