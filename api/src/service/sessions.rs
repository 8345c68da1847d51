//! Sessions: each begins with an OTP, and its user sees, renews and ends it.

use std::sync::Arc;
use std::time::Duration;

use common::accounts::entities::user;
use common::accounts::{AccountsError, NewSession, Session, SessionFilter};
use common::domain::client::Client;
use common::domain::event::SessionEnd;
use common::domain::ids::SessionId;
use common::domain::token::{Scope, Token};
use time::OffsetDateTime;

use crate::state::AppState;

/// How long sessions last, and how many there may be.
#[derive(Clone, Copy, Debug)]
pub struct SessionTerms {
    /// Life of a token, which a renewal gives anew.
    pub token_ttl: Duration,
    /// Longest life of a session, from its OTP.
    pub longest: Duration,
    /// Live sessions of one user; 0 is no limit.
    pub per_user: u32,
}

impl SessionTerms {
    /// A session that begins now.
    pub(crate) fn begin(&self, token: &Token, client: &Client, now: OffsetDateTime) -> NewSession {
        NewSession {
            id: SessionId::random(),
            hash: token.hash(),
            expiry: self.expiry(now, now),
            scope: Scope::Authentication,
            client: client.clone(),
        }
    }

    /// When a token ends that is given now to a session that began then.
    fn expiry(&self, began: OffsetDateTime, now: OffsetDateTime) -> OffsetDateTime {
        (now + self.token_ttl).min(began + self.longest)
    }
}

/// Who holds a live token.
#[derive(Clone, Debug)]
pub struct CurrentUser {
    pub user: user::Model,
    /// The session that the token belongs to.
    pub session: Session,
}

/// Who holds this token; none where it is dead or was never given. Once a minute the session's use
/// is noted, which may fail.
///
/// # Errors
/// [`AccountsError`].
pub async fn find(
    state: &AppState,
    token: &Token,
) -> Result<Option<Arc<CurrentUser>>, AccountsError> {
    let (hash, now) = (token.hash(), state.clock.now());
    if let Some(current) = state.session_cache.get(&hash) {
        let session = &current.session;
        if session.expires_at > now && !session.use_is_to_be_noted(now) {
            return Ok(Some(current));
        }
    }
    let read_at = state.session_cache.now();
    let found = state.accounts.session_of(hash, Scope::Authentication, now).await?;
    let Some((user, mut session)) = found else { return Ok(None) };
    match state.accounts.note_use(&session, now).await {
        Ok(noted) => session.last_used_at = noted,
        Err(error) => tracing::warn!(event = "session_use_not_noted", %error),
    }
    let current = Arc::new(CurrentUser { user, session });
    state.session_cache.insert(Arc::clone(&current), read_at);
    Ok(Some(current))
}

/// Ends a session of a user, as another or the same one of theirs asks. Says whether there was one.
///
/// # Errors
/// [`AccountsError`].
pub async fn end(
    state: &AppState,
    user_id: i64,
    id: &SessionId,
    asking: &SessionId,
    client: &Client,
) -> Result<bool, AccountsError> {
    let reason = if id == asking { SessionEnd::SignedOut } else { SessionEnd::EndedElsewhere };
    Ok(end_filtered(state, user_id, SessionFilter::One(id), reason, client).await? > 0)
}

/// Ends all sessions of a user, but for one that is kept.
///
/// # Errors
/// [`AccountsError`].
pub async fn end_all(
    state: &AppState,
    user_id: i64,
    kept: Option<&SessionId>,
    client: &Client,
) -> Result<(), AccountsError> {
    let filter = kept.map_or(SessionFilter::All, SessionFilter::Except);
    end_filtered(state, user_id, filter, SessionEnd::SignedOutEverywhere, client).await?;
    Ok(())
}

async fn end_filtered(
    state: &AppState,
    user_id: i64,
    filter: SessionFilter<'_>,
    reason: SessionEnd,
    client: &Client,
) -> Result<usize, AccountsError> {
    let ended =
        state.accounts.end_sessions(user_id, filter, reason, client, state.clock.now()).await?;
    for session_id in &ended {
        tracing::info!(event = "session_ended", user_id, %session_id, reason = reason.into_str());
    }
    Ok(ended.len())
}

/// Gives a session a new token in place of the one that it was found by. None where that one has
/// ended meanwhile, or the session is as old as one may get.
///
/// # Errors
/// [`AccountsError`].
pub async fn renew(
    state: &AppState,
    user_id: i64,
    session: Session,
    client: &Client,
) -> Result<Option<(Session, Token)>, AccountsError> {
    let now = state.clock.now();
    let token = Token::random();
    let expires_at = state.session_terms.expiry(session.created_at, now);
    if expires_at <= now
        || !state
            .accounts
            .renew(user_id, &session.hash, token.hash(), expires_at, client, now)
            .await?
    {
        return Ok(None);
    }
    tracing::info!(event = "session_renewed", user_id, session_id = %session.id);
    Ok(Some((Session { hash: token.hash(), last_used_at: now, expires_at, ..session }, token)))
}
