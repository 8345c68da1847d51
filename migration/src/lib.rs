//! The database schema, one file a step, each with its way down. Names stand here as they were when
//! a step was written, so nothing of the programs is imported.

pub mod cli;
mod m20261123_create_users_and_tokens;
mod m20261123_keep_sessions;
mod m20261128_add_outbox;

pub use sea_orm_migration::MigratorTrait;
use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{DatabaseConnection, DbBackend};
use std::time::Duration;

/// All steps, oldest first.
#[derive(Debug)]
pub struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261123_create_users_and_tokens::Migration),
            Box::new(m20261123_keep_sessions::Migration),
            Box::new(m20261128_add_outbox::Migration),
        ]
    }
}

/// How often, and how far apart, a step is tried again that another process is running: programs
/// that start together migrate together, and one of them is first.
const TRIES: u32 = 20;
const PAUSE: Duration = Duration::from_millis(250);

/// Runs all steps that have not run yet.
///
/// # Errors
/// The database cannot be reached, or refuses a step.
pub async fn up(database: &DatabaseConnection) -> Result<(), DbErr> {
    let mut tries = 1;
    loop {
        match Migrator::up(database, None).await {
            Err(error) if tries < TRIES && is_being_run_elsewhere(&error) => tries += 1,
            result => return result,
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn is_being_run_elsewhere(error: &DbErr) -> bool {
    let text = error.to_string();
    ["already exists", "duplicate key", "UNIQUE constraint", "database is locked"]
        .iter()
        .any(|sign| text.contains(sign))
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
