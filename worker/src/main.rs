//! The worker: `worker` works, its commands are for operators.

use std::process::ExitCode;

use common::runtime::command;
use common::runtime::telemetry;
use worker::config::Cli;

/// A request makes and drops some hundred small values, and the system's allocator took a fifth of
/// its time.
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
        Some(command) => command::end(worker::commands::run(command, &cli.config).await),
        None => {
            let traces = match telemetry::start(&cli.config.telemetry, "cheershare-worker") {
                Ok(traces) => traces,
                Err(error) => return common::runtime::startup::refuse(&error),
            };
            let worked = worker::startup::work(cli.config).await;
            traces.finish().await;
            match worked {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => common::runtime::startup::refuse(&format!("{error:#}")),
            }
        }
    }
}
