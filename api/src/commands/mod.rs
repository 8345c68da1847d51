//! What the program does for operators instead of serving: one file a command, all of them listed
//! in [`Command`] and [`run`].

mod admin_key;
mod bucket;
mod client;
mod health;
mod number;
mod openapi;
mod sessions;

use clap::Subcommand;
use common::config::SettingError;
use common::domain::phone::PhoneNumber;
use common::runtime::command::CommandError;

pub use self::admin_key::AdminKeyCommand;
pub use self::bucket::BucketCommand;
pub use self::client::ClientCommand;
pub use self::health::HealthCommand;
pub use self::number::NumberCommand;
pub use self::sessions::SessionsCommand;
use crate::config::Config;

/// What else the program can do.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Print the OpenAPI document
    Openapi {
        /// The admin API's
        #[arg(long)]
        admin: bool,
    },
    /// Ask the API that runs on this machine, at HOST and PORT, whether it lives
    Health(HealthCommand),
    /// See what is known of a number; unlock, block and unblock it
    #[command(subcommand)]
    Number(NumberCommand),
    /// See and empty the buckets that count unverified sends
    #[command(subcommand)]
    Bucket(BucketCommand),
    /// End a user's sessions
    #[command(subcommand)]
    Sessions(SessionsCommand),
    /// Make an entry for CLIENTS_FILE
    #[command(subcommand)]
    Client(ClientCommand),
    /// See, add and remove the keys of the admin API
    #[command(subcommand)]
    AdminKey(AdminKeyCommand),
}

/// Does it and prints the answer. Asks for no setting but those that it needs.
///
/// # Errors
/// [`CommandError`].
pub async fn run(command: &Command, config: &Config) -> Result<(), CommandError> {
    match command {
        Command::Openapi { admin } => openapi::run(*admin),
        Command::Health(command) => health::run(command, config).await,
        Command::Number(command) => number::run(command, config).await,
        Command::Bucket(command) => bucket::run(command, config).await,
        Command::Sessions(command) => sessions::run(command, config).await,
        Command::Client(command) => client::run(command),
        Command::AdminKey(command) => admin_key::run(command, config).await,
    }
}

fn parse_number(text: &str, config: &Config) -> Result<PhoneNumber, CommandError> {
    PhoneNumber::parse(text, config.destinations.default_country)
        .map_err(|error| SettingError::new("NUMBER", error.to_string()).into())
}
