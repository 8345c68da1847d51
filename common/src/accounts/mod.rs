//! Users, their sessions and what happened to them, in Postgres or SQLite.
//!
//! Whatever is changed together is one transaction; a sign-in on Postgres is one statement. Whoever
//! changes a user or their sessions locks the user's row first, so that nobody waits for each other
//! in a circle, and sees what those before have committed.

mod admin_actions;
mod admin_keys;
mod admin_sessions;
mod changed_by;
pub mod entities;
mod events;
mod export;
mod file_links;
mod files;
mod grants;
mod logouts;
mod number_change;
mod outbox;
mod outgoing_events;
mod pictures;
pub mod pool;
mod postgres;
mod sessions;
mod sign_in;
mod user_import;
mod user_lists;
mod users;

use std::future::Future;
use std::time::Duration;

use sea_orm::sqlx::{self, Connection, SqliteConnection};
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DatabaseTransaction, DbBackend,
    DbErr, IsolationLevel, SqliteTransactionMode, Statement, TransactionOptions, TransactionTrait,
    Value,
};
use secrecy::{ExposeSecret, SecretString};

pub use self::admin_actions::{AdminAction, AdminActionFilter};
pub use self::admin_keys::{KeptAdminKey, NewAdminKey};
pub use self::events::Event;
pub use self::export::{KeptOfUser, OwnFileLink, OwnGrant, OwnLogout, OwnPictureRow};
pub use self::file_links::{FileLink, Linked, LinkedFile, NewFileLink};
pub use self::files::{Created, FileRoom, Leased, NewFile, Progress};
pub use self::grants::{AccessGrant, Granted, MOST_OF_A_SESSION, NewGrant, Redemption};
pub use self::logouts::Logout;
pub use self::number_change::{Moved, NumberMove, OtherNumber};
pub use self::outbox::OutboxEntry;
use self::outgoing_events::Outgoing;
pub use self::outgoing_events::{DeadEvent, EventCounts, EventToPost};
pub use self::pictures::{DuePicture, MadePicture, OwnPicture, PictureToPut, PutBegun, PutPicture};
use self::postgres::Primary;
pub use self::sessions::{Session, SessionFilter};
pub use self::sign_in::{NewSession, SignedIn};
pub use self::user_import::MOST_AT_ONCE;
pub use self::user_lists::{ListedUser, UserFilter, UserOrder};
pub use self::users::{Renamed, UserSelector};
use crate::config::SettingError;
use crate::ledger::session_changes::SessionChanges;
use crate::runtime::timeout::with_timeout;

/// How long one call may take, waiting for a connection included.
const DEADLINE: Duration = Duration::from_secs(2);

/// Why users and tokens could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum AccountsError {
    /// The database refused or was not reached.
    #[error("database: {0}")]
    Database(#[from] DbErr),
    /// No answer within two seconds. A change may or may not have happened.
    #[error("database: no answer within {DEADLINE:?}")]
    Deadline,
}

#[derive(Clone, Debug)]
pub struct Accounts {
    database: DatabaseConnection,
    primary: Primary,
    /// Who is told that a user or a session has changed.
    changes: Option<SessionChanges>,
    outgoing: Outgoing,
}

