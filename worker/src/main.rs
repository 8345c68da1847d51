//! The worker: `worker` works, `worker dead-letters` prints what was not sent.

use std::process::ExitCode;

use common::telemetry;
use worker::config::{Cli, Command};

#[tokio::main]
async fn main() -> ExitCode {
    let cli = match common::config::load::<Cli>() {
        Ok(cli) => cli,
        Err(error) => return common::startup::refuse(&error),
    };
    common::startup::prepare();
    let done = match cli.command {
        Some(Command::DeadLetters { json }) => match cli.config.redis.server() {
            Ok(redis) => worker::dead_letters::print(&redis, json).await,
            Err(error) => Err(error.into()),
        },
        None => {
            let traces = match telemetry::start(&cli.config.telemetry, "cheershare-worker") {
                Ok(traces) => traces,
                Err(error) => return common::startup::refuse(&error),
            };
            let worked = worker::startup::work(cli.config).await;
            traces.finish().await;
            worked
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => common::startup::refuse(&format!("{error:#}")),
    }
}
