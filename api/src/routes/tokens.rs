//! `/tokens` and what is below it: the user's sessions.

use std::sync::Arc;

use common::accounts;
use common::domain::client::Client;
use common::domain::ids::SessionId;
use poem::web::Data;
use poem_openapi::param::{Header, Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::types::Example;
use poem_openapi::{ApiResponse, Enum, Object, OpenApi};
use time::OffsetDateTime;
use time::macros::datetime;

use super::payloads::NullableText;
use super::{Tag, paging};
use crate::http::bearer::BearerToken;
use crate::http::error::{ErrorKind, Failure, Failures};
use crate::http::idempotent_requests::repeatable_renewal;
use crate::service::sessions;
use crate::state::AppState;

#[derive(Debug)]
pub struct TokensApi;

/// A part of the list, newest first.
#[derive(Debug, Object)]
#[oai(example)]
pub struct SessionList {
    /// The sessions.
    data: Vec<Session>,
    /// The `cursor` of the next page; null on the last one.
    next_cursor: NullableText,
}

/// A live session: what signed in with an OTP, and holds a token.
#[derive(Debug, Object)]
#[oai(example)]
pub struct Session {
    /// The session's id, which stays when its token is renewed. It is not the token.
    id: String,
    /// When its OTP was given (RFC 3339, UTC).
    created_at: OffsetDateTime,
    /// When its token was last used, up to a minute ago (RFC 3339, UTC).
    last_used_at: OffsetDateTime,
    /// When its token expires (RFC 3339, UTC).
    expires_at: OffsetDateTime,
    /// What the client called itself when it signed in (`User-Agent`), at most 200 characters; may
    /// be empty.
    device: String,
    /// Whether it is the one that asks.
    current: bool,
}

/// A session has a new token.
#[derive(Debug, Object)]
#[oai(example)]
pub struct Renewal {
    /// Always true.
    success: bool,
    /// The session.
    data: Session,
    /// The new bearer token, 26 characters. It is told this once; the old one has ended.
    token: String,
}

/// What stays when all others end.
#[derive(Clone, Copy, Debug, Enum, Eq, PartialEq)]
#[oai(rename_all = "snake_case")]
pub enum Keep {
    /// The session that asks.
    Current,
}

/// Sessions have ended.
#[derive(ApiResponse, Debug)]
pub enum Ended {
    /// Done
    #[oai(status = 204)]
    Done,
}

#[derive(Debug)]
pub struct CurrentFailures;

impl Failures for CurrentFailures {
    const KINDS: &'static [ErrorKind] = &[ErrorKind::Unauthorized];
}

#[derive(Debug)]
pub struct RenewalFailures;

impl Failures for RenewalFailures {
    const KINDS: &'static [ErrorKind] = &[
        ErrorKind::Unauthorized,
        ErrorKind::InvalidIdempotencyKey,
        ErrorKind::IdempotencyKeyInUse,
        ErrorKind::IdempotencyKeyReused,
        ErrorKind::OtpStoreUnavailable,
    ];
}

#[derive(Debug)]
pub struct ManyFailures;

impl Failures for ManyFailures {
    const KINDS: &'static [ErrorKind] = &[ErrorKind::InvalidParameter, ErrorKind::Unauthorized];
}

#[derive(Debug)]
pub struct OneFailures;

impl Failures for OneFailures {
    const KINDS: &'static [ErrorKind] = &[ErrorKind::Unauthorized, ErrorKind::NotFound];
}

#[OpenApi]
impl TokensApi {
    /// See where the user is signed in
    #[oai(path = "/tokens", method = "get", tag = "Tag::Sessions", operation_id = "listTokens")]
    async fn list(
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
    ) -> Result<Json<SessionList>, Failure<ManyFailures>> {
        let page = paging::request(*limit, cursor.as_deref())?;
        let page = state.accounts.sessions(current.0.user.id, page, state.clock.now()).await?;
        let next_cursor = NullableText(page.next.map(|cursor| cursor.to_string()));
        let data = page
            .rows
            .into_iter()
            .map(|session| Session::new(session, &current.0.session.id))
            .collect();
        Ok(Json(SessionList { data, next_cursor }))
    }

