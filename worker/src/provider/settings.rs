//! What the settings of several providers have in common.

use common::config::SettingError;

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
