//! What the settings of several providers have in common.

use common::config::{AppConfig, SettingError, is_loopback};
use reqwest::Url;

pub(super) fn http_url(text: &str) -> Result<Url, &'static str> {
    match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Ok(url),
        _ => Err("has to be a URL that starts with https:// or http://"),
    }
}

/// Numbers and OTPs, and the secrets that go with them, leave this machine encrypted.
///
/// # Errors
/// In production, `http://` to another machine.
pub(super) fn check_encrypted(app: &AppConfig, name: &str, url: &Url) -> Result<(), SettingError> {
    let in_clear = url.scheme() == "http" && !url.host_str().is_some_and(is_loopback);
    if app.is_production() && in_clear {
        return Err(SettingError::new(
            name,
            "has to start with https:// when APP_ENV=production, but for this machine itself",
        ));
    }
    Ok(())
}

/// For a setting without which `provider` cannot send.
pub(super) fn required<T: Clone>(
    value: &Option<T>,
    name: &str,
    provider: &str,
) -> Result<T, SettingError> {
    let missing = || SettingError::new(name, format!("is not set, and {provider} needs it"));
    value.clone().ok_or_else(missing)
}

pub(super) fn no_tls(error: reqwest::Error) -> SettingError {
    SettingError::new("SMS_PROVIDERS", format!("TLS cannot be set up: {error}"))
}
