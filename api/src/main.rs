//! The API: `api` serves, `api openapi` prints the document.

use std::process::ExitCode;

use api::config::{Cli, Command};
use common::telemetry;

#[tokio::main]
async fn main() -> ExitCode {
    let cli = match common::config::load::<Cli>() {
        Ok(cli) => cli,
        Err(error) => return common::startup::refuse(&error),
    };
    match cli.command {
        Some(Command::Openapi) => {
            #[expect(clippy::print_stdout, reason = "this is the program's answer")]
            {
                print!("{}", api::document::document_text());
            }
            ExitCode::SUCCESS
        }
        None => {
            common::startup::prepare();
            let traces = match telemetry::start(cli.config.telemetry(), "cheershare-api") {
                Ok(traces) => traces,
                Err(error) => return common::startup::refuse(&error),
            };
            let served = api::startup::serve(cli.config).await;
            traces.finish().await;
            match served {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => common::startup::refuse(&format!("{error:#}")),
            }
        }
    }
}
