//! Countries, and where SMS are sent to.

use std::fmt;
use std::str::FromStr;

use rlibphonenumber::{PHONE_NUMBER_UTIL, Region, RegionStr};

use super::{PhoneNumber, parser};

/// A country or territory with phone numbers, by its ISO 3166 alpha-2 code.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Hash)]
pub struct Country {
    pub(super) region: Region,
    code: RegionStr,
}

impl Country {
    /// None for what has no numbers of its own, which is also what the library gives to numbers of
    /// no country.
    pub(super) fn from_region(region: Region) -> Option<Self> {
        PHONE_NUMBER_UTIL
            .get_country_code_for_region(region)
            .map(|_| Self { region, code: region.as_region_str() })
    }

    /// All that have phone numbers.
    pub(super) fn all() -> impl Iterator<Item = Self> {
        PHONE_NUMBER_UTIL.get_supported_regions().filter_map(Self::from_region)
    }

    /// The ISO 3166 alpha-2 code, in capitals.
    #[must_use]
    pub fn code(&self) -> &str {
        self.code.as_str()
    }
}

impl FromStr for Country {
    type Err = String;

    fn from_str(code: &str) -> Result<Self, Self::Err> {
        Region::from_code(code.trim()).ok().and_then(Self::from_region).ok_or_else(|| {
            "has to be the two-letter code (ISO 3166) of a country with phone numbers, such as IN".to_owned()
        })
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// The countries that SMS are sent to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AllowedCountries(pub(super) Option<Vec<Country>>);

impl AllowedCountries {
    #[must_use]
    pub fn only(country: Country) -> Self {
        Self(Some(vec![country]))
    }

    /// Whether SMS are sent to this number's country. A number of no country needs `*`.
    ///
    /// Of countries that share a calling code some tell their numbers apart, as the United Kingdom
    /// and Jersey do: there each has to be listed. Others do not, as Finland and Åland: a number
    /// that is valid in several is let in by any of them.
    #[must_use]
    pub fn allow(&self, number: &PhoneNumber) -> bool {
        match &self.0 {
            None => true,
            Some(countries) => {
                number.country().is_some_and(|country| countries.contains(&country))
                    || countries.iter().any(|country| parser::is_valid_in(number.e164(), *country))
            }
        }
    }
}

impl FromStr for AllowedCountries {
    type Err = String;

    fn from_str(list: &str) -> Result<Self, Self::Err> {
        if list.trim() == "*" {
            return Ok(Self(None));
        }
        list.split(',')
            .map(str::parse)
            .collect::<Result<Vec<_>, _>>()
            .map(|countries| Self(Some(countries)))
    }
}
