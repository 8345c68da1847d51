//! The start of both programs, and how they end.

use std::fmt::Display;
use std::future::Future;
use std::process::ExitCode;

use crate::runtime::telemetry::{self, TelemetryConfig};

/// Tells rustls which cryptography to use, because more than one may be compiled in. Has to come
/// before the first connection.
pub fn prepare() {
    // It fails only where it was done before.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// Prints in one line why the program does not start, and returns exit code 2.
#[expect(
    clippy::print_stderr,
    reason = "logs may not be set up yet, and this is for the person who started it"
)]
pub fn refuse(reason: &impl Display) -> ExitCode {
    eprintln!("{}", reason.to_string().replace('\n', " "));
    ExitCode::from(2)
}

/// Runs `program` with logs, and with traces under the name `service`. Returns its exit code.
pub async fn run<E: Display>(
    telemetry: &TelemetryConfig,
    service: &'static str,
    program: impl Future<Output = Result<(), E>>,
) -> ExitCode {
    let traces = match telemetry::start(telemetry, service) {
        Ok(traces) => traces,
        Err(error) => return refuse(&error),
    };
    let ended = program.await;
    traces.finish().await;
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        // In this form an error of anyhow names its causes.
        Err(error) => refuse(&format!("{error:#}")),
    }
}
