use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use clap::Args;
use data_encoding::HEXLOWER;
use rand::RngExt;
use secrecy::{ExposeSecret, SecretString};

use super::data_dir::kept_in;
use super::{AppConfig, SettingError, is_quoted};
use crate::crypto::challenge_keys::ChallengeKeys;
use crate::crypto::cookie_keys::CookieKeys;
use crate::crypto::idempotency_keys::IdempotencyKeys;
use crate::crypto::otp_keys::OtpKeys;
use crate::crypto::secret::SecretTooShort;
use crate::domain::otp::OtpLength;

/// How one-time passwords are made and kept.
#[derive(Args, Clone, Debug)]
pub struct OtpConfig {
    /// Secret of at least 32 characters, the same for all API and worker processes; a
    /// comma-separated list rotates it: the first seals, all open [default: made and kept in
    /// DATA_DIR; none in production]
    #[arg(long, env, hide_env_values = true)]
    pub otp_secret: Option<SecretString>,
    /// Digits of an OTP (4 to 10)
    #[arg(long, env, default_value_t = OtpLength::DEFAULT)]
    pub otp_length: OtpLength,
    /// Life of an OTP in seconds (30 to 600)
    #[arg(long, env, default_value_t = 300, value_parser = clap::value_parser!(u64).range(30..=600))]
    pub otp_ttl_seconds: u64,
}

impl OtpConfig {
    /// The keys that seal and tag codes. In development a secret is made where none is set.
    ///
    /// # Errors
    /// No secret in production, one that is too short, or a data folder that cannot be written.
    pub fn keys(&self, app: &AppConfig) -> Result<OtpKeys, SettingError> {
        OtpKeys::derive(self.secrets(app)?.expose_secret()).map_err(too_short)
    }

    /// The keys for requests with an `Idempotency-Key`, from the same secrets.
    ///
    /// # Errors
    /// As [`OtpConfig::keys`].
    pub fn idempotency_keys(&self, app: &AppConfig) -> Result<IdempotencyKeys, SettingError> {
        IdempotencyKeys::derive(self.secrets(app)?.expose_secret()).map_err(too_short)
    }

    /// The keys that sign challenges.
    ///
    /// # Errors
    /// As [`OtpConfig::keys`].
    pub fn challenge_keys(&self, app: &AppConfig) -> Result<ChallengeKeys, SettingError> {
        ChallengeKeys::derive(self.secrets(app)?.expose_secret()).map_err(too_short)
    }

    /// The keys that seal sessions in cookies.
    ///
    /// # Errors
    /// As [`OtpConfig::keys`].
    pub fn cookie_keys(&self, app: &AppConfig) -> Result<CookieKeys, SettingError> {
        CookieKeys::derive(self.secrets(app)?.expose_secret()).map_err(too_short)
    }

    fn secrets(&self, app: &AppConfig) -> Result<SecretString, SettingError> {
        match &self.otp_secret {
            Some(secrets) => {
                if secrets.expose_secret().split(',').any(|secret| is_quoted(secret.trim())) {
                    return Err(SettingError::new("OTP_SECRET", "has quotes around a secret"));
                }
                Ok(secrets.clone())
            }
            None => {
                let folder = app.development_default("OTP_SECRET", &app.data_dir)?;
                development_secret(folder).map_err(|error| {
                    SettingError::new(
                        "DATA_DIR",
                        format!("cannot keep the development secret: {error}"),
                    )
                })
            }
        }
    }

    #[must_use]
    pub fn ttl(&self) -> Duration {
        Duration::from_secs(self.otp_ttl_seconds)
    }
}

fn too_short(error: SecretTooShort) -> SettingError {
    SettingError::new("OTP_SECRET", error.to_string())
}

/// The secret in the data folder.
fn development_secret(folder: &Path) -> io::Result<SecretString> {
    let secret = HEXLOWER.encode(&rand::rng().random::<[u8; 32]>());
    let path = kept_in(folder, "otp_secret", &secret)?;
    Ok(fs::read_to_string(path)?.trim().to_owned().into())
}
