//! Logs: text for people at a terminal, JSON for machines.

use std::io::IsTerminal;

use clap::{Args, ValueEnum};
use tracing_subscriber::EnvFilter;

/// How logs look.
#[derive(Args, Clone, Debug)]
pub struct TelemetryConfig {
    /// `auto` is text at a terminal, JSON otherwise
    #[arg(long, env, value_enum, default_value = "auto")]
    pub log_format: LogFormat,
    /// What is logged: a level, or directives such as `warn,worker=debug`
    #[arg(long, env, default_value = "info", value_parser = filter_directives)]
    pub log: String,
}

/// The form of a log line.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum LogFormat {
    /// Text at a terminal, JSON otherwise.
    Auto,
    /// For people.
    Text,
    /// For machines, one object a line.
    Json,
}

/// Starts logging to standard output. Called once, by a program's `main`.
pub fn start(config: &TelemetryConfig) {
    let terminal = std::io::stdout().is_terminal();
    let logs = tracing_subscriber::fmt().with_env_filter(EnvFilter::new(&config.log)).with_ansi(terminal);
    let text = match config.log_format {
        LogFormat::Auto => terminal,
        LogFormat::Text => true,
        LogFormat::Json => false,
    };
    if text { logs.init() } else { logs.json().init() }
}

fn filter_directives(value: &str) -> Result<String, String> {
    EnvFilter::try_new(value)
        .map(|_| value.to_owned())
        .map_err(|_| "has to be like info, or warn,worker=debug".to_owned())
}
