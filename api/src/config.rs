//! The API's settings.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use common::config::{AppConfig, DatabaseConfig, DestinationConfig, OtpConfig, RedisConfig, SettingError};
use common::telemetry::TelemetryConfig;
use ipnet::IpNet;

/// Phone sign-in over HTTP. Every option is also an environment variable and may stand in `.env`.
#[derive(Debug, Parser)]
#[command(name = "api", version)]
pub struct Cli {
    /// What to do; to serve, where nothing is said.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// The settings.
    #[command(flatten)]
    pub config: Config,
}

/// What else the program can do.
#[derive(Clone, Copy, Debug, Subcommand)]
pub enum Command {
    /// Print the OpenAPI document
    Openapi,
}

/// Everything that the API can be told.
#[derive(Args, Clone, Debug)]
pub struct Config {
    /// Where it runs and what it is called.
    #[command(flatten)]
    pub app: AppConfig,
    /// Where it listens.
    #[command(flatten)]
    pub server: ServerConfig,
    /// Where users and tokens are.
    #[command(flatten)]
    pub database: DatabaseConfig,
    /// Where OTPs and jobs are.
    #[command(flatten)]
    pub redis: RedisConfig,
    /// How OTPs are made.
    #[command(flatten)]
    pub otp: OtpConfig,
    /// Which numbers are served.
    #[command(flatten)]
    pub destinations: DestinationConfig,
    /// How long sessions last.
    #[command(flatten)]
    pub sessions: SessionConfig,
    #[command(flatten)]
    telemetry: TelemetryConfig,
}

impl Config {
    /// How to log.
    #[must_use]
    pub fn telemetry(&self) -> &TelemetryConfig {
        &self.telemetry
    }
}

/// Where the API listens.
#[derive(Args, Clone, Debug)]
pub struct ServerConfig {
    /// Address to listen on
    #[arg(long, env, default_value = "127.0.0.1")]
    host: IpAddr,
    /// Port to listen on; 0 takes any that is free and logs it
    #[arg(long, env, default_value_t = 4000)]
    port: u16,
    /// Networks of the proxies whose header is believed (CIDR, comma-separated), or `none`
    #[arg(long, env)]
    trusted_proxies: Option<TrustedProxies>,
    /// Seconds that running requests have to finish after SIGTERM (1 to 300)
    #[arg(long, env, default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=300))]
    shutdown_grace: u64,
}

impl ServerConfig {
    /// Where to listen.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::new(self.host, self.port)
    }

    /// How long running requests have to finish.
    #[must_use]
    pub fn shutdown_grace(&self) -> Duration {
        Duration::from_secs(self.shutdown_grace)
    }

    /// # Errors
    /// None given in production: then clients could not be told apart, and every limit would hit all of them.
    pub fn trusted_proxies(&self, app: &AppConfig) -> Result<TrustedProxies, SettingError> {
        match &self.trusted_proxies {
            Some(proxies) => Ok(proxies.clone()),
            None => app.development_default("TRUSTED_PROXIES", TrustedProxies::default()),
        }
    }
}

/// The proxies whose word about a client's address is believed.
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies(Vec<IpNet>);

impl std::str::FromStr for TrustedProxies {
    type Err = &'static str;

    fn from_str(list: &str) -> Result<Self, Self::Err> {
        if list.trim() == "none" {
            return Ok(Self::default());
        }
        let network = |text: &str| {
            let text = text.trim();
            text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from))
        };
        let networks = list.split(',').map(network).collect::<Result<_, _>>();
        networks.map(Self).map_err(|_| "has to be a list of networks like 10.0.0.0/8,fd00::/8, or none")
    }
}

/// How long sessions last.
#[derive(Args, Clone, Debug)]
pub struct SessionConfig {
    /// Life of a bearer token in hours (1 to 8760)
    #[arg(long, env, default_value_t = 48, value_parser = clap::value_parser!(u64).range(1..=8760))]
    token_ttl_hours: u64,
}

impl SessionConfig {
    /// Life of a bearer token.
    pub fn token_ttl(&self) -> Duration {
        Duration::from_secs(self.token_ttl_hours * 60 * 60)
    }
}
