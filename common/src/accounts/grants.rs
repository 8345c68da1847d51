//! What OpenID clients get of a session: a code, and an access token for it. One row is both. It
//! goes with its session, whoever ends that.

use std::sync::LazyLock;
use std::time::Duration;

use sea_orm::{ConnectionTrait, DbBackend, DbErr, FromQueryResult, SqlErr, Value};
use time::OffsetDateTime;

use super::{Accounts, AccountsError};
use crate::accounts::entities::user;
use crate::domain::ids::SessionId;
use crate::domain::openid::{AccessToken, AuthorizationCode};

/// How long a code may be redeemed.
const CODE_LIFE: Duration = Duration::from_secs(60);
/// How long an access token lives, and never longer than its session's own token.
const TOKEN_LIFE: Duration = Duration::from_secs(60 * 60);

/// How many codes and access tokens a session may have; past that the oldest goes. Codes that are
/// asked for at the same moment may go past it by their number, until the next one.
pub const MOST_OF_A_SESSION: i64 = 100;

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

/// What a code is good for.
#[derive(Clone, Debug, FromQueryResult)]
pub struct Granted {
    pub session_id: String,
    pub user_id: i64,
    pub scope: String,
    pub nonce: Option<String>,
    pub auth_time: OffsetDateTime,
}

/// Whether a row is what a code is redeemed by, of [`Redemption::values`].
const FITS: &str = "code_hash = $1 AND token_hash IS NULL AND expires_at > $2
    AND client_id = $3 AND redirect_uri = $4 AND code_challenge IS NOT DISTINCT FROM $5
    AND EXISTS (SELECT 1 FROM tokens WHERE id = session_id AND expiry > $2)";

