//! The bearer scheme (RFC 6750): holding a [`CurrentUser`] is the check.

use common::accounts::entities::user;
use common::accounts::{Accounts, AccountsError, Session};
use common::domain::token::{Scope, Token};
use common::runtime::clock::Clock;
use poem::Request;
use poem::http::{HeaderMap, header};
use poem_openapi::SecurityScheme;
use poem_openapi::auth::Bearer;
use time::OffsetDateTime;

use crate::http::error::{ApiError, ErrorKind};

/// Who holds the token of this request.
#[derive(Clone, Debug)]
pub struct CurrentUser {
    pub user: user::Model,
    /// The session that the token belongs to.
    pub session: Session,
}

/// The token from `POST /signup`.
#[derive(Debug, SecurityScheme)]
#[oai(ty = "bearer", rename = "BearerToken", checker = "checked_before")]
pub struct BearerToken(pub CurrentUser);

/// [`check`] has been here before, on every route.
#[expect(clippy::unused_async, reason = "the scheme asks for a future")]
async fn checked_before(request: &Request, _: Bearer) -> Option<CurrentUser> {
    request.extensions().get().cloned()
}

/// Who holds a live token. One query, and once a minute the note that the session is used, which
/// may fail.
pub(crate) async fn current_user(
    accounts: &Accounts,
    token: &Token,
    now: OffsetDateTime,
) -> Result<Option<CurrentUser>, AccountsError> {
    let found = accounts.session_of(token.hash(), Scope::Authentication, now).await?;
    let Some((user, session)) = found else { return Ok(None) };
    if let Err(error) = accounts.note_use(&session, now).await {
        tracing::warn!(event = "session_use_not_noted", %error);
    }
    Ok(Some(CurrentUser { user, session }))
}

/// Lets a request without the header pass, keeps the user of one with a live token, and refuses all
/// others, on public routes too: a client whose token has ended drops it and repeats.
pub(crate) async fn check(
    request: &mut Request,
    accounts: &Accounts,
    clock: &Clock,
) -> Result<(), ApiError> {
    if let Some(token) = bearer_token(request.headers())? {
        let current = current_user(accounts, &token, clock.now()).await?;
        let current = current.ok_or(ErrorKind::InvalidAuthorizationHeader)?;
        request.extensions_mut().insert(current);
    }
    Ok(())
}

/// The token of a request, live or not; none where there is no such header.
pub(crate) fn bearer_token(headers: &HeaderMap) -> Result<Option<Token>, ApiError> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let token = value.to_str().ok().and_then(token_in);
    match (token, values.next()) {
        (Some(token), None) => Ok(Some(token)),
        _ => Err(ErrorKind::InvalidAuthorizationHeader.into()),
    }
}

/// The scheme in any case (RFC 9110, 11.1), one space, and the token.
fn token_in(credentials: &str) -> Option<Token> {
    let (scheme, token) = credentials.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("Bearer") { Token::parse(token) } else { None }
}
