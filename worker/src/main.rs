//! The worker.

use std::process::ExitCode;

use common::telemetry;
use worker::config::Config;

#[tokio::main]
async fn main() -> ExitCode {
    let config = match common::config::load::<Config>() {
        Ok(config) => config,
        Err(error) => return common::startup::refuse(&error),
    };
    common::startup::prepare();
    telemetry::start(&config.telemetry);
    match worker::startup::work(config).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => common::startup::refuse(&format!("{error:#}")),
    }
}
