//! What OpenID clients get of a session: a code, and an access token for it. One row is both. It
//! goes with its session, whoever ends that.

use std::sync::LazyLock;
use std::time::Duration;

use sea_orm::{ConnectionTrait, DbBackend, DbErr, FromQueryResult, SqlErr, Statement};
use time::OffsetDateTime;

use super::{Accounts, AccountsError};
use crate::accounts::entities::user;
use crate::domain::ids::SessionId;
use crate::domain::openid::{AccessToken, AuthorizationCode};

/// How long a code may be redeemed.
const CODE_LIFE: Duration = Duration::from_secs(60);
/// How long an access token lives, and never longer than its session's own token.
const TOKEN_LIFE: Duration = Duration::from_secs(60 * 60);

/// What a client is to get for a code.
#[derive(Clone, Debug)]
pub struct NewGrant<'a> {
    pub session_id: &'a SessionId,
    pub user_id: i64,
    pub client_id: &'a str,
    pub redirect_uri: &'a str,
    /// Separated by blanks.
    pub scope: &'a str,
    pub nonce: Option<&'a str>,
    /// SHA-256 of the verifier in base64url (RFC 7636).
    pub code_challenge: Option<&'a str>,
    /// When the user gave an OTP.
    pub auth_time: OffsetDateTime,
}

/// What a client says of a code.
#[derive(Clone, Debug)]
pub struct Redemption<'a> {
    pub code: &'a AuthorizationCode,
    pub client_id: &'a str,
    pub redirect_uri: &'a str,
    /// Of the verifier that it sent, where it sent one.
    pub code_challenge: Option<&'a str>,
}

/// What a code was good for.
#[derive(Clone, Debug, FromQueryResult)]
pub struct Redeemed {
    pub session_id: String,
    pub user_id: i64,
    pub scope: String,
    pub nonce: Option<String>,
    pub auth_time: OffsetDateTime,
    /// When the access token does.
    pub expires_at: OffsetDateTime,
}

/// What a live access token stands for.
#[derive(Clone, Debug, FromQueryResult)]
pub struct AccessGrant {
    #[sea_orm(nested(prefix = "user_"))]
    pub user: user::Model,
    pub session_id: String,
    pub client_id: String,
    pub scope: String,
    pub auth_time: OffsetDateTime,
    pub created_at: OffsetDateTime,
    pub expires_at: OffsetDateTime,
}

