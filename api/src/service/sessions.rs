//! Sessions: each begins with an OTP, and its user sees, renews and ends it.

use std::time::Duration;

use common::accounts::{Accounts, AccountsError, NewSession, Session, SessionFilter};
use common::domain::client::Client;
use common::domain::cursor::{Page, PageRequest};
use common::domain::event::SessionEnd;
use common::domain::ids::SessionId;
use common::domain::token::{Scope, Token};
use common::runtime::clock::Clock;
use time::OffsetDateTime;

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

/// The use cases and what they need. No session is remembered here: what has ended in the database has ended everywhere.
#[derive(Clone, Debug)]
pub struct Sessions {
    /// Users and sessions.
    pub accounts: Accounts,
    /// How long they last.
    pub terms: SessionTerms,
    /// Tokens expire by it.
    pub clock: Clock,
}

impl Sessions {
    /// A user's live sessions, newest first.
    ///
    /// # Errors
    /// [`AccountsError`].
    pub async fn list(&self, user_id: i64, page: PageRequest) -> Result<Page<Session>, AccountsError> {
        self.accounts.sessions(user_id, page, self.clock.now()).await
    }

    /// Ends a session of a user, as another or the same one of theirs asks. Says whether there was such a one.
    ///
    /// # Errors
    /// [`AccountsError`].
    pub async fn end(
        &self,
        user_id: i64,
        id: &SessionId,
        asking: &SessionId,
        client: &Client,
    ) -> Result<bool, AccountsError> {
        let reason = if id == asking { SessionEnd::SignedOut } else { SessionEnd::EndedElsewhere };
        Ok(self.end_which(user_id, SessionFilter::One(id), reason, client).await? > 0)
    }

    /// Ends all sessions of a user, but for one that is kept.
    ///
    /// # Errors
    /// [`AccountsError`].
    pub async fn end_all(&self, user_id: i64, kept: Option<&SessionId>, client: &Client) -> Result<(), AccountsError> {
        let which = kept.map_or(SessionFilter::All, SessionFilter::Except);
        self.end_which(user_id, which, SessionEnd::SignedOutEverywhere, client).await?;
        Ok(())
    }

    async fn end_which(
        &self,
        user_id: i64,
        which: SessionFilter<'_>,
        reason: SessionEnd,
        client: &Client,
    ) -> Result<usize, AccountsError> {
        let ended = self.accounts.end_sessions(user_id, which, reason, client, self.clock.now()).await?;
        for session_id in &ended {
            tracing::info!(event = "session_ended", user_id, %session_id, reason = reason.into_str());
        }
        Ok(ended.len())
    }

    /// Gives a session a new token in place of the one that it was found by. None where that one has ended meanwhile, or the
    /// session is as old as one may get.
    ///
    /// # Errors
    /// [`AccountsError`].
    pub async fn renew(
        &self,
        user_id: i64,
        session: Session,
        client: &Client,
    ) -> Result<Option<(Session, Token)>, AccountsError> {
        let (now, token) = (self.clock.now(), Token::random());
        let expires_at = self.terms.expiry(session.created_at, now);
        if expires_at <= now
            || !self.accounts.renew(user_id, &session.hash, token.hash(), expires_at, client, now).await?
        {
            return Ok(None);
        }
        tracing::info!(event = "session_renewed", user_id, session_id = %session.id);
        Ok(Some((Session { hash: token.hash(), last_used_at: now, expires_at, ..session }, token)))
    }
}
