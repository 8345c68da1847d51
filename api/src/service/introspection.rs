//! What registered clients learn of a token, and how they end its session.

use std::sync::Arc;

use common::accounts::AccountsError;
use common::domain::client::Client;
use common::domain::token::Token;

use super::registered_clients::RegisteredClient;
use super::sessions::{self, CurrentUser};
use crate::state::AppState;

/// Who holds a token. None where it is not live, or the client may not ask.
///
/// # Errors
/// [`AccountsError`].
pub async fn introspect(
    state: &AppState,
    asking: &RegisteredClient,
    token: &str,
) -> Result<Option<Arc<CurrentUser>>, AccountsError> {
    if !asking.introspect {
        state.rejections.introspection(asking.id.as_str());
        return Ok(None);
    }
    find(state, token).await
}

/// Ends the session of a token, where it is live.
///
/// # Errors
/// [`AccountsError`]; after [`AccountsError::Deadline`] it may have ended.
pub async fn revoke(
    state: &Arc<AppState>,
    asking: &RegisteredClient,
    token: &str,
    client: &Client,
) -> Result<(), AccountsError> {
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
