//! The database schema, one file a step, each with its way down. Names stand here as they were when
//! a step was written, so nothing of the programs is imported.

pub mod cli;
mod m20261123_create_users_and_tokens;
mod m20261123_keep_sessions;
mod m20261128_add_outbox;
mod m20261129_keep_grants;
mod m20261129_post_events;
mod m20261129_tell_of_logouts;
mod m20261130_keep_admin_keys;
mod m20261130_keep_files;
mod m20261130_share_files;
mod m20261201_keep_console_sessions;
mod m20261202_index_lists;

use sea_orm_migration::IntoSchemaManagerConnection;
pub use sea_orm_migration::MigratorTrait;
use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{
    DatabaseConnection, DbBackend, SqliteTransactionMode, Statement, TransactionOptions,
    TransactionTrait,
};
use std::time::{Duration, Instant};

/// All steps, oldest first.
#[derive(Debug)]
pub struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261123_create_users_and_tokens::Migration),
            Box::new(m20261123_keep_sessions::Migration),
            Box::new(m20261128_add_outbox::Migration),
            Box::new(m20261129_post_events::Migration),
            Box::new(m20261129_keep_grants::Migration),
            Box::new(m20261129_tell_of_logouts::Migration),
            Box::new(m20261130_keep_files::Migration),
            Box::new(m20261130_keep_admin_keys::Migration),
            Box::new(m20261130_share_files::Migration),
            Box::new(m20261201_keep_console_sessions::Migration),
            Box::new(m20261202_index_lists::Migration),
        ]
    }
}

/// For other programs that migrate, or hold a lock that a step needs: programs that start together
/// migrate together, and one of them is first.
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(250);
/// Any number that no other program takes for a lock of its own.
const ADVISORY_LOCK: &str = "SELECT pg_try_advisory_xact_lock(7243801199521024)";

/// Runs all steps that have not run yet. On PostgreSQL the pool needs two connections: one holds the
/// lock against others that migrate.
///
/// # Errors
/// The database cannot be reached, or refuses a step; another program has been migrating, or holding
/// a lock, for half a minute.
pub async fn up(database: &DatabaseConnection) -> Result<(), DbErr> {
    migrate(database, Way::Up).await
}

/// Takes the latest steps back.
///
/// # Errors
/// As of [`up`].
pub async fn down(database: &DatabaseConnection, steps: u32) -> Result<(), DbErr> {
    migrate(database, Way::Down { steps }).await
}

#[derive(Clone, Copy)]
enum Way {
    Up,
    Down { steps: u32 },
}

impl Way {
    async fn go<'c>(self, database: impl IntoSchemaManagerConnection<'c>) -> Result<(), DbErr> {
        match self {
            Self::Up => Migrator::up(database, None).await,
            Self::Down { steps } => Migrator::down(database, Some(steps)).await,
        }
    }
}

async fn migrate(database: &DatabaseConnection, way: Way) -> Result<(), DbErr> {
    let until = Instant::now() + PATIENCE;
    loop {
        let result = match database.get_database_backend() {
            DbBackend::Postgres => migrate_postgres(database, way).await,
            _ => migrate_sqlite(database, way).await,
        };
        match result {
            Err(error) if Instant::now() < until && is_in_the_way(&error) => {}
            result => return result.map_err(explain),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn migrate_postgres(database: &DatabaseConnection, way: Way) -> Result<(), DbErr> {
    let transaction = database.begin().await?;
    let lock = Statement::from_string(DbBackend::Postgres, ADVISORY_LOCK);
    let row = transaction.query_one_raw(lock).await?;
    if !row.map_or(Ok(false), |row| row.try_get_by_index(0))? {
        return Err(DbErr::Custom(RUNS_ELSEWHERE.to_owned()));
    }
    way.go(database).await?;
    transaction.commit().await
}

/// All steps in one transaction, which has SQLite's only lock for writers from its beginning: nobody
/// meets half a step, and none is left behind by a program that is ended in the middle.
async fn migrate_sqlite(database: &DatabaseConnection, way: Way) -> Result<(), DbErr> {
    let options = TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    };
    let transaction = database.begin_with_options(options).await?;
    way.go(&transaction).await?;
    transaction.commit().await
}

const RUNS_ELSEWHERE: &str = "another program is migrating this database";

/// PostgreSQL's own words say nothing of a pooler.
fn explain(error: DbErr) -> DbErr {
    if !is_about_prepared_statements(&error) {
        return error;
    }
    DbErr::Custom(
        "a pooler in transaction mode keeps no prepared statements: use PgBouncer's session mode, \
         or its version 1.21 or later with max_prepared_statements"
            .to_owned(),
    )
}

fn is_about_prepared_statements(error: &DbErr) -> bool {
    error.to_string().contains("prepared statement")
}

fn is_in_the_way(error: &DbErr) -> bool {
    let text = error.to_string();
    let signs = [RUNS_ELSEWHERE, "lock timeout", "database is locked"];
    signs.iter().any(|sign| text.contains(sign))
}

/// Runs the statements of the database at hand.
async fn execute(manager: &SchemaManager<'_>, postgres: &str, sqlite: &str) -> Result<(), DbErr> {
    let sql = match manager.get_database_backend() {
        DbBackend::Postgres => postgres,
        _ => sqlite,
    };
    manager.get_connection().execute_unprepared(sql).await?;
    Ok(())
}
