//! Users, their sessions and what happened to them, in Postgres or SQLite.
//!
//! Whatever is changed together is one statement on Postgres and one transaction on SQLite. On Postgres, whoever ends or renews
//! sessions locks the user's row first, so that nobody waits for each other in a circle.

mod events;
mod number;
mod profile;
mod sessions;
mod sign_in;

use std::future::Future;
use std::time::Duration;

use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DatabaseTransaction, DbErr, IsolationLevel,
    SqliteTransactionMode, TransactionOptions, TransactionTrait,
};
use secrecy::{ExposeSecret, SecretString};

pub use self::events::Event;
pub use self::number::{Moved, NumberMove};
pub use self::sessions::{Session, Which};
pub use self::sign_in::{NewSession, SignedIn};
use crate::config::SettingError;

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

/// Users, sessions and events.
#[derive(Clone, Debug)]
pub struct Accounts {
    database: DatabaseConnection,
}

impl Accounts {
    /// Prepares a pool of connections, which connect when they are needed.
    ///
    /// # Errors
    /// A URL that the driver cannot read; for SQLite also a file that cannot be opened.
    pub async fn connect(url: &SecretString, connections: u32) -> Result<Self, SettingError> {
        let mut options = ConnectOptions::new(url.expose_secret());
        options
            .max_connections(connections)
            .acquire_timeout(DEADLINE)
            .connect_lazy(true)
            .test_before_acquire(false)
            // sqlx 0.9.0: the task that would look after these can spin for ever, once its count of idle connections underflows.
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
            });
        let database = Database::connect(options).await.map_err(|error| {
            // The driver's messages quote the URL, and the URL may hold a password.
            SettingError::new("DATABASE_URL", error.to_string().replace(url.expose_secret(), "…"))
        })?;
        Ok(Self { database })
    }

    /// The pool, for migrations.
    #[must_use]
    pub fn database(&self) -> &DatabaseConnection {
        &self.database
    }

    /// Takes SQLite's write lock at once: a transaction that reads first and then writes is refused under load.
    async fn begin_write(&self) -> Result<DatabaseTransaction, DbErr> {
        let options = TransactionOptions {
            isolation_level: None::<IsolationLevel>,
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..Default::default()
        };
        self.database.begin_with_options(options).await
    }

    /// Asks the database for nothing, to learn whether it answers.
    ///
    /// # Errors
    /// [`AccountsError`].
    pub async fn ping(&self) -> Result<(), AccountsError> {
        within_deadline(async {
            self.database.execute_unprepared("SELECT 1").await?;
            Ok(())
        })
        .await
    }
}

/// A database that hangs is caught by no setting of the pool or of the server.
async fn within_deadline<T>(call: impl Future<Output = Result<T, DbErr>>) -> Result<T, AccountsError> {
    match tokio::time::timeout(DEADLINE, call).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(AccountsError::Deadline),
    }
}