impl Redemption<'_> {
    fn values(&self, now: OffsetDateTime) -> [Value; 5] {
        [
            self.code.hash().into_bytes().into(),
            now.into(),
            self.client_id.into(),
            self.redirect_uri.into(),
            self.code_challenge.map(str::to_owned).into(),
        ]
    }
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
    /// Keeps a code for a session that is live, as one of [`MOST_OF_A_SESSION`]. Says whether it
    /// still is.
    ///
    /// # Errors
    /// [`AccountsError`]; the code may be kept all the same, but nobody has been told it.
    pub async fn grant(
        &self,
        code: &AuthorizationCode,
        new: NewGrant<'_>,
        now: OffsetDateTime,
    ) -> Result<bool, AccountsError> {
        const KEEP: &str = "INSERT INTO grants (
                code_hash, session_id, user_id, client_id, redirect_uri, scope, nonce,
                code_challenge, auth_time, created_at, expires_at
            ) SELECT $1, id, $2, $3, $4, $5, $6, $7, $8, $9, $10
            FROM tokens WHERE id = $11 AND expiry > $9";
        let in_one = self.database.get_database_backend() == DbBackend::Postgres;
        let sql = if in_one {
            format!("WITH gone AS ({}) {KEEP}", self.make_room("$11"))
        } else {
            KEEP.to_owned()
        };
        let statement = self.statement(
            &sql,
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
            if !in_one {
                let room = self.make_room("$1");
                let room = self.statement(&room, [new.session_id.as_str().into()]);
                self.database.execute_raw(room).await?;
            }
            match self.database.execute_raw(statement).await {
                Ok(done) => Ok(done.rows_affected() > 0),
                Err(error) if is_of_ended_session(&error) => Ok(false),
                Err(error) => Err(error),
            }
        };
        self.within_deadline(kept).await
    }

    /// What a code is good for, before anything becomes of it. Whoever shows a code in vain has
    /// ended it, and what it was swapped for before.
    ///
    /// # Errors
    /// [`AccountsError`].
    pub async fn granted(
        &self,
        redemption: &Redemption<'_>,
        now: OffsetDateTime,
    ) -> Result<Option<Granted>, AccountsError> {
        static SQL: LazyLock<String> = LazyLock::new(|| {
            let columns = "session_id, user_id, scope, nonce, auth_time";
            format!("SELECT {columns} FROM grants WHERE {FITS}")
        });
        let query = Granted::find_by_statement(self.statement(&SQL, redemption.values(now)));
        let granted = self.within_deadline(query.one(&self.database)).await?;
        if granted.is_none() {
            self.end_code(redemption.code).await?;
        }
        Ok(granted)
    }

    /// Swaps a code for an access token, once; says when that expires. In vain, it ends the code
    /// as [`granted`](Self::granted) does.
    ///
    /// # Errors
    /// [`AccountsError`]; the code may be used up all the same.
    pub async fn redeem(
        &self,
        redemption: &Redemption<'_>,
        token: &AccessToken,
        now: OffsetDateTime,
    ) -> Result<Option<OffsetDateTime>, AccountsError> {
        let least = match self.database.get_database_backend() {
            DbBackend::Postgres => "LEAST",
            _ => "MIN",
        };
        // Whoever comes second waits for the first one's row, and then finds its token there.
        let sql = format!(
            "UPDATE grants SET token_hash = $6, created_at = $2,
                expires_at = {least}($7, (SELECT expiry FROM tokens WHERE id = session_id))
            WHERE {FITS} RETURNING expires_at"
        );
        let [code, at, client, uri, challenge] = redemption.values(now);
        let (token, longest) = (token.hash().into_bytes().into(), (now + TOKEN_LIFE).into());
        let values = [code, at, client, uri, challenge, token, longest];
        let update = self.database.query_one_raw(self.statement(&sql, values));
        let Some(row) = self.within_deadline(update).await? else {
            self.end_code(redemption.code).await?;
            return Ok(None);
        };
        Ok(Some(row.try_get("", "expires_at")?))
    }

    async fn end_code(&self, code: &AuthorizationCode) -> Result<(), AccountsError> {
        const SQL: &str = "DELETE FROM grants WHERE code_hash = $1";
        self.run(SQL, [code.hash().into_bytes().into()]).await?;
        Ok(())
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
        let query = AccessGrant::find_by_statement(self.statement(&SQL, values));
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
        self.run(SQL, values).await?;
        Ok(())
    }

    /// Removes at most `limit` codes and access tokens that have expired; says how many. Passes over
    /// those that somebody else changes at the moment, as the end of a session does.
    ///
    /// # Errors
    /// [`AccountsError`].
    pub async fn prune_expired_grants(
        &self,
        now: OffsetDateTime,
        limit: u64,
    ) -> Result<u64, AccountsError> {
        let sql = format!(
            "DELETE FROM grants WHERE code_hash IN (
                SELECT code_hash FROM grants WHERE expires_at <= $1 LIMIT $2 {}
            )",
            self.skip_locked()
        );
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.run(&sql, [now.into(), limit.into()]).await
    }

    /// Makes room for one more grant of a session, where it has as many as it may.
    fn make_room(&self, session: &str) -> String {
        format!(
            "DELETE FROM grants WHERE code_hash IN (
                SELECT code_hash FROM grants WHERE session_id = {session}
                ORDER BY created_at DESC LIMIT {} OFFSET {} {}
            )",
            i64::MAX,
            MOST_OF_A_SESSION - 1,
            self.skip_locked()
        )
    }

    /// For a subselect of what is deleted: rows are locked in no order, and whoever waited for one
    /// could be waited for in a circle. SQLite knows one lock, for all.
    fn skip_locked(&self) -> &'static str {
        match self.database.get_database_backend() {
            DbBackend::Postgres => "FOR UPDATE SKIP LOCKED",
            _ => "",
        }
    }
}

/// A session that ends while the statement runs.
pub(super) fn is_of_ended_session(error: &DbErr) -> bool {
    matches!(error.sql_err(), Some(SqlErr::ForeignKeyConstraintViolation(_)))
}
