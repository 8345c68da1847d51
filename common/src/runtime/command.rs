//! What both programs' commands for operators share: how they answer, and how they fail.

use std::fmt::Display;
use std::io::{self, ErrorKind, Write};
use std::net::SocketAddr;
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use crate::admin::OperatorError;
use crate::config::SettingError;
use crate::runtime::health::{self, HealthError};

/// Why a command did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// An argument or a setting is wrong.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// Redis or the database was not asked.
    #[error(transparent)]
    Store(#[from] OperatorError),
    /// There is nobody of that name.
    #[error("{0}")]
    NotFound(String),
    /// The program that should run does not answer as it should.
    #[error(transparent)]
    Health(#[from] HealthError),
    /// The answer cannot be written.
    #[error("the answer cannot be written: {0}")]
    Output(#[from] io::Error),
}

/// For people or for programs.
#[derive(Args, Clone, Copy, Debug)]
pub struct Output {
    /// As JSON, for programs
    #[arg(long)]
    pub json: bool,
}

/// Prints an answer, for people or as JSON.
///
/// # Errors
/// Standard output is closed, but not by a reader that has seen enough.
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

/// Asks the program that listens at `address` whether it is well, as [`health::ask`] does, and
/// prints its answer.
///
/// # Errors
/// It is not, or as [`answer`].
pub async fn ask_health(address: SocketAddr, ready: bool) -> Result<(), CommandError> {
    print(&format!("{}\n", health::ask(address, ready).await?))
}

/// How a program ends after a command: 0 when it is done, 1 when what it is about was not found or
/// is not well, 2 when an argument or a setting is wrong or a store does not answer. Why is one
/// line of standard error.
#[must_use]
pub fn end(done: Result<(), CommandError>) -> ExitCode {
    let Err(error) = done else { return ExitCode::SUCCESS };
    let refused = crate::runtime::startup::refuse(&error);
    match error {
        CommandError::NotFound(_) | CommandError::Health(_) => ExitCode::FAILURE,
        _ => refused,
    }
}
