//! `api health`: asks the API of this machine how it is.

use clap::Args;
use common::config::SettingError;
use common::runtime::command::{self, CommandError};

use crate::config::Config;

#[derive(Args, Clone, Debug)]
pub struct HealthCommand {
    /// Ask whether it can serve requests, too: whether Redis and the database answer it
    #[arg(long)]
    ready: bool,
}

pub(super) async fn run(command: &HealthCommand, config: &Config) -> Result<(), CommandError> {
    let address = config.server.address();
    if address.port() == 0 {
        return Err(SettingError::new("PORT", "is 0, so nobody knows where the API listens").into());
    }
    command::ask_health(address, command.ready).await
}
