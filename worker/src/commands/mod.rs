//! What the program does for operators instead of working.

mod breaker;
mod dead_letters;
mod events;
mod queue;

use clap::Subcommand;
use common::admin;
use common::config::SettingError;
use common::runtime::command::{self, CommandError, Output};
use common::runtime::listen_address::ListenAddress;

pub use self::breaker::BreakerCommand;
pub use self::events::EventsCommand;
use crate::config::Config;

/// What else the program can do.
#[derive(Clone, Copy, Debug, Subcommand)]
pub enum Command {
    /// Print the last deliveries that ended without being sent, newest first
    DeadLetters(Output),
    /// Print how many jobs wait, run and failed
    Queue(Output),
    /// See and reset the breakers of the providers
    #[command(subcommand)]
    Breaker(BreakerCommand),
    /// See and repeat events that the webhook did not take
    #[command(subcommand)]
    Events(EventsCommand),
    /// Ask the worker that runs on this machine, at METRICS_ADDR, whether it lives
    Health {
        /// Ask whether it can work, too: whether Redis and the database answer it
        #[arg(long)]
        ready: bool,
    },
}

/// Does it and prints the answer. Asks for no setting but those that it needs.
///
/// # Errors
/// [`CommandError`].
pub async fn run(command: Command, config: &Config) -> Result<(), CommandError> {
    match command {
        Command::DeadLetters(Output { json }) => {
            dead_letters::run(&mut admin::connect(&config.redis)?, json).await
        }
        Command::Queue(Output { json }) => {
            queue::run(&mut admin::connect(&config.redis)?, json).await
        }
        Command::Breaker(command) => {
            breaker::run(command, &mut admin::connect(&config.redis)?).await
        }
        Command::Events(command) => events::run(command, config).await,
        Command::Health { ready } => match config.metrics_addr {
            ListenAddress::At(address) if address.port() != 0 => {
                command::ask_health(address, ready).await
            }
            _ => {
                Err(SettingError::new("METRICS_ADDR", "does not say where the worker answers")
                    .into())
            }
        },
    }
}
