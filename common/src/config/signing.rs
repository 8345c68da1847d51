use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::Args;

use super::data_dir::kept_in;
use super::{AppConfig, SettingError};
use crate::crypto::signing_keys::SigningKeys;

/// Paths, one at least.
#[derive(Clone, Debug)]
pub struct KeyFiles(Vec<PathBuf>);

impl FromStr for KeyFiles {
    type Err = &'static str;

    fn from_str(list: &str) -> Result<Self, Self::Err> {
        let files = list.split(',').map(str::trim);
        let files = files.map(|file| (!file.is_empty()).then(|| PathBuf::from(file)));
        files.collect::<Option<_>>().map(Self).ok_or("has to be a list of files: new.pem,old.pem")
    }
}

/// How JWTs are signed.
#[derive(Args, Clone, Debug)]
pub struct SigningConfig {
    /// PEM files (PKCS#8) with the keys of JWTs and ID tokens, comma-separated: RSA of 2048 to 4096 bits, or
    /// P-256; all are published, and the first RSA key signs, or where there is none the first;
    /// they are read again on SIGHUP [default: a P-256 key, made and kept in DATA_DIR; none in
    /// production, and then there are no JWTs]
    #[arg(long, env)]
    pub signing_key_files: Option<KeyFiles>,
}

/// How long JWTs live that users ask for.
#[derive(Args, Clone, Debug)]
pub struct JwtConfig {
    /// Life of a JWT in seconds (30 to 3600), and never longer than its session's token
    #[arg(long, env, default_value_t = 300, value_parser = clap::value_parser!(u64).range(30..=3600))]
    pub jwt_ttl_seconds: u64,
}

impl SigningConfig {
    /// The keys; none in production where no file is named. In development one is made.
    ///
    /// # Errors
    /// One for each file that is faulty; a data folder that cannot be written.
    pub fn keys(&self, app: &AppConfig) -> Result<Option<SigningKeys>, Vec<SettingError>> {
        let files = match &self.signing_key_files {
            Some(KeyFiles(files)) => files.clone(),
            None if app.is_production() => return Ok(None),
            None => vec![development_key(app)?],
        };
        SigningKeys::read(&files).map(Some).map_err(|faults| {
            let named = |fault: &_| SettingError::new("SIGNING_KEY_FILES", format!("{fault}"));
            faults.iter().map(named).collect()
        })
    }
}

impl JwtConfig {
    #[must_use]
    pub fn ttl(&self) -> Duration {
        Duration::from_secs(self.jwt_ttl_seconds)
    }
}

fn development_key(app: &AppConfig) -> Result<PathBuf, Vec<SettingError>> {
    let wrong = |error: String| {
        let reason = format!("cannot keep the development signing key: {error}");
        vec![SettingError::new("DATA_DIR", reason)]
    };
    let key = SigningKeys::make_p256().map_err(|error| wrong(error.to_string()))?;
    kept_in(&app.data_dir, "signing_key.pem", &key).map_err(|error| wrong(error.to_string()))
}
