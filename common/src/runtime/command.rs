//! How the commands of both programs print their results and fail.

use std::fmt::Display;
use std::io::{self, ErrorKind, Write};
use std::net::SocketAddr;
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use crate::admin::OperatorError;
use crate::config::SettingError;
use crate::runtime::health::{self, HealthError};

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// An argument or a setting is wrong.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// Redis or the database did not answer, or refused.
    #[error(transparent)]
    Store(#[from] OperatorError),
    /// The user, number or session is not there.
    #[error("{0}")]
    NotFound(String),
    /// The running program does not answer, or says that it is not well.
    #[error(transparent)]
    Health(#[from] HealthError),
    #[error("the answer cannot be written: {0}")]
    Output(#[from] io::Error),
}

#[derive(Args, Clone, Copy, Debug)]
pub struct Output {
    /// As JSON, for programs
    #[arg(long)]
    pub json: bool,
}

/// Prints the result of a command, as text or as JSON.
///
/// # Errors
/// Standard output cannot be written. A reader that closed it is no error.
pub fn answer<T: Display + Serialize>(answer: &T, json: bool) -> Result<(), CommandError> {
    let text = if json {
        serde_json::to_string_pretty(answer).map_err(io::Error::from)? + "\n"
    } else {
        format!("{}\n", answer.to_string().trim_end())
    };
    print(&text)
}

/// Prints text as it is.
///
/// # Errors
/// As [`answer`].
pub fn print(text: &str) -> Result<(), CommandError> {
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => Ok(written?),
    }
}

/// Prints what [`health::ask`] returns.
///
/// # Errors
/// As [`health::ask`] and [`answer`].
pub async fn ask_health(address: SocketAddr, ready: bool) -> Result<(), CommandError> {
    print(&format!("{}\n", health::ask(address, ready).await?))
}

/// The exit code after a command: 0 after success, 1 when something was not found or is not well, 2
/// when an argument or a setting is wrong or a store does not answer. The reason is one line of
/// standard error.
#[must_use]
pub fn end(done: Result<(), CommandError>) -> ExitCode {
    let Err(error) = done else { return ExitCode::SUCCESS };
    let refused = crate::runtime::startup::refuse(&error);
    match error {
        CommandError::NotFound(_) | CommandError::Health(_) => ExitCode::FAILURE,
        _ => refused,
    }
}
