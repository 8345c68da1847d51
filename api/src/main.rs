//! The API: `api` serves, `api openapi` prints the document, the other commands are for operators.

use std::process::ExitCode;

use api::config::Cli;
use common::runtime::{command, startup};

/// A request makes and drops some hundred small values, and the system's allocator took a fifth of
/// its time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    startup::prepare();
    match common::config::load::<Cli>() {
        Err(error) => startup::refuse(&error),
        Ok(Cli { command: Some(command), config }) => {
            command::end(api::commands::run(&command, &config).await)
        }
        Ok(Cli { command: None, config }) => {
            let telemetry = config.telemetry().clone();
            startup::run(&telemetry, "cheershare-api", api::startup::serve(config)).await
        }
    }
}
