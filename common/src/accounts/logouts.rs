//! Which OpenID clients are to be told of a session's end. A row stands for a session and a client;
//! the database notes that the session has ended, whatever ended it.

use sea_orm::{ConnectionTrait, DbBackend, FromQueryResult, Statement, Value};

use super::grants::is_of_ended_session;
use super::{Accounts, AccountsError, Granted};

/// A client that is to be told of an end.
#[derive(Clone, Debug, FromQueryResult)]
pub struct Logout {
    pub id: i64,
    /// The session that has ended.
    pub sid: String,
    pub user_id: i64,
    pub client_id: String,
    /// Where it wants to be told, as it was when the user signed in.
    pub uri: String,
    /// Attempts until now.
    pub attempts: i32,
}

impl Accounts {
    /// Notes that a client is to be told when the session ends of which it got tokens. Says whether
    /// that lives.
    ///
    /// # Errors
    /// [`AccountsError`]; it may be noted all the same.
    pub async fn tell_of_end(
        &self,
        granted: &Granted,
        client_id: &str,
        uri: &str,
    ) -> Result<bool, AccountsError> {
        const SQL: &str = "INSERT INTO logouts (session_id, sid, user_id, client_id, uri)
            VALUES ($1, $1, $2, $3, $4)
            ON CONFLICT (session_id, client_id) DO UPDATE SET uri = excluded.uri";
        let values = [
            granted.session_id.as_str().into(),
            granted.user_id.into(),
            client_id.into(),
            uri.into(),
        ];
        let statement = self.logouts_statement(SQL, values);
        let noted = async {
            match self.database.execute_raw(statement).await {
                Ok(_) => Ok(true),
                Err(error) if is_of_ended_session(&error) => Ok(false),
                Err(error) => Err(error),
            }
        };
        self.within_deadline(noted).await
    }

    /// Takes at most `limit` ends that are to be told at `now`, until `lease` (both Unix ms). Of
    /// simultaneous calls each goes to one.
    ///
    /// # Errors
    /// [`AccountsError`]; some may be taken all the same.
    pub async fn take_due_logouts(
        &self,
        now: i64,
        lease: i64,
        limit: i64,
    ) -> Result<Vec<Logout>, AccountsError> {
        let lock = match self.database.get_database_backend() {
            DbBackend::Postgres => "FOR UPDATE SKIP LOCKED",
            _ => "",
        };
        let sql = format!(
            "UPDATE logouts SET due_at = $1 WHERE id IN (
                SELECT id FROM logouts WHERE session_id IS NULL AND due_at <= $2
                ORDER BY due_at, id LIMIT $3 {lock}
            ) RETURNING id, sid, user_id, client_id, uri, attempts"
        );
        let values = [lease.into(), now.into(), limit.into()];
        let query = Logout::find_by_statement(self.logouts_statement(&sql, values));
        self.within_deadline(query.all(&self.database)).await
    }

    /// Forgets an end: the client knows of it, or never will.
    ///
    /// # Errors
    /// [`AccountsError`]; then the client is told again.
    pub async fn forget_logout(&self, id: i64) -> Result<(), AccountsError> {
        self.change_logout("DELETE FROM logouts WHERE id = $1", [id.into()]).await
    }

    /// Puts off the next attempt to tell of an end until then (Unix ms).
    ///
    /// # Errors
    /// [`AccountsError`]; then the client is told after the lease.
    pub async fn logout_failed(&self, id: i64, at: i64) -> Result<(), AccountsError> {
        const SQL: &str = "UPDATE logouts SET attempts = attempts + 1, due_at = $1 WHERE id = $2";
        self.change_logout(SQL, [at.into(), id.into()]).await
    }

    async fn change_logout<const N: usize>(
        &self,
        sql: &str,
        values: [Value; N],
    ) -> Result<(), AccountsError> {
        let statement = self.logouts_statement(sql, values);
        self.within_deadline(self.database.execute_raw(statement)).await?;
        Ok(())
    }

    fn logouts_statement<const N: usize>(&self, sql: &str, values: [Value; N]) -> Statement {
        Statement::from_sql_and_values(self.database.get_database_backend(), sql, values)
    }
}
