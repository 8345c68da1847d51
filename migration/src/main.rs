//! `migration up`, `migration down`, `migration status`.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use migration::{Migrator, MigratorTrait};
use sea_orm_migration::sea_orm::{ConnectOptions, Database, DatabaseConnection, DbErr};

/// Moves the database schema forward and back.
#[derive(Parser)]
#[command(name = "migration", version)]
struct Cli {
    /// `postgres://…` or `sqlite://…`
    #[arg(long, env, default_value = DEVELOPMENT_DATABASE, hide_env_values = true, global = true)]
    database_url: String,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run all steps that have not run yet
    Up,
    /// Take the latest steps back
    Down {
        /// How many
        #[arg(default_value_t = 1)]
        steps: u32,
    },
    /// List the steps and whether they have run
    Status,
}

/// How long a database is tried to be reached.
const PATIENCE: Duration = Duration::from_secs(5);
const DEVELOPMENT_DATABASE: &str = "sqlite://data/cheershare.db?mode=rwc";

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let _ = dotenvy::dotenv();
    let mut cli = Cli::parse();
    if cli.database_url.is_empty() {
        cli.database_url = DEVELOPMENT_DATABASE.to_owned();
    }
    match run(&cli).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            #[expect(clippy::print_stderr, reason = "this is the program's answer")]
            {
                // The driver's messages quote the URL, and the URL may hold a password.
                eprintln!("DATABASE_URL: {}", error.to_string().replace(&cli.database_url, "…").replace('\n', " "));
            }
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: &Cli) -> Result<(), DbErr> {
    let database = connect(&cli.database_url).await?;
    match cli.command {
        Command::Up => Migrator::up(&database, None).await,
        Command::Down { steps } => Migrator::down(&database, Some(steps)).await,
        Command::Status => print_status(&database).await,
    }
}

async fn connect(url: &str) -> Result<DatabaseConnection, DbErr> {
    // Both ring and aws-lc-rs may be compiled in, so rustls has to be told; a second call is harmless.
    let _ = rustls::crypto::ring::default_provider().install_default();
    if url == DEVELOPMENT_DATABASE {
        std::fs::create_dir_all(Path::new("data")).map_err(|error| DbErr::Custom(format!("data folder: {error}")))?;
    }
    Database::connect(
        ConnectOptions::new(url).max_connections(1).acquire_timeout(PATIENCE).sqlx_logging(false).to_owned(),
    )
    .await
}

#[expect(clippy::print_stdout, reason = "this is the program's answer")]
async fn print_status(database: &DatabaseConnection) -> Result<(), DbErr> {
    let applied = Migrator::get_applied_migrations(database).await?;
    for step in Migrator::get_migration_files() {
        let done = applied.iter().any(|other| other.name() == step.name());
        println!("{} {}", if done { "applied" } else { "pending" }, step.name());
    }
    Ok(())
}
