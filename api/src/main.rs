//! The API: `api` serves, `api openapi` prints the document, the other commands are for operators.

use std::process::ExitCode;

use api::config::Cli;
use common::runtime::command;
use common::runtime::telemetry;

/// A request makes and drops some hundred small values, and the system's allocator took a fifth of its time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    let cli = match common::config::load::<Cli>() {
        Ok(cli) => cli,
        Err(error) => return common::runtime::startup::refuse(&error),
    };
    common::runtime::startup::prepare();
    match cli.command {
        Some(command) => command::end(api::commands::run(&command, &cli.config).await),
        None => {
            let traces = match telemetry::start(cli.config.telemetry(), "cheershare-api") {
                Ok(traces) => traces,
                Err(error) => return common::runtime::startup::refuse(&error),
            };
            let served = api::startup::serve(cli.config).await;
            traces.finish().await;
            match served {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => common::runtime::startup::refuse(&format!("{error:#}")),
            }
        }
    }
}