impl Accounts {
    /// Prepares a pool of connections, which connect when they are needed.
    ///
    /// # Errors
    /// A URL that the driver cannot read; for SQLite also a file that cannot be opened.
    pub async fn connect(url: &SecretString, connections: u32) -> Result<Self, SettingError> {
        let primary = Primary::default();
        let mut options = ConnectOptions::new(url.expose_secret());
        options
            .max_connections(connections)
            .acquire_timeout(DEADLINE)
            .connect_lazy(true)
            // A round trip more for each statement. See `Primary::guard_connections`.
            .test_before_acquire(false)
            // sqlx 0.9.0: the task that would look after these can spin for ever, once its count of
            // idle connections underflows.
            .idle_timeout(None)
            .max_lifetime(None)
            .sqlx_logging(false)
            .map_sqlx_sqlite_opts(|sqlite| {
                use sea_orm::sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous};
                sqlite
                    .create_if_missing(true)
                    .foreign_keys(true)
                    .journal_mode(SqliteJournalMode::Wal)
                    .synchronous(SqliteSynchronous::Full)
                    .busy_timeout(DEADLINE)
            })
            .map_sqlx_sqlite_pool_opts(|pool| {
                pool.after_release(|connection, _| Box::pin(is_outside(connection)))
            });
        primary.guard_connections(&mut options);
        let database = Database::connect(options).await.map_err(|error| {
            // The driver's messages quote the URL, and the URL may hold a password.
            SettingError::new("DATABASE_URL", error.to_string().replace(url.expose_secret(), "…"))
        })?;
        Ok(Self { database, primary, changes: None, outgoing: Outgoing::default() })
    }

    /// The same, telling of each change of a user or a session.
    #[must_use]
    pub fn telling(self, changes: SessionChanges) -> Self {
        Self { changes: Some(changes), ..self }
    }

    #[must_use]
    pub fn database(&self) -> &DatabaseConnection {
        &self.database
    }

    /// Takes SQLite's write lock at once: a transaction that reads first and then writes is refused
    /// under load.
    async fn begin_write(&self) -> Result<DatabaseTransaction, DbErr> {
        let options = TransactionOptions {
            isolation_level: None::<IsolationLevel>,
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..Default::default()
        };
        self.database.begin_with_options(options).await
    }

    fn statement<const N: usize>(&self, sql: &str, values: [Value; N]) -> Statement {
        Statement::from_sql_and_values(self.database.get_database_backend(), sql, values)
    }

    /// Runs a statement; says how many rows it changed.
    async fn run<const N: usize>(
        &self,
        sql: &str,
        values: [Value; N],
    ) -> Result<u64, AccountsError> {
        let statement = self.statement(sql, values);
        let done = self.within_deadline(self.database.execute_raw(statement)).await?;
        Ok(done.rows_affected())
    }

    /// Asks the database for nothing, to learn whether it answers and takes writes.
    ///
    /// # Errors
    /// [`AccountsError`].
    pub async fn ping(&self) -> Result<(), AccountsError> {
        self.within_deadline(async {
            match self.database.get_database_backend() {
                DbBackend::Postgres => self.primary.ask(&self.database).await,
                _ => self.database.execute_unprepared("SELECT 1").await.map(|_| ()),
            }
        })
        .await
    }

    /// Whether statements stay prepared for as long as their connection lives. Behind PgBouncer in
    /// transaction mode they do from its version 1.21 on. SQLite always keeps them.
    ///
    /// # Errors
    /// [`AccountsError`].
    pub async fn keeps_prepared_statements(&self) -> Result<bool, AccountsError> {
        self.within_deadline(async {
            match self.database.get_database_backend() {
                DbBackend::Postgres => {
                    postgres::keeps_prepared_statements(
                        self.database.get_postgres_connection_pool(),
                    )
                    .await
                }
                _ => Ok(true),
            }
        })
        .await
    }

    /// Changes a user or their sessions, and tells those who may remember them, also where it is not
    /// known whether the change has happened. Where it happens after that, whoever read them in
    /// between remembers them for two seconds at most (`SESSION_CACHE_SECONDS`), as where Redis
    /// passes nothing on.
    async fn change<T>(
        &self,
        user_id: i64,
        change: impl Future<Output = Result<T, DbErr>>,
    ) -> Result<T, AccountsError> {
        let outcome = self.within_deadline(change).await;
        self.tell_of_change(user_id).await;
        outcome
    }

    async fn tell_of_change(&self, user_id: i64) {
        if let Some(changes) = &self.changes {
            changes.tell(user_id).await;
        }
    }

    /// A database that hangs is caught by no setting of the pool or of the server.
    async fn within_deadline<T>(
        &self,
        call: impl Future<Output = Result<T, DbErr>>,
    ) -> Result<T, AccountsError> {
        let answer = with_timeout(DEADLINE, AccountsError::Deadline, call).await;
        if let Err(AccountsError::Database(error)) = &answer {
            self.primary.look_at(error);
        }
        answer
    }
}

/// Whether a connection may be used again: its transaction has ended.
///
/// Where a commit fails (a full disk), SQLite ends the transaction by itself. sqlx 0.9.0 then fails
/// to roll it back, and counts the next one on that connection as nested in it, which is told as
/// committed without ever being.
async fn is_outside(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    // The rollback is on its way; whatever is asked after it waits for it.
    connection.ping().await?;
    Ok(!connection.is_in_transaction())
}
