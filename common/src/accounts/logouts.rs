//! Which OpenID clients are to be told of a session's end. A row stands for a session and a client;
//! the database notes that the session has ended, whatever ended it.

use sea_orm::{ConnectionTrait, DbBackend, FromQueryResult};

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
        let statement = self.statement(SQL, values);
        let noted = async {
            match self.database.execute_raw(statement).await {
                Ok(_) => Ok(true),
                Err(error) if is_of_ended_session(&error) => Ok(false),
                Err(error) => Err(error),
            }
        };
        self.within_deadline(noted).await
    }

    /// The clients that are to be told of an end at `now` (Unix ms).
    ///
    /// # Errors
    /// [`AccountsError`].
    pub async fn clients_with_due_logouts(&self, now: i64) -> Result<Vec<String>, AccountsError> {
        #[derive(FromQueryResult)]
        struct Row {
            client_id: String,
        }
        const SQL: &str =
            "SELECT DISTINCT client_id FROM logouts WHERE session_id IS NULL AND due_at <= $1";
        let query = Row::find_by_statement(self.statement(SQL, [now.into()]));
        let rows = self.within_deadline(query.all(&self.database)).await?;
        Ok(rows.into_iter().map(|row| row.client_id).collect())
    }

    /// Takes at most `limit` ends of which a client is to be told at `now`, until `lease` (both
    /// Unix ms). Of simultaneous calls each goes to one.
    ///
    /// # Errors
    /// [`AccountsError`]; some may be taken all the same.
    pub async fn take_due_logouts(
        &self,
        client_id: &str,
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
                SELECT id FROM logouts
                WHERE session_id IS NULL AND due_at <= $2 AND client_id = $3
                ORDER BY due_at, id LIMIT $4 {lock}
            ) RETURNING id, sid, user_id, client_id, uri, attempts"
        );
        let values = [lease.into(), now.into(), client_id.into(), limit.into()];
        let query = Logout::find_by_statement(self.statement(&sql, values));
        self.within_deadline(query.all(&self.database)).await
    }

    /// How many sessions, live or ended, have a client that is to be told of their end.
    ///
    /// # Errors
    /// [`AccountsError`].
    pub async fn count_logouts(&self) -> Result<i64, AccountsError> {
        #[derive(FromQueryResult)]
        struct Row {
            count: i64,
        }
        let query =
            Row::find_by_statement(self.statement("SELECT COUNT(*) AS count FROM logouts", []));
        let row = self.within_deadline(query.one(&self.database)).await?;
        Ok(row.map_or(0, |row| row.count))
    }

    /// Removes at most `limit` ends that have been due since `before` and of which nobody tells;
    /// says how many. An end that nobody has taken yet is due from the first call (`now`) on. Both
    /// are Unix ms.
    ///
    /// # Errors
    /// [`AccountsError`].
    pub async fn prune_untold_logouts(
        &self,
        before: i64,
        now: i64,
        limit: u64,
    ) -> Result<u64, AccountsError> {
        // When the session ended is not known: until then 0 stands there.
        const NOTICE: &str = "UPDATE logouts SET due_at = $1 WHERE id IN (
            SELECT id FROM logouts WHERE session_id IS NULL AND due_at = 0 LIMIT $2
        ) AND due_at = 0";
        const REMOVE: &str = "DELETE FROM logouts WHERE id IN (
            SELECT id FROM logouts
            WHERE session_id IS NULL AND due_at > 0 AND due_at <= $1 LIMIT $2
        ) AND due_at <= $1";
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.run(NOTICE, [now.into(), limit.into()]).await?;
        self.run(REMOVE, [before.into(), limit.into()]).await
    }

    /// Forgets an end: the client knows of it, or never will.
    ///
    /// # Errors
    /// [`AccountsError`]; then the client is told again.
    pub async fn forget_logout(&self, id: i64) -> Result<(), AccountsError> {
        self.run("DELETE FROM logouts WHERE id = $1", [id.into()]).await?;
        Ok(())
    }

    /// Puts off the next attempt to tell of an end until then (Unix ms).
    ///
    /// # Errors
    /// [`AccountsError`]; then the client is told after the lease.
    pub async fn logout_failed(&self, id: i64, at: i64) -> Result<(), AccountsError> {
        const SQL: &str = "UPDATE logouts SET attempts = attempts + 1, due_at = $1 WHERE id = $2";
        self.run(SQL, [at.into(), id.into()]).await?;
        Ok(())
    }
}