    /// Sign out everywhere
    ///
    /// Ends all sessions of the user, or all others with `keep=current`.
    #[oai(
        path = "/tokens",
        method = "delete",
        tag = "Tag::Sessions",
        operation_id = "deleteTokens"
    )]
    async fn end_all(
        &self,
        state: Data<&Arc<AppState>>,
        client: Data<&Client>,
        current: BearerToken,
        /// What stays.
        keep: Query<Option<Keep>>,
    ) -> Result<Ended, Failure<ManyFailures>> {
        let kept = keep.map(|Keep::Current| &current.0.session.id);
        sessions::end_all(*state, current.0.user.id, kept, *client).await?;
        Ok(Ended::Done)
    }

    /// Sign out
    ///
    /// Ends the session that asks.
    #[oai(
        path = "/tokens/current",
        method = "delete",
        tag = "Tag::Sessions",
        operation_id = "deleteCurrentToken"
    )]
    async fn sign_out(
        &self,
        state: Data<&Arc<AppState>>,
        client: Data<&Client>,
        current: BearerToken,
    ) -> Result<Ended, Failure<CurrentFailures>> {
        let current = current.0;
        // Ended by somebody else just now is ended too.
        sessions::end(*state, current.user.id, &current.session.id, &current.session.id, *client)
            .await?;
        Ok(Ended::Done)
    }

    /// End a session
    ///
    /// Its token stops working at once. An id that is unknown, has ended or is somebody else's gets
    /// 404.
    #[oai(
        path = "/tokens/:token_id",
        method = "delete",
        tag = "Tag::Sessions",
        operation_id = "deleteToken"
    )]
    async fn end(
        &self,
        state: Data<&Arc<AppState>>,
        client: Data<&Client>,
        current: BearerToken,
        /// The session's id from the list, 26 characters.
        #[oai(example = "example_id")]
        token_id: Path<String>,
    ) -> Result<Ended, Failure<OneFailures>> {
        let current = current.0;
        let id = SessionId::parse(&token_id).ok_or(ErrorKind::NotFound)?;
        match sessions::end(*state, current.user.id, &id, &current.session.id, *client).await? {
            true => Ok(Ended::Done),
            false => Err(ErrorKind::NotFound.into()),
        }
    }

    /// Renew the token
    ///
    /// Swaps the token for a new one with a full life; the old one ends at once. The session keeps
    /// its id, and lasts at most 30 days from its OTP, unless the service is set otherwise. Of
    /// simultaneous renewals one succeeds, the others get 401.
    ///
    /// A request with an `Idempotency-Key` can be repeated when its answer was lost: for 10 minutes
    /// the same client gets the first answer again for the same old token, the new one included.
    #[oai(
        path = "/tokens/current/renewal",
        method = "post",
        tag = "Tag::Sessions",
        operation_id = "renewToken",
        transform = "repeatable_renewal"
    )]
    async fn renew(
        &self,
        state: Data<&Arc<AppState>>,
        client: Data<&Client>,
        current: BearerToken,
        /// A key of the client's own making for this one request and its repetitions, such as a
        /// UUID: 1 to 255 visible ASCII characters.
        #[oai(
            name = "Idempotency-Key",
            validator(pattern = r#"^([!#-~][!-~]{0,254}|"[!-~]{1,255}")$"#)
        )]
        _key: Header<Option<String>>,
    ) -> Result<Json<Renewal>, Failure<RenewalFailures>> {
        let current = current.0;
        let renewed =
            sessions::renew(*state, current.user.id, current.session.clone(), *client).await?;
        let (session, token) = renewed.ok_or(ErrorKind::InvalidAuthorizationHeader)?;
        let id = session.id.clone();
        Ok(Json(Renewal {
            success: true,
            data: Session::new(session, &id),
            token: token.expose().to_owned(),
        }))
    }
}

impl Session {
    fn new(session: accounts::Session, current: &SessionId) -> Self {
        Self {
            current: session.id == *current,
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
            id: example_id(),
            created_at: datetime!(2026-11-23 07:04:59 UTC),
            last_used_at: datetime!(2026-11-23 09:30:00 UTC),
            expires_at: datetime!(2026-11-25 07:04:59 UTC),
            device: "Cheershare/1.0 (Android 15)".to_owned(),
            current: true,
        }
    }
}

impl Example for Renewal {
    fn example() -> Self {
        Self {
            success: true,
            data: Session::example(),
            token: "Y7QKZB3VJ5N2WXH4T6DPL2AEMU".to_owned(),
        }
    }
}

fn example_id() -> String {
    "k5x2aw7nqf3c4zt6y2h4v5xk7e".to_owned()
}
