//! `/admin/users/{user_id}/sessions`: seen, and ended in every process at once.

use std::sync::Arc;

use common::accounts::{self, SessionFilter};
use common::domain::admin_action::{AdminActionKind, NewAdminAction};
use common::domain::ids::SessionId;
use poem::web::Data;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::types::Example;
use poem_openapi::{Object, OpenApi};
use time::OffsetDateTime;
use time::macros::datetime;

use super::Tag;
use super::failures::failures;
use super::payloads::{Done, next_cursor, read_reason};
use super::users::{example_id, find};
use crate::admin::key_check::AdminKeyHolder;
use crate::admin::state::AdminState;
use crate::http::error::{ErrorKind, Failure};
use crate::routes::paging;
use crate::routes::payloads::NullableText;

#[derive(Debug)]
pub(super) struct UserSessionsApi;

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
pub(super) struct Session {
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

/// Sessions of a user have ended.
#[derive(Debug, Object)]
#[oai(example)]
struct SessionsEnded {
    /// How many.
    sessions_ended: u64,
}

failures! {
    ListFailures { InvalidParameter, UserNotFound }
    EndFailures { InvalidParameter, InvalidReason, UserNotFound }
    EndOneFailures { InvalidParameter, InvalidReason, UserNotFound, SessionNotFound }
}

#[OpenApi]
impl UserSessionsApi {
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
    ) -> Result<Json<SessionList>, Failure<ListFailures>> {
        let page = paging::request(*limit, cursor.as_deref())?;
        find(&state, *user_id).await?;
        let page = state.app.accounts.sessions(*user_id, page, state.app.clock.now()).await?;
        let next_cursor = next_cursor(page.next);
        Ok(Json(SessionList {
            data: page.rows.into_iter().map(Session::from).collect(),
            next_cursor,
        }))
    }

    /// Sign a user out everywhere
    ///
    /// Their tokens stop working at once, in every process.
    #[oai(
        path = "/admin/users/:user_id/sessions",
        method = "delete",
        tag = "Tag::Users",
        operation_id = "endUserSessions"
    )]
    async fn end_all(
        &self,
        state: Data<&Arc<AdminState>>,
        key: AdminKeyHolder,
        /// The user's id.
        #[oai(example = "example_id")]
        user_id: Path<i64>,
        /// Why: 1 to 500 characters. The action tells it.
        reason: Query<Option<String>>,
    ) -> Result<Json<SessionsEnded>, Failure<EndFailures>> {
        let reason = reason.0.map(|text| read_reason(&text)).transpose()?;
        find(&state, *user_id).await?;
        let (actor, now) = (key.0.actor(), state.app.clock.now());
        let action = NewAdminAction::new(&actor, AdminActionKind::SessionsEnded)
            .of_user(*user_id)
            .about("all")
            .because(reason);
        let accounts = &state.app.accounts;
        let all = SessionFilter::All;
        let ended = accounts.end_sessions_by_operator(*user_id, all, Some(&action), now).await?;
        Ok(Json(SessionsEnded { sessions_ended: ended.len() as u64 }))
    }

    /// End a session of a user
    #[oai(
        path = "/admin/users/:user_id/sessions/:session_id",
        method = "delete",
        tag = "Tag::Users",
        operation_id = "endUserSession"
    )]
    async fn end_one(
        &self,
        state: Data<&Arc<AdminState>>,
        key: AdminKeyHolder,
        /// The user's id.
        #[oai(example = "example_id")]
        user_id: Path<i64>,
        /// The session's id from the list, 26 characters.
        #[oai(example = "example_session")]
        session_id: Path<String>,
        /// Why: 1 to 500 characters. The action tells it.
        reason: Query<Option<String>>,
    ) -> Result<Done, Failure<EndOneFailures>> {
        let reason = reason.0.map(|text| read_reason(&text)).transpose()?;
        find(&state, *user_id).await?;
        let session = SessionId::parse(&session_id).ok_or(ErrorKind::SessionNotFound)?;
        let (actor, now) = (key.0.actor(), state.app.clock.now());
        let action = NewAdminAction::new(&actor, AdminActionKind::SessionsEnded)
            .of_user(*user_id)
            .about(&session)
            .because(reason);
        let accounts = &state.app.accounts;
        let one = SessionFilter::One(&session);
        let ended = accounts.end_sessions_by_operator(*user_id, one, Some(&action), now).await?;
        if ended.is_empty() { Err(ErrorKind::SessionNotFound.into()) } else { Ok(Done::Done) }
    }
}

fn example_session() -> String {
    "k5x2aw7nqf3c4zt6y2h4v5xk7e".to_owned()
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

impl Example for SessionsEnded {
    fn example() -> Self {
        Self { sessions_ended: 2 }
    }
}
