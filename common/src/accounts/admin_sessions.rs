//! Browsers in which an operator has signed in to the console, each by an admin key.

use sea_orm::FromQueryResult;
use time::OffsetDateTime;

use super::admin_keys::Row;
use super::{Accounts, AccountsError, KeptAdminKey};
use crate::domain::token::{Token, TokenHash};

impl Accounts {
    /// Begins a session of that key, and forgets those that are over.
    ///
    /// # Errors
    /// [`AccountsError`]; it may be kept all the same.
    pub async fn begin_admin_session(
        &self,
        token: &Token,
        key_id: i64,
        expires_at: OffsetDateTime,
        now: OffsetDateTime,
    ) -> Result<(), AccountsError> {
        const INSERT: &str =
            "INSERT INTO admin_sessions (hash, key_id, expires_at) VALUES ($1, $2, $3)";
        let values = [token.hash().into_bytes().into(), key_id.into(), expires_at.into()];
        self.run("DELETE FROM admin_sessions WHERE expires_at <= $1", [now.into()]).await?;
        self.run(INSERT, values).await?;
        Ok(())
    }

    /// The key of the session with this hash, where neither is over.
    ///
    /// # Errors
    /// [`AccountsError`].
    pub async fn use_admin_session(
        &self,
        hash: TokenHash,
        now: OffsetDateTime,
    ) -> Result<Option<KeptAdminKey>, AccountsError> {
        const SQL: &str = "SELECT id, name, role, created_at, k.expires_at, last_used_at
            FROM admin_sessions s JOIN admin_keys k ON k.id = s.key_id
            WHERE s.hash = $1 AND s.expires_at > $2";
        let statement = self.statement(SQL, [hash.into_bytes().into(), now.into()]);
        self.use_key(Row::find_by_statement(statement), now).await
    }

    /// Ends a session.
    ///
    /// # Errors
    /// [`AccountsError`]; it may have ended all the same.
    pub async fn end_admin_session(&self, hash: TokenHash) -> Result<(), AccountsError> {
        let hash = hash.into_bytes();
        self.run("DELETE FROM admin_sessions WHERE hash = $1", [hash.into()]).await?;
        Ok(())
    }
}
