//! Settings from flags, the environment and `.env`: one struct a concern, flattened into each
//! program that needs it.

mod app;
mod callbacks;
mod data_dir;
mod database;
mod destinations;
mod events;
mod files;
mod loopback;
mod otp;
mod provider_choice;
mod redis;
mod signing;

use std::io::ErrorKind as IoErrorKind;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgMatches, Command, CommandFactory, FromArgMatches};

pub use self::app::{AppConfig, AppEnv};
pub use self::callbacks::{CallbackConfig, TWILIO_STATUS_PATH};
pub use self::database::DatabaseConfig;
pub use self::destinations::DestinationConfig;
pub use self::events::EventsConfig;
pub use self::files::FilesConfig;
pub use self::loopback::is_loopback;
pub use self::otp::OtpConfig;
pub use self::provider_choice::{ProviderChoice, ProviderName, ProviderOrder, is_twilio_sid};
pub use self::redis::RedisConfig;
pub use self::signing::{JwtConfig, SigningConfig};
pub use crate::ledger::limits::LimitConfig;

/// A setting that is missing or wrong. Never holds the value, which may be a secret.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{name}: {reason}")]
pub struct SettingError {
    name: String,
    reason: String,
}

impl SettingError {
    /// `name` is the environment variable, `reason` what is expected.
    pub fn new(name: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { name: name.into(), reason: reason.into() }
    }
}

/// Reads a program's settings: flags win over the environment, which wins over `.env`. An empty
/// variable counts as not set. Prints help or version and ends the process where that was asked
/// for.
///
/// # Errors
/// The first setting that is missing or malformed.
pub fn load<T: CommandFactory + FromArgMatches>() -> Result<T, SettingError> {
    if let Err(error) = dotenvy::dotenv() {
        let missing =
            matches!(&error, dotenvy::Error::Io(io) if io.kind() == IoErrorKind::NotFound);
        if !missing {
            return Err(SettingError::new(
                ".env",
                "cannot be read: each line has to be NAME=value",
            ));
        }
    }
    let command = T::command();
    let matches = ignore_empty_variables(command.clone())
        .try_get_matches()
        .map_err(|error| explain(&command, &error))?;
    check_secrets(&command, &matches)?;
    T::from_arg_matches(&matches).map_err(|error| explain(&command, &error))
}

/// What files and shells leave around a secret is never a part of it, and would be found out only
/// when a provider or a store refuses it. Secrets are the settings whose values help does not show.
fn check_secrets(command: &Command, matches: &ArgMatches) -> Result<(), SettingError> {
    for arg in command.get_arguments().filter(|arg| arg.is_hide_env_values_set()) {
        let values = matches.try_get_raw(arg.get_id().as_str()).ok().flatten();
        let values = values.into_iter().flatten().filter_map(|value| value.to_str());
        for value in values {
            let reason = if value.trim() != value {
                "has white space or a line break at its beginning or end"
            } else if is_quoted(value) {
                "has quotes around it"
            } else {
                continue;
            };
            let name = arg.get_env().unwrap_or_default().to_string_lossy();
            return Err(SettingError::new(name, reason));
        }
    }
    Ok(())
}

/// Reads a URL of an HTTP server.
///
/// # Errors
/// What is wrong with it.
pub fn http_url(text: &str) -> Result<reqwest::Url, &'static str> {
    match reqwest::Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Ok(url),
        _ => Err("has to be a URL that starts with https:// or http://"),
    }
}

fn is_quoted(value: &str) -> bool {
    value.len() > 1
        && ['"', '\''].iter().any(|quote| value.starts_with(*quote) && value.ends_with(*quote))
}

fn ignore_empty_variables(command: Command) -> Command {
    let command = command.mut_args(|arg| {
        let empty = arg
            .get_env()
            .is_some_and(|name| std::env::var_os(name).is_some_and(|value| value.is_empty()));
        // No variable can have an empty name, so this one is never set.
        if empty { arg.env("") } else { arg }
    });
    command.mut_subcommands(ignore_empty_variables)
}

fn explain(command: &Command, error: &clap::Error) -> SettingError {
    if matches!(
        error.kind(),
        ErrorKind::DisplayHelp
            | ErrorKind::DisplayVersion
            | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
    ) {
        error.exit();
    }
    let argument = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(name)) => name.clone(),
        Some(ContextValue::Strings(names)) => names.first().cloned().unwrap_or_default(),
        _ => String::new(),
    };
    if let Some(ContextValue::String(name)) = error.get(ContextKind::InvalidSubcommand) {
        return SettingError::new(name, "is no command of this program; see --help");
    }
    let reason = match error.kind() {
        ErrorKind::MissingRequiredArgument => "is not set".to_owned(),
        ErrorKind::UnknownArgument => "is no option of this program; see --help".to_owned(),
        ErrorKind::InvalidValue => match error.get(ContextKind::ValidValue) {
            Some(ContextValue::Strings(valid)) if !valid.is_empty() => {
                format!("has to be one of {}", valid.join(", "))
            }
            _ => "has no value".to_owned(),
        },
        _ => std::error::Error::source(error)
            .map_or_else(|| error.kind().to_string(), ToString::to_string),
    };
    SettingError::new(variable_of(command, &argument), reason)
}

/// The environment variable of an argument such as `--port <PORT>`, or the argument itself.
fn variable_of(command: &Command, argument: &str) -> String {
    let flag = argument.split_whitespace().next().unwrap_or_default();
    let long = flag.trim_start_matches("--");
    all_arguments(command)
        .find(|arg| arg.get_long() == Some(long))
        .and_then(Arg::get_env)
        .map_or_else(
            || flag.trim_matches(['<', '>', '[', ']']).to_owned(),
            |name| name.to_string_lossy().into_owned(),
        )
}

fn all_arguments(command: &Command) -> impl Iterator<Item = &Arg> {
    command.get_arguments().chain(command.get_subcommands().flat_map(Command::get_arguments))
}
