//! Users and their tokens, in Postgres or SQLite.

use std::future::Future;
use std::time::Duration;

use sea_orm::sqlx::{self, Connection, SqliteConnection};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DatabaseTransaction,
    DbBackend, DbErr, EntityTrait, FromQueryResult, IsolationLevel, QueryFilter, QuerySelect, SqliteTransactionMode,
    Statement, TransactionOptions, TransactionTrait,
};
use secrecy::{ExposeSecret, SecretString};
use time::OffsetDateTime;

use crate::config::SettingError;
use crate::entity::{token, user};
use crate::name::Name;
use crate::phone::PhoneNumber;
use crate::token::{Scope, TokenHash};

/// How long one call may take, waiting for a connection included.
const DEADLINE: Duration = Duration::from_secs(2);

/// How long Postgres itself lets a statement take. Less than [`DEADLINE`], so that a statement that waits for a lock ends, its
/// connection is free again, and nothing is written long after the client was told that it was not.
const STATEMENT_LIMIT: Duration = Duration::from_millis(1500);

/// A connection that was idle for longer is tried before it is used: the database may have been restarted.
const TRUSTED_IDLE: Duration = Duration::from_secs(1);

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

/// Somebody who just proved that a number is theirs.
#[derive(Debug)]
pub struct SignedIn {
    /// The user, new or known.
    pub user: user::Model,
    /// Whether this was the number's first sign-in.
    pub is_new: bool,
}

/// A token to be kept.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// What is kept of it.
    pub hash: TokenHash,
    /// When it ends.
    pub expiry: OffsetDateTime,
    /// What it gives a right to.
    pub scope: Scope,
}

/// Users and tokens.
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
            .statement_timeout(STATEMENT_LIMIT)
            .test_before_acquire_if_idle_for(TRUSTED_IDLE)
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
            })
            .map_sqlx_sqlite_pool_opts(|pool| pool.after_release(|connection, _| Box::pin(is_outside(connection))));
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

    /// Finds or makes the user of a number and keeps a token for them, both or neither. Simultaneous first sign-ins of
    /// one number make one user. A known user keeps the name that they have.
    ///
    /// # Errors
    /// [`AccountsError`]; after [`AccountsError::Deadline`] the token may exist, but nobody has been told it.
    pub async fn sign_in(
        &self,
        number: &PhoneNumber,
        name: &Name,
        token: NewToken,
        now: OffsetDateTime,
    ) -> Result<SignedIn, AccountsError> {
        within_deadline(async {
            match self.database.get_database_backend() {
                DbBackend::Postgres => self.sign_in_on_postgres(number, name, token, now).await,
                _ => self.sign_in_on_sqlite(number, name, token, now).await,
            }
        })
        .await
    }

    /// One statement: one round trip and one commit. The update that changes nothing makes a known user's row come back.
    async fn sign_in_on_postgres(
        &self,
        number: &PhoneNumber,
        name: &Name,
        token: NewToken,
        now: OffsetDateTime,
    ) -> Result<SignedIn, DbErr> {
        #[derive(FromQueryResult)]
        struct Row {
            id: i64,
            created_at: OffsetDateTime,
            name: String,
            phone_number: String,
            version: i32,
            is_new: bool,
        }
        const SQL: &str = "
            WITH signed_in AS (
                INSERT INTO users (created_at, name, phone_number) VALUES ($1, $2, $3)
                ON CONFLICT (phone_number) DO UPDATE SET phone_number = excluded.phone_number
                RETURNING id, created_at, name, phone_number, version, xmax = 0 AS is_new
            ), kept AS (
                INSERT INTO tokens (hash, user_id, expiry, scope) SELECT $4, id, $5, $6 FROM signed_in
            )
            SELECT * FROM signed_in";
        let values = [
            now.into(),
            name.as_str().into(),
            number.as_e164().into(),
            token.hash.into_bytes().into(),
            token.expiry.into(),
            token.scope.as_str().into(),
        ];
        let statement = Statement::from_sql_and_values(DbBackend::Postgres, SQL, values);
        let row = Row::find_by_statement(statement).one(&self.database).await?;
        let row = row.ok_or_else(|| DbErr::RecordNotFound("the user that was just written".to_owned()))?;
        let Row { id, created_at, name, phone_number, version, is_new } = row;
        Ok(SignedIn { user: user::Model { id, created_at, name, phone_number, version }, is_new })
    }

    async fn sign_in_on_sqlite(
        &self,
        number: &PhoneNumber,
        name: &Name,
        token: NewToken,
        now: OffsetDateTime,
    ) -> Result<SignedIn, DbErr> {
        let transaction = self.begin_write().await?;
        let known =
            user::Entity::find().filter(user::Column::PhoneNumber.eq(number.as_e164())).one(&transaction).await?;
        let is_new = known.is_none();
        let user = match known {
            Some(user) => user,
            None => {
                let new = user::ActiveModel {
                    created_at: Set(now),
                    name: Set(name.as_str().to_owned()),
                    phone_number: Set(number.as_e164().to_owned()),
                    version: Set(1),
                    ..Default::default()
                };
                user::Entity::insert(new).exec_with_returning(&transaction).await?
            }
        };
        let kept = token::ActiveModel {
            hash: Set(token.hash.into_bytes()),
            user_id: Set(user.id),
            expiry: Set(token.expiry),
            scope: Set(token.scope.as_str().to_owned()),
        };
        token::Entity::insert(kept).exec_without_returning(&transaction).await?;
        transaction.commit().await?;
        Ok(SignedIn { user, is_new })
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

    /// The user who holds a live token of this scope.
    ///
    /// # Errors
    /// [`AccountsError`].
    pub async fn user_of(
        &self,
        token: TokenHash,
        scope: Scope,
        now: OffsetDateTime,
    ) -> Result<Option<user::Model>, AccountsError> {
        within_deadline(
            user::Entity::find()
                .inner_join(token::Entity)
                .filter(token::Column::Hash.eq(token.into_bytes()))
                .filter(token::Column::Scope.eq(scope.as_str()))
                .filter(token::Column::Expiry.gt(now))
                .one(&self.database),
        )
        .await
    }

    /// Removes at most `limit` expired tokens; says how many.
    ///
    /// # Errors
    /// [`AccountsError`].
    pub async fn prune_expired_tokens(&self, now: OffsetDateTime, limit: u64) -> Result<u64, AccountsError> {
        within_deadline(async {
            let expired = token::Entity::find()
                .select_only()
                .column(token::Column::Hash)
                .filter(token::Column::Expiry.lte(now))
                .limit(limit)
                .into_tuple::<Vec<u8>>()
                .all(&self.database)
                .await?;
            if expired.is_empty() {
                return Ok(0);
            }
            let removed =
                token::Entity::delete_many().filter(token::Column::Hash.is_in(expired)).exec(&self.database).await?;
            Ok(removed.rows_affected)
        })
        .await
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

/// Whether a connection may be used again: its transaction has ended.
///
/// Where a commit fails (a full disk), SQLite ends the transaction by itself. sqlx 0.9.0 then fails to roll it back, and counts the
/// next one on that connection as nested in it, which is told as committed without ever being.
async fn is_outside(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    // The rollback is on its way; whatever is asked after it waits for it.
    connection.ping().await?;
    Ok(!connection.is_in_transaction())
}

/// A database that hangs is caught by no setting of the pool or of the server.
async fn within_deadline<T>(call: impl Future<Output = Result<T, DbErr>>) -> Result<T, AccountsError> {
    match tokio::time::timeout(DEADLINE, call).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(AccountsError::Deadline),
    }
}
