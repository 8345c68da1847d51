use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{SettingError, is_loopback};

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum AppEnv {
    /// On a developer's machine: defaults for everything.
    Development,
    /// Facing users: development defaults are refused.
    Production,
}

/// What the service is called and where it runs.
#[derive(Args, Clone, Debug)]
pub struct AppConfig {
    /// `production` refuses development defaults: a secret, database, provider or proxy list that is
    /// missing is an error
    #[arg(long, env, value_enum, default_value = "development")]
    pub app_env: AppEnv,
    /// The app's name in the SMS and on the pages (1 to 30 characters)
    #[arg(long, env, default_value = "Cheershare", value_parser = app_name)]
    pub app_name: String,
    /// Folder of the development secret and the SQLite file
    #[arg(long, env, default_value = "data")]
    pub data_dir: PathBuf,
}

impl AppConfig {
    #[must_use]
    pub fn is_production(&self) -> bool {
        self.app_env == AppEnv::Production
    }

    /// Numbers, OTPs and the secrets that go with them leave this machine encrypted: whether a URL of
    /// that scheme and host may be used.
    ///
    /// # Errors
    /// In production, `http` to another machine.
    pub fn check_encrypted(
        &self,
        name: &str,
        scheme: &str,
        host: Option<&str>,
    ) -> Result<(), SettingError> {
        if self.is_production() && scheme == "http" && !host.is_some_and(is_loopback) {
            return Err(SettingError::new(
                name,
                "has to start with https:// when APP_ENV=production, but for this machine itself",
            ));
        }
        Ok(())
    }

    /// For a setting whose default serves development only.
    ///
    /// # Errors
    /// In production.
    pub fn development_default<T>(&self, name: &str, default: T) -> Result<T, SettingError> {
        if self.is_production() {
            return Err(SettingError::new(
                name,
                "is not set, and APP_ENV=production has no default for it",
            ));
        }
        Ok(default)
    }
}

fn app_name(value: &str) -> Result<String, &'static str> {
    let name = value.trim();
    if (1..=30).contains(&name.chars().count()) && !name.chars().any(char::is_control) {
        Ok(name.to_owned())
    } else {
        Err("has to have 1 to 30 characters, none of them a control character")
    }
}
