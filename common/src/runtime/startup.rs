//! The start of both programs, and how they end.

use std::fmt::Display;
use std::future::Future;
use std::process::ExitCode;

use crate::runtime::telemetry::{self, TelemetryConfig};

/// To be called before the first connection: more than one cryptography library may be compiled in,
/// so rustls has to be told which to use.
pub fn prepare() {
    // It fails only when it has been done before.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// Says in one line why the program does not start.
#[expect(clippy::print_stderr, reason = "logs may not be set up yet, and this is for the person who started it")]
pub fn refuse(reason: &impl Display) -> ExitCode {
    eprintln!("{}", reason.to_string().replace('\n', " "));
    ExitCode::from(2)
}

/// Runs `program` with logs, and with traces under the name `service`, and says how the process ends.
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
        // With its causes, where `program` ends by anyhow's errors.
        Err(error) => refuse(&format!("{error:#}")),
    }
}
