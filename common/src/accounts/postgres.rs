//! Connections to PostgreSQL: straight, by PgBouncer, and to a primary that moves.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sea_orm::sqlx::postgres::{PgConnection, PgPool};
use sea_orm::sqlx::{self, Connection, Row};
use sea_orm::{
    ConnectOptions, ConnectionTrait, DatabaseConnection, DbBackend, DbErr, RuntimeErr, Statement,
};

/// A connection that was idle for longer is tried before it is used: the database may have been
/// restarted, or be a standby now.
const TRUSTED_IDLE: Duration = Duration::from_secs(1);
/// Before another connection is tried where the server took no writes.
const PAUSE: Duration = Duration::from_millis(250);
/// On for a standby, and for a server that was told to take no writes.
const SHOW_READ_ONLY: &str = "SHOW transaction_read_only";
/// What each new connection is told, and asked. PostgreSQL itself lets a statement take less than
/// [`super::DEADLINE`], so that one that waits for a lock ends, its connection is free again, and
/// nothing is written long after the client was told that it was not.
const PREPARE: &str = "SET statement_timeout = '1500ms'; SHOW transaction_read_only";
/// `read_only_sql_transaction` in PostgreSQL's documentation, appendix A.
const READ_ONLY: &str = "25006";
const ROUNDS: u32 = 20;

/// Sees to it that no connection stays with a server that is not the primary any more. Clones share
/// what they know.
#[derive(Clone, Debug, Default)]
pub(super) struct Primary(Arc<Mutex<Option<Instant>>>);

impl Primary {
    /// What each connection is told when it is made, and how it is looked at before it is used.
    ///
    /// Nothing but what every pooler knows is a parameter of the connection's start: PgBouncer
    /// refuses others.
    pub(super) fn guard_connections(&self, options: &mut ConnectOptions) {
        let primary = self.clone();
        options
            .map_sqlx_postgres_opts(|postgres| postgres.extra_float_digits(None))
            .map_sqlx_postgres_pool_opts(|pool| {
                pool.after_connect(|connection, _| Box::pin(prepare(connection)))
            })
            .map_sqlx_postgres_before_acquire(move |connection, known| {
                let primary = primary.clone();
                Box::pin(async move {
                    let usable = !primary.has_moved_since(known.age)
                        && (known.idle_for < TRUSTED_IDLE
                            || is_primary(connection, SHOW_READ_ONLY).await?);
                    Ok(usable)
                })
            });
    }

    /// A server that takes no writes is not the primary: connections made until now are not used
    /// any more.
    pub(super) fn look_at(&self, error: &DbErr) {
        if let DbErr::Conn(source) | DbErr::Exec(source) | DbErr::Query(source) = error
            && let RuntimeErr::SqlxError(error) = source
            && is_of_kind(error, READ_ONLY)
        {
            self.has_moved();
        }
    }

    /// # Errors
    /// The server cannot be reached, or takes no writes.
    pub(super) async fn ask(&self, database: &DatabaseConnection) -> Result<(), DbErr> {
        let question = Statement::from_string(DbBackend::Postgres, SHOW_READ_ONLY);
        let row = database.query_one_raw(question).await?;
        let answer = row.map(|row| row.try_get_by_index::<String>(0)).transpose()?;
        if answer.as_deref() == Some("off") {
            return Ok(());
        }
        self.has_moved();
        Err(DbErr::Custom("the server takes no writes".to_owned()))
    }

    fn has_moved(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    fn has_moved_since(&self, age: Duration) -> bool {
        let moved = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        moved.is_some_and(|moved| moved.elapsed() < age)
    }
}

/// # Errors
/// The server takes no writes, or ends the connection.
async fn prepare(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    if is_primary(connection, PREPARE).await? {
        return Ok(());
    }
    tracing::warn!(
        event = "database_takes_no_writes",
        setting = "DATABASE_URL",
        "the server is a standby or read-only"
    );
    tokio::time::sleep(PAUSE).await;
    Err(sqlx::Error::Protocol("the server takes no writes".to_owned()))
}

async fn is_primary(
    connection: &mut PgConnection,
    question: &'static str,
) -> Result<bool, sqlx::Error> {
    let row = sqlx::raw_sql(question).fetch_one(connection).await?;
    Ok(row.try_get::<&str, _>(0)? == "off")
}

/// Whether a connection knows in one transaction what it prepared in another. A pooler in transaction
/// mode may give it another server each time. Another connection takes servers away and gives them
/// back here, so that it does, often enough to be sure while others use the pooler too.
pub(super) async fn keeps_prepared_statements(pool: &PgPool) -> Result<bool, DbErr> {
    if pool.options().get_max_connections() < 2 {
        return Ok(true);
    }
    let ask = async {
        let (mut first, mut second) = (pool.acquire().await?, pool.acquire().await?);
        for _ in 0..ROUNDS {
            let transaction = first.begin().await?;
            let beside = asked_anew(&mut second).await?;
            transaction.commit().await?;
            if !(beside && asked_anew(&mut second).await?) {
                return Ok(false);
            }
        }
        Ok::<_, sqlx::Error>(true)
    };
    match ask.await {
        // The server knows no such statement, or another client's of that name.
        Err(error) if error.as_database_error().is_some() => Ok(false),
        answer => answer.map_err(|error| DbErr::Query(RuntimeErr::SqlxError(Arc::new(error)))),
    }
}

/// Whether a prepared statement answers what it should, and not what another client's does.
async fn asked_anew(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    let row = sqlx::query("SELECT 'prepared'").fetch_optional(connection).await?;
    Ok(row.is_some_and(|row| row.try_get::<&str, _>(0).is_ok_and(|told| told == "prepared")))
}

fn is_of_kind(error: &sqlx::Error, code: &str) -> bool {
    error.as_database_error().and_then(|error| error.code()).is_some_and(|found| found == code)
}