impl Accounts {
    /// Keeps a code for a session that is live. Says whether it still is.
    ///
    /// # Errors
    /// [`AccountsError`]; the code may be kept all the same, but nobody has been told it.
    pub async fn grant(
        &self,
        code: &AuthorizationCode,
        new: NewGrant<'_>,
        now: OffsetDateTime,
    ) -> Result<bool, AccountsError> {
        const SQL: &str = "INSERT INTO grants (
                code_hash, session_id, user_id, client_id, redirect_uri, scope, nonce,
                code_challenge, auth_time, created_at, expires_at
            ) SELECT $1, id, $2, $3, $4, $5, $6, $7, $8, $9, $10
            FROM tokens WHERE id = $11 AND expiry > $9";
        let statement = self.grants_statement(
            SQL,
            [
                code.hash().into_bytes().into(),
                new.user_id.into(),
                new.client_id.into(),
                new.redirect_uri.into(),
                new.scope.into(),
                new.nonce.map(str::to_owned).into(),
                new.code_challenge.map(str::to_owned).into(),
                new.auth_time.into(),
                now.into(),
                (now + CODE_LIFE).into(),
                new.session_id.as_str().into(),
            ],
        );
        let kept = async {
            match self.database.execute_raw(statement).await {
                Ok(done) => Ok(done.rows_affected() > 0),
                Err(error) if is_of_ended_session(&error) => Ok(false),
                Err(error) => Err(error),
            }
        };
        self.within_deadline(kept).await
    }

    /// Swaps a code for an access token, once. Whoever shows a code in vain has ended it, and what
    /// it was swapped for before.
    ///
    /// # Errors
    /// [`AccountsError`]; the code may be used up all the same.
    pub async fn redeem(
        &self,
        redemption: Redemption<'_>,
        token: &AccessToken,
        now: OffsetDateTime,
    ) -> Result<Option<Redeemed>, AccountsError> {
        let least = match self.database.get_database_backend() {
            DbBackend::Postgres => "LEAST",
            _ => "MIN",
        };
        // Whoever comes second waits for the first one's row, and then finds its token there.
        let sql = format!(
            "UPDATE grants SET token_hash = $1, created_at = $3,
                expires_at = {least}($2, (SELECT expiry FROM tokens WHERE id = session_id))
            WHERE code_hash = $4 AND token_hash IS NULL AND expires_at > $3
                AND client_id = $5 AND redirect_uri = $6
                AND code_challenge IS NOT DISTINCT FROM $7
                AND EXISTS (SELECT 1 FROM tokens WHERE id = session_id AND expiry > $3)
            RETURNING session_id, user_id, scope, nonce, auth_time, expires_at"
        );
        let code = redemption.code.hash().into_bytes();
        let values = [
            token.hash().into_bytes().into(),
            (now + TOKEN_LIFE).into(),
            now.into(),
            code.clone().into(),
            redemption.client_id.into(),
            redemption.redirect_uri.into(),
            redemption.code_challenge.map(str::to_owned).into(),
        ];
        let update = Redeemed::find_by_statement(self.grants_statement(&sql, values));
        let redeemed = self.within_deadline(update.one(&self.database)).await?;
        if redeemed.is_none() {
            let end =
                self.grants_statement("DELETE FROM grants WHERE code_hash = $1", [code.into()]);
            self.within_deadline(self.database.execute_raw(end)).await?;
        }
        Ok(redeemed)
    }

    /// What an access token stands for, where it is live.
    ///
    /// # Errors
    /// [`AccountsError`].
    pub async fn access_grant(
        &self,
        token: &AccessToken,
        now: OffsetDateTime,
    ) -> Result<Option<AccessGrant>, AccountsError> {
        static SQL: LazyLock<String> = LazyLock::new(|| {
            let user = &*user::COLUMNS;
            format!(
                "SELECT {user}, session_id, client_id, grants.scope, auth_time, grants.created_at,
                    expires_at
                FROM grants JOIN tokens ON tokens.id = session_id
                JOIN users ON users.id = tokens.user_id
                WHERE token_hash = $1 AND expires_at > $2 AND expiry > $2"
            )
        });
        let values = [token.hash().into_bytes().into(), now.into()];
        let query = AccessGrant::find_by_statement(self.grants_statement(&SQL, values));
        self.within_deadline(query.one(&self.database)).await
    }

    /// Ends an access token of a client's own. Its session goes on.
    ///
    /// # Errors
    /// [`AccountsError`]; it may have ended all the same.
    pub async fn end_access_token(
        &self,
        token: &AccessToken,
        client_id: &str,
    ) -> Result<(), AccountsError> {
        const SQL: &str = "DELETE FROM grants WHERE token_hash = $1 AND client_id = $2";
        let values = [token.hash().into_bytes().into(), client_id.into()];
        let end = self.grants_statement(SQL, values);
        self.within_deadline(self.database.execute_raw(end)).await?;
        Ok(())
    }

    /// Removes at most `limit` codes and access tokens that have expired; says how many.
    ///
    /// # Errors
    /// [`AccountsError`].
    pub async fn prune_expired_grants(
        &self,
        now: OffsetDateTime,
        limit: u64,
    ) -> Result<u64, AccountsError> {
        const SQL: &str = "DELETE FROM grants WHERE code_hash IN (
            SELECT code_hash FROM grants WHERE expires_at <= $1 LIMIT $2
        )";
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let removal = self.grants_statement(SQL, [now.into(), limit.into()]);
        Ok(self.within_deadline(self.database.execute_raw(removal)).await?.rows_affected())
    }

    fn grants_statement<const N: usize>(
        &self,
        sql: &str,
        values: [sea_orm::Value; N],
    ) -> Statement {
        Statement::from_sql_and_values(self.database.get_database_backend(), sql, values)
    }
}

/// A session that ends while the statement runs.
pub(super) fn is_of_ended_session(error: &DbErr) -> bool {
    matches!(error.sql_err(), Some(SqlErr::ForeignKeyConstraintViolation(_)))
}
