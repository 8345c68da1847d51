//! Phone numbers in E.164, and the countries they belong to.

mod e164;
mod numbering_plan;
mod parser;

use std::fmt;
use std::str::FromStr;

use phonenumber::metadata::DATABASE;
use phonenumber::{Mode, country};
use unicode_normalization::UnicodeNormalization;

pub use self::e164::E164;
pub use self::numbering_plan::NumberingPlan;

/// Longest spelling of a number that is looked at, in bytes: E.164 has 15 digits, the rest is punctuation.
const LONGEST_SPELLING: usize = 64;
/// Digits of the longest calling code.
const LONGEST_CODE: usize = 3;
/// What people write between digits.
const PUNCTUATION: &str = " ()-./\u{2010}\u{2013}";

/// A phone number that can exist, and what its numbering plan says of it. `Display` and `Debug` are
/// masked as [`E164`]'s.
#[derive(Clone, Eq, PartialEq, Hash)]
pub struct PhoneNumber {
    e164: E164,
    country: Option<Country>,
    takes_sms: bool,
}

/// Text that cannot be a phone number.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("is not a phone number that can exist")]
pub struct InvalidPhoneNumber;

/// Loads the numbering plans, and what reads numbers of this country, which takes a while, so that no request has to wait for it.
pub fn load_numbering_plans(country: Country) {
    parser::prepare(country);
}

impl PhoneNumber {
    /// Reads any usual spelling. A number without a country code belongs to `default_country`.
    ///
    /// # Errors
    /// Text that is no number which the numbering plan of its country knows.
    pub fn parse(text: &str, default_country: Country) -> Result<Self, InvalidPhoneNumber> {
        if text.len() > LONGEST_SPELLING {
            return Err(InvalidPhoneNumber);
        }
        let spelling: String = text.trim().nfkc().collect();
        let spelling = spelling.strip_prefix("tel:").unwrap_or(&spelling);
        let dialled = dialled(spelling).ok_or(InvalidPhoneNumber)?;
        read(&dialled, default_country).ok_or(InvalidPhoneNumber)
    }

    /// The number of an account, which took an SMS when the account began. Where the numbering plans
    /// of today do not know it any more, it belongs to the first country of its calling code, and
    /// takes SMS as before: its owner can still leave it.
    #[must_use]
    pub fn from_account(e164: &E164) -> Self {
        parser::read_international(e164.as_str()).filter(|number| number.e164 == *e164).unwrap_or_else(|| Self {
            e164: e164.clone(),
            country: country_of_calling_code(e164),
            takes_sms: true,
        })
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

    /// Whether an SMS can reach it without a cost of its own. Premium-rate, shared-cost, toll-free, personal (such as
    /// 070 in Britain), pager and company numbers cannot, nor can a fixed line where the numbering plan tells fixed from
    /// mobile.
    #[must_use]
    pub fn takes_sms(&self) -> bool {
        self.takes_sms
    }
}

/// The digits as one would dial them, with a plus before those that begin with a country code. The library reads letters as
/// the digits on their keys, ignores what it does not know, and trips over some punctuation.
fn dialled(spelling: &str) -> Option<String> {
    let begins_well = spelling.starts_with(|char: char| char.is_ascii_digit() || char == '+' || char == '(');
    let digits: String = spelling.chars().filter(|char| !PUNCTUATION.contains(*char)).collect();
    // "00" dials abroad from nearly every country, and people write it wherever they are.
    let dialled = match digits.strip_prefix("00") {
        Some(international) => format!("+{international}"),
        None => digits,
    };
    let bare = dialled.strip_prefix('+').unwrap_or(&dialled);
    (begins_well && bare.bytes().all(|byte| byte.is_ascii_digit())).then_some(dialled)
}

/// Works around the library where it takes a number of one country for one of another: with a country given it strips that
/// country's trunk prefix from numbers of all others, and its country code from the begin of numbers that have none.
fn read(dialled: &str, default_country: Country) -> Option<PhoneNumber> {
    if dialled.starts_with('+') {
        return parser::read_international(dialled);
    }
    let code = DATABASE.by_id(default_country.code())?.country_code();
    parser::read_international(&format!("+{code}{dialled}")).or_else(|| {
        let number = phonenumber::parse(Some(default_country.0), dialled).ok()?;
        parser::read_international(&number.format().mode(Mode::E164).to_string())
    })
}

fn country_of_calling_code(e164: &E164) -> Option<Country> {
    (1..=LONGEST_CODE).find_map(|length| {
        let code: u16 = e164.as_str().get(1..=length)?.parse().ok()?;
        DATABASE.region(&code)?.first()?.parse().ok()
    })
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

/// A country by its ISO 3166 alpha-2 code.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Hash)]
pub struct Country(country::Id);

impl Country {
    /// The ISO 3166 alpha-2 code, in capitals.
    #[must_use]
    pub fn code(&self) -> &str {
        self.0.as_ref()
    }
}

impl FromStr for Country {
    type Err = String;

    fn from_str(code: &str) -> Result<Self, Self::Err> {
        code.trim().to_ascii_uppercase().parse().map(Self).map_err(|_| {
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
pub struct AllowedCountries(Option<Vec<Country>>);

impl AllowedCountries {
    /// One country.
    #[must_use]
    pub fn only(country: Country) -> Self {
        Self(Some(vec![country]))
    }

    /// Whether SMS are sent to this number's country. A number of no country needs `*`.
    #[must_use]
    pub fn allow(&self, number: &PhoneNumber) -> bool {
        match &self.0 {
            None => true,
            Some(countries) => number.country().is_some_and(|country| countries.contains(&country)),
        }
    }
}

impl FromStr for AllowedCountries {
    type Err = String;

    fn from_str(list: &str) -> Result<Self, Self::Err> {
        if list.trim() == "*" {
            return Ok(Self(None));
        }
        list.split(',').map(str::parse).collect::<Result<Vec<_>, _>>().map(|countries| Self(Some(countries)))
    }
}

#[cfg(test)]
mod tests;
