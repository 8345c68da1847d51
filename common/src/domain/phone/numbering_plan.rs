//! What a page has to know of a country to help people type a number of it.

use rlibphonenumber::{PHONE_NUMBER_UTIL, PhoneNumberFormat, PhoneNumberType};

use super::{AllowedCountries, Country, PhoneNumber, parser};

/// How mobile numbers of a country are written.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NumberingPlan {
    pub country: Country,
    /// The country code (ITU-T E.164), without a plus.
    pub calling_code: i32,
    /// Whether numbers with this calling code are of this country unless they say otherwise: the
    /// USA for 1.
    pub is_main: bool,
    /// What is dialled before a national number at home, and not from abroad: often 0, or nothing.
    pub trunk_prefix: String,
    /// A mobile number as it is grouped, without the calling code: `81234 56789`.
    pub example: String,
}

impl NumberingPlan {
    /// None where the plan knows no mobile numbers, or none that an SMS could go to.
    #[must_use]
    pub fn of(country: Country) -> Option<Self> {
        let region = country.region;
        let example = PHONE_NUMBER_UTIL
            .get_example_number_for_type_and_region(region, PhoneNumberType::Mobile)
            .ok()?;
        let calling_code = example.country_code;
        let grouped = example.format_as(PhoneNumberFormat::International);
        let plan = Self {
            country,
            calling_code,
            is_main: PHONE_NUMBER_UTIL.get_region_for_country_code(calling_code) == Some(region),
            trunk_prefix: parser::trunk_prefix_in(region),
            example: grouped.strip_prefix(&format!("+{calling_code} "))?.to_owned(),
        };
        PhoneNumber::parse(&plan.example_number(), country)
            .is_ok_and(|number| number.takes_sms())
            .then_some(plan)
    }

    /// The example in E.164.
    #[must_use]
    pub fn example_number(&self) -> String {
        let digits = self.example.chars().filter(char::is_ascii_digit);
        format!("+{}{}", self.calling_code, digits.collect::<String>())
    }
}

impl AllowedCountries {
    /// The country that numbers are of as a rule: the default one where it is allowed, or else the
    /// first that is.
    #[must_use]
    pub fn usual(&self, default_country: Country) -> Option<Country> {
        match &self.0 {
            Some(countries) if !countries.contains(&default_country) => countries.first().copied(),
            _ => Some(default_country),
        }
    }

    /// The plans of all of them, those first that their calling code means without further digits.
    #[must_use]
    pub fn plans(&self) -> Vec<NumberingPlan> {
        let mut countries = self.0.clone().unwrap_or_else(|| Country::all().collect());
        countries.sort_by(|one, other| one.code().cmp(other.code()));
        countries.dedup();
        let mut plans: Vec<_> = countries.into_iter().filter_map(NumberingPlan::of).collect();
        plans.sort_by_key(|plan| !plan.is_main);
        plans
    }
}
