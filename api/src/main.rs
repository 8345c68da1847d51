//! The API: `api` serves, `api openapi` prints the document, the other commands are for operators.

use std::process::ExitCode;

use api::config::Cli;
use common::{command, telemetry};

#[tokio::main]
async fn main() -> ExitCode {
    let cli = match common::config::load::<Cli>() {
        Ok(cli) => cli,
        Err(error) => return common::startup::refuse(&error),
    };
    common::startup::prepare();
    match cli.command {
        Some(command) => command::end(api::commands::run(&command, &cli.config).await),
        None => {
            telemetry::start(cli.config.telemetry());
            match api::startup::serve(cli.config).await {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => common::startup::refuse(&format!("{error:#}")),
            }
        }
    }
}
