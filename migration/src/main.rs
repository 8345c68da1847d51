//! `migration up`, `migration down`, `migration status`.

use std::io::ErrorKind;
use std::process::ExitCode;
use std::time::Duration;

use clap::{CommandFactory, FromArgMatches};
use dotenvy::Error as EnvFileError;
use migration::cli::{Cli, Command};
use migration::{Migrator, MigratorTrait};
use sea_orm_migration::sea_orm::{ConnectOptions, Database, DatabaseConnection, DbErr};

/// How long a database is tried to be reached.
const PATIENCE: Duration = Duration::from_secs(5);

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match migrate().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            #[expect(clippy::print_stderr, reason = "this is the program's answer")]
            {
                eprintln!("{}", reason.replace('\n', " "));
            }
            ExitCode::FAILURE
        }
    }
}

/// Fails with one line that names the setting which is wrong.
async fn migrate() -> Result<(), String> {
    match dotenvy::dotenv() {
        Err(EnvFileError::Io(error)) if error.kind() == ErrorKind::NotFound => {}
        Err(_) => return Err(".env: cannot be read: each line has to be NAME=value".to_owned()),
        Ok(_) => {}
    }
    let cli = ignore_empty_variables(Cli::command())
        .try_get_matches()
        .and_then(|matches| Cli::from_arg_matches(&matches))
        .unwrap_or_else(|error| error.exit());
    if cli.loses_data() {
        return Err(
            "--yes: a step back loses what its tables and columns hold; say --yes to take it \
                    in production"
                .to_owned(),
        );
    }
    let url = database_url(&cli)?;
    // The driver's messages quote the URL, and the URL may hold a password.
    run(&cli.command, &url)
        .await
        .map_err(|error| format!("DATABASE_URL: {}", error.to_string().replace(&url, "…")))
}

/// An empty variable counts as not set.
fn ignore_empty_variables(command: clap::Command) -> clap::Command {
    command.mut_args(|arg| {
        let empty = arg
            .get_env()
            .is_some_and(|name| std::env::var_os(name).is_some_and(|value| value.is_empty()));
        // No variable can have an empty name, so this one is never set.
        if empty { arg.env("") } else { arg }
    })
}

fn database_url(cli: &Cli) -> Result<String, String> {
    match cli.database_url.as_deref() {
        Some(url) if url.trim() != url => {
            Err("DATABASE_URL: has white space or a line break at its beginning or end".to_owned())
        }
        Some(url) if url.starts_with(['"', '\'']) => {
            Err("DATABASE_URL: has quotes around it".to_owned())
        }
        Some(url) => Ok(url.to_owned()),
        _ if cli.app_env == "production" => {
            Err("DATABASE_URL: is not set, and APP_ENV=production has no default for it".to_owned())
        }
        _ => {
            let folder = &cli.data_dir;
            std::fs::create_dir_all(folder)
                .map_err(|error| format!("DATA_DIR: cannot be made: {error}"))?;
            Ok(format!("sqlite://{}?mode=rwc", folder.join("cheershare.db").display()))
        }
    }
}

async fn run(command: &Command, url: &str) -> Result<(), DbErr> {
    // More than one cryptography library may be compiled in, so rustls has to be told which to use.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut options = ConnectOptions::new(url);
    options.max_connections(2).acquire_timeout(PATIENCE).sqlx_logging(false);
    // sqlx 0.9.0: the task that would look after these can spin for ever, once its count of idle
    // connections underflows.
    options.idle_timeout(None).max_lifetime(None);
    // PgBouncer refuses parameters of the connection's start that it does not know.
    options.map_sqlx_postgres_opts(|postgres| postgres.extra_float_digits(None));
    let database = Database::connect(options).await?;
    match command {
        Command::Up => migration::up(&database).await,
        Command::Down { steps, .. } => migration::down(&database, *steps).await,
        Command::Status => print_status(&database).await,
    }
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
