//! The bearer scheme (RFC 6750): holding a [`CurrentUser`] is the check.

use std::sync::Arc;

use common::domain::token::Token;
use poem::Request;
use poem::http::{HeaderMap, HeaderValue, header};
use poem_openapi::SecurityScheme;
use poem_openapi::auth::Bearer;

use crate::http::error::{ApiError, ErrorKind};
use crate::service::sessions::{self, CurrentUser};
use crate::state::AppState;

/// The token from `POST /signup`.
#[derive(Debug, SecurityScheme)]
#[oai(ty = "bearer", rename = "BearerToken", checker = "checked_before")]
pub struct BearerToken(pub Arc<CurrentUser>);

/// [`check`] has been here before, on every route.
#[expect(clippy::unused_async, reason = "the scheme asks for a future")]
async fn checked_before(request: &Request, _: Bearer) -> Option<Arc<CurrentUser>> {
    request.extensions().get().cloned()
}

/// Lets a request pass without the header or with a user that a cookie has told, keeps the user of
/// one with a live token, and refuses all others, on public routes too: a client whose token has
/// ended drops it and repeats.
pub(crate) async fn check(request: &mut Request, state: &AppState) -> Result<(), ApiError> {
    if request.extensions().get::<Arc<CurrentUser>>().is_some() {
        return Ok(());
    }
    if let Some(token) = bearer_token(request.headers())? {
        let current = sessions::find(state, &token).await?;
        let current = current.ok_or(ErrorKind::InvalidAuthorizationHeader)?;
        request.extensions_mut().insert(current);
    }
    Ok(())
}

/// The token of a request, live or not; none where there is no such header.
pub(crate) fn bearer_token(headers: &HeaderMap) -> Result<Option<Token>, ApiError> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let token = credentials(value).and_then(Token::parse);
    match (token, values.next()) {
        (Some(token), None) => Ok(Some(token)),
        _ => Err(ErrorKind::InvalidAuthorizationHeader.into()),
    }
}

/// What follows the scheme, which is taken in any case (RFC 9110, 11.1), and one space.
pub(crate) fn credentials(value: &HeaderValue) -> Option<&str> {
    let (scheme, credentials) = value.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("Bearer").then_some(credentials)
}
