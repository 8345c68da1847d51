use clap::Args;
use secrecy::{ExposeSecret, SecretString};

use super::SettingError;
use crate::store::redis::Redis;

/// Where OTPs and jobs are kept.
#[derive(Args, Clone, Debug)]
pub struct RedisConfig {
    /// `redis://…`, or `rediss://…` for TLS
    #[arg(long, env, default_value = "redis://127.0.0.1:6379", hide_env_values = true)]
    pub redis_url: SecretString,
}

impl RedisConfig {
    /// The server, not yet connected to.
    ///
    /// # Errors
    /// A URL that is not one of Redis.
    pub fn server(&self) -> Result<Redis, SettingError> {
        Redis::new(self.redis_url.expose_secret()).map_err(|_| {
            SettingError::new(
                "REDIS_URL",
                "has to be like redis://127.0.0.1:6379 or rediss://user:password@host:6379/0",
            )
        })
    }
}
