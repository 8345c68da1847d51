//! What the settings of several providers have in common.

use common::config::SettingError;
use reqwest::Url;

pub(super) fn http_url(text: &str) -> Result<Url, &'static str> {
    match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Ok(url),
        _ => Err("has to be a URL that starts with https:// or http://"),
    }
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
