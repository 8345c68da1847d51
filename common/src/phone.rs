//! Phone numbers in E.164, and the countries they belong to.

use std::fmt;
use std::str::FromStr;

use phonenumber::metadata::DATABASE;
use phonenumber::{Mode, Type, country};
use unicode_normalization::UnicodeNormalization;

/// Longest spelling of a number that is looked at, in bytes: E.164 has 15 digits, the rest is punctuation.
const LONGEST_SPELLING: usize = 64;

/// A phone number that can exist. `Display` and `Debug` hide all but its country code and last two digits.
#[derive(Clone, Eq, PartialEq, Hash)]
pub struct PhoneNumber {
    e164: String,
    country: Option<Country>,
    kind: Type,
}

/// Text that cannot be a phone number.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("is not a phone number that can exist")]
pub struct InvalidPhoneNumber;

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
        // The library reads letters as the digits on their keys, and ignores what it does not know.
        if !spelling.chars().all(|char| char.is_ascii_digit() || "+ ()-./\u{2010}\u{2011}\u{2013}".contains(char)) {
            return Err(InvalidPhoneNumber);
        }
        // "00" dials abroad from nearly every country, and people write it wherever they are.
        let spelling = match spelling.strip_prefix("00") {
            Some(international) => format!("+{international}"),
            None => spelling.to_owned(),
        };
        let number = phonenumber::parse(Some(default_country.0), &spelling).map_err(|_| InvalidPhoneNumber)?;
        if number.extension().is_some() || !number.is_valid() {
            return Err(InvalidPhoneNumber);
        }
        Ok(Self {
            e164: number.format().mode(Mode::E164).to_string(),
            country: number.country().id().map(Country),
            kind: number.number_type(&DATABASE),
        })
    }

    /// `+` and up to 15 digits.
    #[must_use]
    pub fn as_e164(&self) -> &str {
        &self.e164
    }

    /// The country that it belongs to; none for numbers of no country, such as satellite phones.
    #[must_use]
    pub fn country(&self) -> Option<Country> {
        self.country
    }

    /// Whether an SMS can reach it without a cost of its own. Premium-rate, shared-cost, toll-free, pager and company
    /// numbers cannot, nor can a fixed line where the numbering plan tells fixed from mobile.
    #[must_use]
    pub fn takes_sms(&self) -> bool {
        matches!(self.kind, Type::Mobile | Type::FixedLineOrMobile | Type::PersonalNumber | Type::Voip | Type::Unknown)
    }
}

/// A number that has been parsed before, as the stores keep it: `+` and digits, shown masked.
#[must_use]
pub fn masked(e164: &str) -> String {
    let (shown, rest) = e164.split_at_checked(3).unwrap_or((e164, ""));
    let (hidden, last) = rest.split_at_checked(rest.len().saturating_sub(2)).unwrap_or(("", ""));
    format!("{shown}{}{last}", "*".repeat(hidden.len()))
}

impl fmt::Display for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&masked(&self.e164))
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
mod tests {
    use super::*;

    fn india() -> Country {
        "in".parse().unwrap()
    }

    #[test]
    fn usual_spellings_are_one_number() {
        for spelling in [
            "+919876543210",
            "9876543210",
            "09876543210",
            "00919876543210",
            "+91 98765 43210",
            "+91-98765-43210",
            "(+91) 98765.43210",
            "tel:+91-98765-43210",
            " +91 (98765) 43210 ",
            "＋９１９８７６５４３２１０",
        ] {
            let number = PhoneNumber::parse(spelling, india());
            assert_eq!(number.as_ref().map(PhoneNumber::as_e164), Ok("+919876543210"), "{spelling}");
        }
    }

    #[test]
    fn what_cannot_be_a_number_is_refused() {
        let long = "9".repeat(10_000);
        for text in [
            "",
            "+",
            "12",
            "hello",
            "+91987654321",
            "+9198765432100000",
            "98765 43210 ext. 5",
            "9876543210\0",
            "+999123456789",
            &long,
        ] {
            assert_eq!(PhoneNumber::parse(text, india()), Err(InvalidPhoneNumber), "{text}");
        }
    }

    #[test]
    fn neither_display_nor_debug_shows_the_whole_number() {
        let number = PhoneNumber::parse("9876543210", india()).unwrap();
        assert_eq!(format!("{number} {number:?}"), "+91********10 PhoneNumber(+91********10)");
    }

    #[test]
    fn the_country_and_the_kind_come_from_the_numbering_plan() {
        let cases = [
            ("+919876543210", "IN", true),
            ("+911800123456", "IN", false),
            ("+12025550143", "US", true),
            ("+442079460000", "GB", false),
        ];
        for (text, country, takes_sms) in cases {
            let number = PhoneNumber::parse(text, india()).unwrap();
            assert_eq!((number.country().unwrap().code(), number.takes_sms()), (country, takes_sms), "{text}");
        }
    }

    #[test]
    fn allowed_countries_are_a_list_or_all() {
        let number = PhoneNumber::parse("+12025550143", india()).unwrap();
        assert!(!AllowedCountries::only(india()).allow(&number));
        assert!("in, us".parse::<AllowedCountries>().unwrap().allow(&number));
        assert!("*".parse::<AllowedCountries>().unwrap().allow(&number));
        assert!("in,xx".parse::<AllowedCountries>().is_err());
    }
}
