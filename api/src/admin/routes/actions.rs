//! `GET /admin/actions`

#![expect(clippy::too_many_arguments, reason = "each is a parameter of the query")]

use std::sync::Arc;

use common::accounts::{self, AdminActionFilter};
use common::domain::admin_action::AdminActionKind;
use poem::web::Data;
use poem_openapi::param::Query;
use poem_openapi::payload::Json;
use poem_openapi::types::Example;
use poem_openapi::{Enum, Object, OpenApi};
use time::OffsetDateTime;
use time::macros::datetime;

use super::Tag;
use super::failures::failures;
use super::payloads::next_cursor;
use crate::admin::key_check::AdminKeyHolder;
use crate::admin::state::AdminState;
use crate::http::error::Failure;
use crate::routes::paging;
use crate::routes::payloads::NullableText;

#[derive(Debug)]
pub(super) struct ActionsApi;

/// A part of the list, newest first.
#[derive(Debug, Object)]
#[oai(example)]
struct ActionList {
    /// The actions.
    data: Vec<Action>,
    /// The `cursor` of the next page; null on the last one.
    next_cursor: NullableText,
}

/// Something that the holder of a key has done. One that changes what is in Redis is written before
/// it is done.
#[derive(Debug, Object)]
#[oai(example, skip_serializing_if_is_none)]
pub(super) struct Action {
    /// Grows with time.
    id: i64,
    /// When (RFC 3339, UTC).
    created_at: OffsetDateTime,
    /// The key's id, which no other key ever has.
    key_id: i64,
    /// What the key was called. Once it is removed, another one may be called so.
    key_name: String,
    /// What.
    kind: ActionKind,
    /// The user whom it concerned, who may be gone.
    user_id: Option<i64>,
    /// What else it concerned: a masked number, a session, a provider, a bucket, a key.
    subject: Option<String>,
    /// Why, as the holder said.
    reason: Option<String>,
}

/// What was done.
#[derive(Clone, Copy, Debug, Enum, Eq, PartialEq)]
#[oai(rename_all = "snake_case", remote = "AdminActionKind")]
enum ActionKind {
    KeyAdded,
    KeyRemoved,
    NumberLookedUp,
    NumberUnlocked,
    NumberBlocked,
    NumberUnblocked,
    NumberErased,
    BreakerReset,
    BucketEmptied,
    UserCreated,
    UsersImported,
    UserRenamed,
    UserMoved,
    UserDeleted,
    UserRevealed,
    UserExported,
    SessionsEnded,
    EventsReplayed,
    EventsResumed,
}

failures! {
    ListFailures { InvalidParameter }
}

#[OpenApi]
impl ActionsApi {
    /// See who did what
    #[oai(
        path = "/admin/actions",
        method = "get",
        tag = "Tag::Actions",
        operation_id = "listActions"
    )]
    async fn list(
        &self,
        state: Data<&Arc<AdminState>>,
        _key: AdminKeyHolder,
        /// What was done.
        kind: Query<Option<ActionKind>>,
        /// By the holder of which key.
        key_id: Query<Option<i64>>,
        /// To which user.
        user_id: Query<Option<i64>>,
        /// The most that the answer lists.
        #[oai(
            default = "paging::default_limit",
            validator(minimum(value = "1"), maximum(value = "100"))
        )]
        limit: Query<u32>,
        /// Where to go on: the `next_cursor` of the page before.
        cursor: Query<Option<String>>,
    ) -> Result<Json<ActionList>, Failure<ListFailures>> {
        let page = paging::request(*limit, cursor.as_deref())?;
        let filter =
            AdminActionFilter { kind: kind.0.map(Into::into), key_id: *key_id, user_id: *user_id };
        let page = state.app.accounts.admin_actions(filter, page).await?;
        let next_cursor = next_cursor(page.next);
        // A kind that only a later version knows is left out.
        Ok(Json(ActionList {
            data: page.rows.into_iter().filter_map(Action::of).collect(),
            next_cursor,
        }))
    }
}

impl Action {
    pub(super) fn of(action: accounts::AdminAction) -> Option<Self> {
        Some(Self {
            id: action.id,
            created_at: action.created_at,
            key_id: action.key_id,
            key_name: action.key_name,
            kind: action.kind.parse::<AdminActionKind>().ok()?.into(),
            user_id: action.user_id,
            subject: action.subject,
            reason: action.reason,
        })
    }
}

impl Example for ActionList {
    fn example() -> Self {
        Self { data: vec![Action::example()], next_cursor: NullableText(None) }
    }
}

impl Example for Action {
    fn example() -> Self {
        Self {
            id: 1,
            created_at: datetime!(2026-11-23 07:04:59 UTC),
            key_id: 1,
            key_name: "Priya".to_owned(),
            kind: ActionKind::KeyAdded,
            user_id: None,
            subject: Some("Ravi, viewer, key 2".to_owned()),
            reason: None,
        }
    }
}
