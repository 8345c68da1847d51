use std::path::PathBuf;

use clap::Args;
use redis::ErrorKind;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use secrecy::{ExposeSecret, SecretString};

use super::SettingError;
use crate::ledger::connection::Redis;

/// Where OTPs and jobs are kept.
#[derive(Args, Clone, Debug)]
pub struct RedisConfig {
    /// `redis://…`, or `rediss://…` for TLS; with Sentinel `redis+sentinel://user:password@host:26379,host:26379/name-of-the-primary/0`, or `rediss+sentinel://…`
    #[arg(long, env, default_value = "redis://127.0.0.1:6379", hide_env_values = true)]
    pub redis_url: SecretString,
    /// PEM file of the certificate authorities that `rediss://` believes, in place of the system's
    #[arg(long, env)]
    pub redis_ca_file: Option<PathBuf>,
    /// Password of the Sentinels, where they have one
    #[arg(long, env, hide_env_values = true)]
    pub redis_sentinel_password: Option<SecretString>,
}

impl RedisConfig {
    /// The server, not yet connected to.
    ///
    /// # Errors
    /// A URL that is not one of Redis; a file that cannot be read, or has no certificate in it; a
    /// file beside a URL without TLS.
    pub fn server(&self) -> Result<Redis, SettingError> {
        let url = self.redis_url.expose_secret();
        let wrong_url = |_| {
            SettingError::new(
                "REDIS_URL",
                "has to be like redis://127.0.0.1:6379, rediss://user:password@host:6379/0 or redis+sentinel://host:26379,host:26379/primary",
            )
        };
        let mut redis = Redis::new(url).map_err(wrong_url)?;
        if let Some(password) = &self.redis_sentinel_password {
            redis = redis.with_sentinel_password(password.expose_secret()).map_err(|_| {
                SettingError::new(
                    "REDIS_SENTINEL_PASSWORD",
                    "is for a REDIS_URL that begins with redis+sentinel://",
                )
            })?;
        }
        let Some(file) = &self.redis_ca_file else { return Ok(redis) };
        let wrong_file = |reason: String| SettingError::new("REDIS_CA_FILE", reason);
        let authorities =
            std::fs::read(file).map_err(|error| wrong_file(format!("cannot be read: {error}")))?;
        if !CertificateDer::pem_slice_iter(&authorities).any(|certificate| certificate.is_ok()) {
            return Err(wrong_file("has to hold certificates in PEM".to_owned()));
        }
        redis.with_root_certs(authorities).map_err(|error| match error.kind() {
            ErrorKind::InvalidClientConfig => {
                wrong_file("is for a REDIS_URL that begins with rediss://".to_owned())
            }
            _ => wrong_file("has to hold certificates in PEM".to_owned()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(url: &str, file: PathBuf) -> String {
        RedisConfig {
            redis_url: url.into(),
            redis_ca_file: Some(file),
            redis_sentinel_password: None,
        }
        .server()
        .unwrap_err()
        .to_string()
    }

    #[test]
    fn a_file_of_authorities_that_serves_nobody_is_named() {
        let code = || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/src/lib.rs"));
        for (file, reason) in
            [("/no/such/file".into(), "cannot be read"), (code(), "certificates in PEM")]
        {
            let refused = refusal("rediss://127.0.0.1", file);
            assert!(
                refused.starts_with("REDIS_CA_FILE: ") && refused.contains(reason),
                "{refused}"
            );
        }
    }
}
