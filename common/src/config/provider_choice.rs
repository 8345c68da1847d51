use std::str::FromStr;

use clap::{Args, ValueEnum};
use secrecy::SecretString;
use strum::{EnumString, IntoStaticStr, VariantArray};

use super::AppConfig;

/// A provider as settings, logs and breakers name it.
#[derive(Clone, Copy, Debug, EnumString, Eq, IntoStaticStr, PartialEq, ValueEnum, VariantArray)]
#[strum(const_into_str, serialize_all = "snake_case")]
pub enum ProviderName {
    /// Twilio's API.
    Twilio,
    /// A URL of the operator's own.
    Webhook,
    /// Prints what it should send, for developers.
    Console,
}

/// Providers in the order in which they are tried, each once.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ProviderOrder(Vec<ProviderName>);

impl ProviderOrder {
    /// At least one.
    pub fn iter(&self) -> impl Iterator<Item = ProviderName> {
        self.0.iter().copied()
    }
}

impl FromStr for ProviderOrder {
    type Err = &'static str;

    fn from_str(list: &str) -> Result<Self, Self::Err> {
        let mut order = Vec::new();
        for name in list.split(',') {
            let known = name.trim().parse();
            let name = known.map_err(|_| "has to be a list of twilio, webhook and console")?;
            if order.contains(&name) {
                return Err("names a provider twice");
            }
            order.push(name);
        }
        Ok(Self(order))
    }
}

/// The order of the providers, and the settings of Twilio that decide it where none is set. The API
/// needs them too: it has a development inbox where no provider sends.
#[derive(Args, Clone)]
pub struct ProviderChoice {
    /// `twilio`, `webhook` and `console` (prints SMS for developers, refused in production),
    /// comma-separated in the order in which they are tried. The API only looks whether it is
    /// `console` alone: then it has the development inbox [default: `twilio` where one of its
    /// settings is there, else `console`]
    #[arg(long, env)]
    sms_providers: Option<ProviderOrder>,
    /// Twilio's account SID (AC…)
    #[arg(long, env, hide_env_values = true, value_parser = twilio_account_sid)]
    pub twilio_sid: Option<String>,
    /// Twilio's auth token, or the secret of the API key
    #[arg(long, env, hide_env_values = true)]
    pub twilio_api_key: Option<SecretString>,
    /// The number that SMS come from, in E.164, or a short code
    #[arg(long, env, value_parser = sender_number)]
    pub twilio_phone_number: Option<String>,
    /// Twilio's Messaging Service (MG…) that picks the number, in place of TWILIO_PHONE_NUMBER
    #[arg(long, env, value_parser = twilio_messaging_service_sid)]
    pub twilio_messaging_service_sid: Option<String>,
}

impl std::fmt::Debug for ProviderChoice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ProviderChoice").field("order", &self.order()).finish_non_exhaustive()
    }
}

impl ProviderChoice {
    /// The order that is set; else Twilio where one of its settings is, else the console.
    #[must_use]
    pub fn order(&self) -> ProviderOrder {
        self.sms_providers.clone().unwrap_or_else(|| {
            let any_of_twilio = self.twilio_sid.is_some()
                || self.twilio_api_key.is_some()
                || self.twilio_phone_number.is_some()
                || self.twilio_messaging_service_sid.is_some();
            ProviderOrder(vec![if any_of_twilio {
                ProviderName::Twilio
            } else {
                ProviderName::Console
            }])
        })
    }

    /// Whether the development inbox shows messages: in development, with the console alone.
    #[must_use]
    pub fn has_dev_inbox(&self, app: &AppConfig) -> bool {
        !app.is_production() && self.order().0 == [ProviderName::Console]
    }
}

fn twilio_account_sid(text: &str) -> Result<String, &'static str> {
    is_twilio_sid("AC", text)
        .then(|| text.to_owned())
        .ok_or("has to be AC and 32 hexadecimal digits")
}

fn twilio_messaging_service_sid(text: &str) -> Result<String, &'static str> {
    is_twilio_sid("MG", text)
        .then(|| text.to_owned())
        .ok_or("has to be MG and 32 hexadecimal digits")
}

/// Whether a text is one of Twilio's ids of that kind: two letters and 32 hexadecimal digits.
#[must_use]
pub fn is_twilio_sid(prefix: &str, text: &str) -> bool {
    let digits = text.strip_prefix(prefix).unwrap_or_default();
    digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn sender_number(text: &str) -> Result<String, &'static str> {
    let digits = text.strip_prefix('+').unwrap_or(text);
    let length = if text.starts_with('+') { 7..=15 } else { 3..=8 };
    let well_formed =
        length.contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    well_formed.then(|| text.to_owned()).ok_or("has to be + and 7 to 15 digits, or a short code")
}
