//! What registered clients learn of a token, and how they end its session.

use std::sync::Arc;

use common::accounts::{AccessGrant, AccountsError};
use common::domain::client::Client;
use common::domain::openid::AccessToken;
use common::domain::token::Token;

use super::registered_clients::RegisteredClient;
use super::sessions::{self, CurrentUser};
use crate::state::AppState;

/// What a live token is.
#[derive(Debug)]
pub enum LiveToken {
    /// A session's own.
    Session(Arc<CurrentUser>),
    /// An OpenID client's.
    Access(Box<AccessGrant>),
}

/// What a token stands for. None where it is not live, or the client may not ask: about access tokens
/// each OpenID client may, and only about its own.
///
/// # Errors
/// [`AccountsError`].
pub async fn introspect(
    state: &AppState,
    asking: &RegisteredClient,
    token: &str,
) -> Result<Option<LiveToken>, AccountsError> {
    if let Some(token) = AccessToken::parse(token) {
        // What one client was given opens nothing at another one, which may look at `active` alone.
        let grant = state.accounts.access_grant(&token, state.clock.now()).await?;
        let grant =
            grant.filter(|grant| grant.client_id == asking.id.as_str() && asking.openid.is_some());
        return Ok(grant.map(|grant| LiveToken::Access(Box::new(grant))));
    }
    if !asking.introspect {
        state.rejections.introspection(asking.id.as_str());
        return Ok(None);
    }
    Ok(find(state, token).await?.map(LiveToken::Session))
}

/// Ends the session of a token, where it is live; of an OpenID client's access token nothing but
/// that, and only its own.
///
/// # Errors
/// [`AccountsError`]; after [`AccountsError::Deadline`] it may have ended.
pub async fn revoke(
    state: &Arc<AppState>,
    asking: &RegisteredClient,
    token: &str,
    client: &Client,
) -> Result<(), AccountsError> {
    if let Some(token) = AccessToken::parse(token) {
        return state.accounts.end_access_token(&token, asking.id.as_str()).await;
    }
    if !asking.introspect {
        return Ok(());
    }
    let Some(current) = find(state, token).await? else { return Ok(()) };
    let session = &current.session;
    sessions::end(state, current.user.id, &session.id, &session.id, client).await?;
    tracing::info!(event = "token_revoked", client_id = %asking.id, session_id = %session.id);
    Ok(())
}

async fn find(state: &AppState, token: &str) -> Result<Option<Arc<CurrentUser>>, AccountsError> {
    match Token::parse(token) {
        Some(token) => sessions::find(state, &token).await,
        None => Ok(None),
    }
}
