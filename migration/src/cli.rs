//! The command line: its settings and its commands.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

/// Moves the database schema forward and back.
#[derive(Parser)]
#[command(name = "migration", version)]
pub struct Cli {
    /// `postgres://…` or `sqlite://…` [default: a SQLite file in DATA_DIR; none in production]
    #[arg(long, env, hide_env_values = true, global = true)]
    pub database_url: Option<String>,
    /// `production` refuses development defaults: a secret, database, provider or proxy list that is
    /// missing is an error
    #[arg(long, env, default_value = "development", value_parser = ["development", "production"], global = true)]
    pub app_env: String,
    /// Folder of the development secret and the SQLite file
    #[arg(long, env, default_value = "data", global = true)]
    pub data_dir: PathBuf,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

impl Cli {
    /// In production and unannounced.
    #[must_use]
    pub fn loses_data(&self) -> bool {
        self.app_env == "production" && matches!(self.command, Command::Down { yes: false, .. })
    }
}

/// What to do with the schema.
#[derive(Subcommand)]
pub enum Command {
    /// Run all steps that have not run yet
    Up,
    /// Take the latest steps back
    Down {
        /// How many
        #[arg(default_value_t = 1)]
        steps: u32,
        /// Lose what the tables and columns of these steps hold; asked for in production only
        #[arg(long)]
        yes: bool,
    },
    /// List the steps and whether they have run
    Status,
}
