//! Phone numbers in E.164, and the countries they belong to.

mod country;
mod e164;
mod fiction;
mod numbering_plan;
mod old_spellings;
mod parser;
mod spelling;

use std::fmt;
use std::hash::{Hash, Hasher};

pub use self::country::{AllowedCountries, Country};
pub use self::e164::E164;
pub use self::numbering_plan::NumberingPlan;
use self::spelling::Dialled;

/// A phone number that can exist, and what its numbering plan says of it. `Display` and `Debug` are
/// masked as [`E164`]'s.
#[derive(Clone)]
pub struct PhoneNumber {
    e164: E164,
    country: Option<Country>,
    takes_sms: bool,
}

/// Text that cannot be a phone number.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("is not a phone number that can exist")]
pub struct InvalidPhoneNumber;

/// Loads the numbering plans, and what reads numbers of this country, so that no request has to
/// wait for it.
pub fn load_numbering_plans(country: Country) {
    // It reads an example.
    drop(NumberingPlan::of(country));
}

impl PhoneNumber {
    /// Reads any usual spelling. A number without a country code belongs to `default_country`, and
    /// so does one that is valid there and in another country with the same calling code.
    ///
    /// # Errors
    /// Text that is no number which the numbering plan of its country knows.
    pub fn parse(text: &str, default_country: Country) -> Result<Self, InvalidPhoneNumber> {
        let dialled = Dialled::read(text).ok_or(InvalidPhoneNumber)?;
        parser::read(&dialled, default_country).ok_or(InvalidPhoneNumber)
    }

    /// The number of an account, which took an SMS when the account began. Where the numbering
    /// plans of today do not know it any more, it belongs to the main country of its calling code,
    /// and takes SMS as before: its owner can still leave it.
    #[must_use]
    pub fn from_account(e164: &E164) -> Self {
        parser::read_account(e164)
    }

    #[must_use]
    pub fn e164(&self) -> &E164 {
        &self.e164
    }

    /// The country that it belongs to; none for numbers of no country, such as satellite phones.
    #[must_use]
    pub fn country(&self) -> Option<Country> {
        self.country
    }

    /// Whether an SMS can reach it without a cost of its own. Premium-rate, shared-cost, toll-free,
    /// personal (such as 070 in Britain), pager and company numbers cannot, nor can a fixed line
    /// where the numbering plan tells fixed from mobile, nor what the plan does not know.
    #[must_use]
    pub fn takes_sms(&self) -> bool {
        self.takes_sms
    }
}

/// What is known of a number does not make it another one.
impl PartialEq for PhoneNumber {
    fn eq(&self, other: &Self) -> bool {
        self.e164 == other.e164
    }
}

impl Eq for PhoneNumber {}

impl Hash for PhoneNumber {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.e164.hash(state);
    }
}

impl fmt::Display for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.e164.fmt(f)
    }
}

impl fmt::Debug for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PhoneNumber({self})")
    }
}

#[cfg(test)]
mod tests;
