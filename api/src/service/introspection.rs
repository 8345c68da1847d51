//! What registered clients learn of a token, and how they end its session.

use std::sync::Arc;

use common::accounts::entities::user;
use common::accounts::{AccountsError, Session};
use common::domain::client::Client;
use common::domain::token::{Scope, Token};

use super::registered_clients::RegisteredClient;
use super::sessions;
use crate::state::AppState;

/// Who holds a token. None where it is not live, or the client may not ask.
///
/// # Errors
/// [`AccountsError`].
pub async fn introspect(
    state: &AppState,
    asking: &RegisteredClient,
    token: &str,
) -> Result<Option<(user::Model, Session)>, AccountsError> {
    if !asking.introspect {
        state.rejections.introspection(asking.id.as_str());
        return Ok(None);
    }
    let Some(found) = find(state, token).await? else { return Ok(None) };
    // To its user it makes no difference which of the programs looked.
    if let Err(error) = state.accounts.note_use(&found.1, state.clock.now()).await {
        tracing::warn!(event = "session_use_not_noted", %error);
    }
    Ok(Some(found))
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
    let Some((user, session)) = find(state, token).await? else { return Ok(()) };
    sessions::end(state, user.id, &session.id, &session.id, client).await?;
    tracing::info!(event = "token_revoked", client_id = %asking.id, session_id = %session.id);
    Ok(())
}

async fn find(
    state: &AppState,
    token: &str,
) -> Result<Option<(user::Model, Session)>, AccountsError> {
    match Token::parse(token) {
        Some(token) => {
            let now = state.clock.now();
            state.accounts.session_of(token.hash(), Scope::Authentication, now).await
        }
        None => Ok(None),
    }
}
