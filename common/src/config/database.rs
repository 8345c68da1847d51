use clap::Args;
use secrecy::{ExposeSecret, SecretString};

use super::{AppConfig, SettingError};

/// Where users and tokens are kept.
#[derive(Args, Clone, Debug)]
pub struct DatabaseConfig {
    /// `postgres://…` or `sqlite://…` [default: a SQLite file in DATA_DIR; none in production]
    #[arg(long, env, hide_env_values = true)]
    pub database_url: Option<SecretString>,
    /// Most connections that one process opens (1 to 1000); an API opens 3 more for its operators
    #[arg(long, env, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub database_connections: u32,
}

impl DatabaseConfig {
    /// The URL to connect to. In development the data folder is made where it is needed.
    ///
    /// # Errors
    /// A URL of another database, no URL in production, or a data folder that cannot be made.
    pub fn url(&self, app: &AppConfig) -> Result<SecretString, SettingError> {
        match &self.database_url {
            Some(url) => {
                let known = ["postgres://", "postgresql://", "sqlite:"]
                    .iter()
                    .any(|scheme| url.expose_secret().starts_with(scheme));
                if known {
                    Ok(url.clone())
                } else {
                    Err(SettingError::new(
                        "DATABASE_URL",
                        "has to start with postgres:// or sqlite://",
                    ))
                }
            }
            None => {
                let folder = app.development_default("DATABASE_URL", &app.data_dir)?;
                std::fs::create_dir_all(folder).map_err(|error| {
                    SettingError::new("DATA_DIR", format!("cannot be made: {error}"))
                })?;
                Ok(format!("sqlite://{}?mode=rwc", folder.join("cheershare.db").display()).into())
            }
        }
    }
}
