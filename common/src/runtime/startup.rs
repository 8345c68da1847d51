//! What both programs do first.

use std::fmt::Display;
use std::process::ExitCode;

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
