//! The worker's settings.

use std::time::Duration;

use clap::builder::RangedI64ValueParser;
use clap::{Args, Parser};
use common::config::{
    AppConfig, CallbackConfig, DatabaseConfig, EventsConfig, FilesConfig, OtpConfig, RedisConfig,
    SigningConfig,
};
use common::queue::{DEFAULT_CONCURRENCY, MAX_CONCURRENCY};
use common::runtime::listen_address::ListenAddress;
use common::runtime::telemetry::TelemetryConfig;

use crate::commands::Command;
use crate::events::EventsSecretConfig;
use crate::provider::ProviderConfig;
use crate::send::sms_text::SmsTextConfig;

/// Sends the SMS that the API queues. Every option is also an environment variable and may stand in
/// `.env`.
#[derive(Clone, Debug, Parser)]
#[command(name = "worker", version)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Option<Command>,
    #[command(flatten)]
    pub config: Config,
}

#[derive(Args, Clone, Debug)]
pub struct Config {
    #[command(flatten)]
    pub app: AppConfig,
    #[command(flatten)]
    pub database: DatabaseConfig,
    #[command(flatten)]
    pub redis: RedisConfig,
    #[command(flatten)]
    pub otp: OtpConfig,
    #[command(flatten)]
    pub text: SmsTextConfig,
    #[command(flatten)]
    pub providers: ProviderConfig,
    #[command(flatten)]
    pub callbacks: CallbackConfig,
    #[command(flatten)]
    pub events: EventsConfig,
    #[command(flatten)]
    pub events_secret: EventsSecretConfig,
    #[command(flatten)]
    pub files: FilesConfig,
    #[command(flatten)]
    pub signing: SigningConfig,
    #[command(flatten)]
    pub work: WorkConfig,
    /// Address and port of metrics, health and readiness, or `off`; port `0` takes any that is free
    /// and logs it
    #[arg(long, env, default_value = "127.0.0.1:9465")]
    pub metrics_addr: ListenAddress,
    #[command(flatten)]
    pub telemetry: TelemetryConfig,
}

#[derive(Args, Clone, Debug)]
pub struct WorkConfig {
    /// Open provider calls of one worker (1 to 6000)
    #[arg(long, env, default_value_t = DEFAULT_CONCURRENCY, value_parser = concurrency())]
    pub worker_concurrency: u16,
    /// Calls a second to each provider, over all workers; `0` is no limit
    #[arg(long, env, default_value_t = 0)]
    pub provider_rate: u32,
    /// Seconds that running jobs have to finish after SIGTERM (1 to 300)
    #[arg(long, env, default_value_t = 15, value_parser = clap::value_parser!(u64).range(1..=300))]
    shutdown_grace: u64,
    /// Seconds between sweeps of what uploads, removed files and crashes leave behind (1 to 3600)
    #[arg(long, env, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3600))]
    file_sweep_seconds: u64,
    /// Days that events of accounts are kept (1 to 3650)
    #[arg(long, env, default_value_t = 90, value_parser = clap::value_parser!(u64).range(1..=3650))]
    event_retention_days: u64,
}

impl WorkConfig {
    #[must_use]
    pub fn shutdown_grace(&self) -> Duration {
        Duration::from_secs(self.shutdown_grace)
    }

    #[must_use]
    pub fn sweep_every(&self) -> Duration {
        Duration::from_secs(self.file_sweep_seconds)
    }

    #[must_use]
    pub fn event_retention(&self) -> Duration {
        Duration::from_secs(self.event_retention_days * 24 * 60 * 60)
    }
}

fn concurrency() -> RangedI64ValueParser<u16> {
    clap::value_parser!(u16).range(1..=MAX_CONCURRENCY.into())
}
