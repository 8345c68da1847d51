use clap::Args;
use reqwest::Url;

use super::{AppConfig, SettingError, http_url};

/// Where events are posted to. API and worker share it.
#[derive(Args, Clone)]
pub struct EventsConfig {
    /// Where the worker posts events of users, sessions and SMS to (docs/events.md). API and worker
    /// need it, because each writes events only where it is set [default: there are none]
    #[arg(long, env, hide_env_values = true, value_parser = http_url)]
    events_webhook_url: Option<Url>,
}

impl EventsConfig {
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.events_webhook_url.is_some()
    }

    /// The URL, where there is one.
    ///
    /// # Errors
    /// In production, `http` to another machine.
    pub fn url(&self, app: &AppConfig) -> Result<Option<&Url>, SettingError> {
        if let Some(url) = &self.events_webhook_url {
            app.check_encrypted("EVENTS_WEBHOOK_URL", url.scheme(), url.host_str())?;
        }
        Ok(self.events_webhook_url.as_ref())
    }
}

impl std::fmt::Debug for EventsConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EventsConfig").field("is_set", &self.is_set()).finish_non_exhaustive()
    }
}
