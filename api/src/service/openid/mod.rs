//! The service as OpenID provider (OpenID Connect Core 1.0): apps of the operator's own let their
//! users sign in here.

mod answer;
mod id_token;
mod request;
mod tokens;

use std::sync::Arc;

use common::accounts::{AccountsError, NewGrant};
use common::domain::client::ClientAddress;
use common::domain::ids::{BrowserId, RequestId};
use common::domain::openid::AuthorizationCode;
use common::ledger::authorization_requests::AuthorizationRequests;
use common::ledger::error::LedgerError;

pub use self::answer::{Answer, AuthorizationError, ResponseMode, with_query};
pub use self::id_token::{Hint, IdTokenClaims};
pub use self::request::{AuthorizationRequest, Refusal};
pub use self::tokens::{Tokens, TokensError, redeem};
use super::sessions::CurrentUser;
use crate::state::AppState;

/// The scopes that there are. `email` is for clients that are told one.
pub const SCOPES: [&str; 4] = ["openid", "profile", "phone", "email"];

/// What the provider needs beside the state.
#[derive(Clone, Debug)]
pub struct OpenId {
    /// Without a slash at its end.
    pub issuer: String,
    pub requests: AuthorizationRequests,
}

/// Gives a client its code for a session that is enough for what it asked for. None where the
/// session has ended meanwhile.
///
/// # Errors
/// [`AccountsError`].
pub async fn grant(
    state: &AppState,
    openid: &OpenId,
    request: &AuthorizationRequest,
    current: &CurrentUser,
) -> Result<Option<Answer>, AccountsError> {
    let code = AuthorizationCode::random();
    let new = NewGrant {
        session_id: &current.session.id,
        user_id: current.user.id,
        client_id: &request.client_id,
        redirect_uri: &request.redirect_uri,
        scope: &request.scope,
        nonce: request.nonce.as_deref(),
        code_challenge: request.code_challenge.as_deref(),
        auth_time: current.session.created_at,
    };
    if !state.accounts.grant(&code, new, state.clock.now()).await? {
        return Ok(None);
    }
    tracing::info!(
        event = "openid_signed_in",
        user_id = current.user.id,
        session_id = %current.session.id,
        client_id = request.client_id,
    );
    Ok(Some(request.answer(&openid.issuer).with_code(&code)))
}

/// Keeps what a client asks for while its user signs in, and says under which id.
///
/// # Errors
/// [`LedgerError`].
pub async fn keep(
    openid: &OpenId,
    request: AuthorizationRequest,
    browser: &BrowserId,
    client: ClientAddress,
) -> Result<RequestId, LedgerError> {
    let id = RequestId::random();
    openid.requests.keep(&id, &request.to_json(browser), client).await?;
    Ok(id)
}

/// What was kept, for the browser that began it.
///
/// # Errors
/// [`LedgerError`].
pub async fn find(
    openid: &OpenId,
    id: &RequestId,
    browser: &BrowserId,
) -> Result<Option<AuthorizationRequest>, LedgerError> {
    let kept = openid.requests.find(id).await?;
    Ok(kept.and_then(|json| AuthorizationRequest::from_json(&json, browser)))
}

/// What a client's users are told of it.
#[must_use]
pub fn name_of(state: &AppState, client_id: &str) -> Option<String> {
    let clients = state.registered_clients.get();
    let (client, _) = clients.openid(client_id)?;
    Some(Arc::clone(client).name.as_str().to_owned())
}
