use clap::Args;

use crate::domain::phone::{AllowedCountries, Country};

/// Which numbers may be sent to.
#[derive(Args, Clone, Debug)]
pub struct DestinationConfig {
    /// Country of numbers without a country code (ISO 3166 alpha-2)
    #[arg(long, env, default_value = "IN")]
    pub default_country: Country,
    /// Countries that SMS are sent to, comma-separated (ISO 3166 alpha-2); `*` for all [default:
    /// the default country]
    #[arg(long, env)]
    pub allowed_countries: Option<AllowedCountries>,
}

impl DestinationConfig {
    /// The countries that SMS are sent to.
    #[must_use]
    pub fn allowed(&self) -> AllowedCountries {
        self.allowed_countries
            .clone()
            .unwrap_or_else(|| AllowedCountries::only(self.default_country))
    }
}
