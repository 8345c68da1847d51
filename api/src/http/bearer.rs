//! The bearer scheme (RFC 6750): holding a [`CurrentUser`] is the check.

use std::sync::Arc;

use common::domain::token::Token;
use poem::Request;
use poem::http::{HeaderMap, header};
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

/// Lets a request without the header pass, keeps the user of one with a live token, and refuses all
/// others, on public routes too: a client whose token has ended drops it and repeats.
pub(crate) async fn check(request: &mut Request, state: &AppState) -> Result<(), ApiError> {
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
