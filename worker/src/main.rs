//! The worker: `worker` works, its commands are for operators.

use std::process::ExitCode;

use common::runtime::{command, startup};
use worker::config::Cli;

/// A request makes and drops some hundred small values, and the system's allocator took a fifth of
/// its time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    worker::pictures::apart::child().unwrap_or_else(work)
}

#[tokio::main]
async fn work() -> ExitCode {
    startup::prepare();
    match common::config::load::<Cli>() {
        Err(error) => startup::refuse(&error),
        Ok(Cli { command: Some(command), config }) => {
            command::end(worker::commands::run(command, &config).await)
        }
        Ok(Cli { command: None, config }) => {
            let telemetry = config.telemetry.clone();
            startup::run(&telemetry, "cheershare-worker", worker::startup::work(config)).await
        }
    }
}
