//! Logs, and traces where there is a collector.

pub mod traces;

use std::io::IsTerminal;

use clap::{Args, ValueEnum};
use tracing::Subscriber;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry};

use crate::config::SettingError;

#[derive(Args, Clone, Debug)]
pub struct TelemetryConfig {
    /// `text`, `json`, or `auto`: text at a terminal, JSON otherwise
    #[arg(long, env, value_enum, default_value = "auto")]
    pub log_format: LogFormat,
    /// What is logged: a level, or directives such as `warn,worker=debug`
    #[arg(long, env, default_value = "info", value_parser = filter_directives)]
    pub log: Targets,
    /// OpenTelemetry collector that traces go to by OTLP over HTTP, like
    /// `http://127.0.0.1:4318`
    #[arg(long, env, hide_env_values = true, value_parser = traces::collector)]
    pub otel_exporter_otlp_endpoint: Option<String>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum LogFormat {
    /// Text at a terminal, JSON otherwise.
    Auto,
    Text,
    /// One object a line.
    Json,
}

/// Starts logging to standard output, and the export of traces where there is a collector; they
/// name the program `service`. Called once.
///
/// # Errors
/// The exporter cannot be built for this collector.
pub fn start(
    config: &TelemetryConfig,
    service: &'static str,
) -> Result<traces::Export, SettingError> {
    match &config.otel_exporter_otlp_endpoint {
        None => {
            Registry::default().with(logs(config)).with(filter(config)).init();
            Ok(traces::Export::default())
        }
        Some(collector) => {
            // Each layer has its own filter: traces do not depend on the log's level.
            let (layer, export) = traces::export(collector, service)?;
            Registry::default().with(logs(config).with_filter(filter(config))).with(layer).init();
            Ok(export)
        }
    }
}

fn logs<S: Subscriber + for<'span> LookupSpan<'span>>(
    config: &TelemetryConfig,
) -> Box<dyn Layer<S> + Send + Sync> {
    let terminal = std::io::stdout().is_terminal();
    let text = match config.log_format {
        LogFormat::Auto => terminal,
        LogFormat::Text => true,
        LogFormat::Json => false,
    };
    let logs = tracing_subscriber::fmt::layer().with_ansi(terminal);
    // The list of spans would repeat the current one.
    if text { logs.boxed() } else { logs.json().with_span_list(false).boxed() }
}

/// Leaves out the spans of traces, because logs have their own, the lines of poem's server, which
/// repeat `metrics_listening`, and those of the database's pool, which repeat
/// `database_takes_no_writes`.
fn filter(config: &TelemetryConfig) -> Targets {
    let targets = config.log.clone();
    targets
        .with_target(traces::TARGET, LevelFilter::OFF)
        .with_target("poem::server", LevelFilter::WARN)
        .with_target("sqlx_core::pool", LevelFilter::OFF)
}

fn filter_directives(value: &str) -> Result<Targets, &'static str> {
    value.parse().map_err(|_| "has to be like info, or warn,worker=debug")
}
