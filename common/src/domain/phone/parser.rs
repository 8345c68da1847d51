//! Reads what was dialled, by the numbering plans of Google's libphonenumber.
//!
//! The library's own `parse` is the last that is tried: it looks at text with patterns that take
//! ten times as long as the rest, and takes digits away that a number may need.

use std::sync::OnceLock;

use rlibphonenumber::interfaces::AsOriginal;
use rlibphonenumber::{PHONE_NUMBER_UTIL, PhoneNumber as Parsed, PhoneNumberType, Region};

use super::spelling::Dialled;
use super::{Country, E164, PhoneNumber, fiction, old_spellings};

/// Digits of the longest calling code.
const LONGEST_CODE: usize = 3;
/// The calling code that the USA, Canada and much of the Caribbean share.
const NORTH_AMERICA: i32 = 1;
/// What their numbers begin with, in digits.
const AREA_CODE: usize = 3;

/// Reads what somebody in that country dialled.
pub(super) fn read(dialled: &Dialled, country: Country) -> Option<PhoneNumber> {
    let number = match dialled {
        Dialled::FromAnywhere(digits) => read_international(digits),
        // "00" dials abroad from nearly every country, and people write it wherever they are.
        Dialled::AtHome(digits) => digits
            .strip_prefix("00")
            .and_then(read_international)
            .or_else(|| read_national(digits, country)),
    }?;
    let is_of_country = number.country == Some(country) || is_valid_in(&number.e164, country);
    Some(if is_of_country { PhoneNumber { country: Some(country), ..number } } else { number })
}

/// Reads digits that begin with a calling code.
fn read_international(digits: &str) -> Option<PhoneNumber> {
    let (code, national) = split(digits)?;
    read_in_plan(code, national).or_else(|| read_by_library(&format!("+{digits}"), None))
}

/// Reads digits that may begin with the country's calling code, where they are no number without
/// it.
fn read_national(digits: &str, country: Country) -> Option<PhoneNumber> {
    let code = PHONE_NUMBER_UTIL.get_country_code_for_region(country.region)?;
    read_in_plan(code, digits)
        .or_else(|| read_in_plan(code, digits.strip_prefix(code.to_string().as_str())?))
        .or_else(|| read_by_library(digits, Some(country.region)))
}

/// Reads a national number, with its trunk prefix or without.
fn read_in_plan(code: i32, national: &str) -> Option<PhoneNumber> {
    known(code, national).or_else(|| known(code, national.strip_prefix(trunk_prefix(code)?)?))
}

fn known(code: i32, national: &str) -> Option<PhoneNumber> {
    valid(code, national)
        .or_else(|| valid(code, &old_spellings::of_today(code, national)?))
        .or_else(|| fiction::read(code, national))
}

/// Knows of prefixes for carriers and for calls abroad, and of what takes their place.
fn read_by_library(dialled: &str, region: Option<Region>) -> Option<PhoneNumber> {
    let parsed = PHONE_NUMBER_UTIL.parse(dialled, region).ok()?;
    known(parsed.country_code, &parsed.get_national_significant_number())
}

/// A national number, if its plan knows it.
fn valid(code: i32, national: &str) -> Option<PhoneNumber> {
    let (region, kind) = region_and_kind(code, national)?;
    if kind == PhoneNumberType::FixedLine
        && let Some(mobile) = old_spellings::mobile_of_fixed(code, national)
        && region_and_kind(code, &mobile).is_some_and(|(_, kind)| kind == PhoneNumberType::Mobile)
    {
        return PhoneNumber::new(code, &mobile, region, PhoneNumberType::Mobile);
    }
    PhoneNumber::new(code, national, region, kind)
}

impl PhoneNumber {
    pub(super) fn new(
        code: i32,
        national: &str,
        region: Region,
        kind: PhoneNumberType,
    ) -> Option<Self> {
        use PhoneNumberType::{FixedLineOrMobile, Mobile, VoIP};
        let takes_sms = matches!(kind, Mobile | FixedLineOrMobile | VoIP);
        // The library knows numbers that are longer than E.164 has them.
        let e164 = format!("+{code}{national}").parse().ok()?;
        Some(Self { e164, country: Country::from_region(region), takes_sms })
    }
}

/// Reads a number that was read before, whatever the plans say of it today.
pub(super) fn read_account(e164: &E164) -> PhoneNumber {
    let parts = split(e164.digits());
    let known = parts
        .and_then(|(code, national)| valid(code, national))
        .filter(|number| number.e164 == *e164);
    let main =
        || PHONE_NUMBER_UTIL.get_region_for_country_code(parts?.0).and_then(Country::from_region);
    known.unwrap_or_else(|| PhoneNumber { e164: e164.clone(), country: main(), takes_sms: true })
}

/// Whether that country's plan knows the number, which may be of another one with the same calling
/// code too.
pub(super) fn is_valid_in(e164: &E164, country: Country) -> bool {
    let Some((code, national)) = split(e164.digits()) else { return false };
    PHONE_NUMBER_UTIL.get_country_code_for_region(country.region) == Some(code)
        && kind_in(country.region, code, national).is_some()
}

/// The calling code, and what follows it.
fn split(digits: &str) -> Option<(i32, &str)> {
    let code = |length| {
        let (code, national) =
            digits.split_at_checked(length).filter(|_| !digits.starts_with('0'))?;
        let code = code.parse().ok()?;
        PHONE_NUMBER_UTIL.get_region_for_country_code(code).map(|_| (code, national))
    };
    (1..=LONGEST_CODE).find_map(code)
}

/// What is dialled before a national number in the main country of a calling code.
fn trunk_prefix(code: i32) -> Option<&'static str> {
    static PREFIXES: [OnceLock<String>; 1000] = [const { OnceLock::new() }; 1000];
    let prefix = PREFIXES.get(usize::try_from(code).ok()?)?.get_or_init(|| {
        PHONE_NUMBER_UTIL.get_region_for_country_code(code).map(trunk_prefix_in).unwrap_or_default()
    });
    Some(prefix.as_str()).filter(|prefix| !prefix.is_empty())
}

/// What is dialled before a national number, or nothing.
pub(super) fn trunk_prefix_in(region: Region) -> String {
    PHONE_NUMBER_UTIL.as_original().get_ndd_prefix_for_region(region, true).unwrap_or_default()
}

/// None where no plan with this calling code knows the number.
fn region_and_kind(code: i32, national: &str) -> Option<(Region, PhoneNumberType)> {
    let with_kind = |region: Region| kind_in(region, code, national).map(|kind| (region, kind));
    if code == NORTH_AMERICA {
        return in_north_america(national, with_kind);
    }
    // Nearly always it is of the main country; the others are looked at one after the other.
    let main = PHONE_NUMBER_UTIL.get_region_for_country_code(code)?;
    with_kind(main)
        .or_else(|| with_kind(region_of(code, national).filter(|region| *region != main)?))
}

/// Two dozen countries, and a search of them takes 40 µs. Their area codes tell them apart, so each
/// is searched for once.
fn in_north_america<T>(national: &str, with_kind: impl Fn(Region) -> Option<T>) -> Option<T> {
    static BY_AREA_CODE: [OnceLock<Region>; 1000] = [const { OnceLock::new() }; 1000];
    let known = BY_AREA_CODE.get(national.get(..AREA_CODE)?.parse::<usize>().ok()?)?;
    known.get().and_then(|region| with_kind(*region)).or_else(|| {
        let region = region_of(NORTH_AMERICA, national)?;
        let found = with_kind(region)?;
        known.get_or_init(|| region);
        Some(found)
    })
}

fn region_of(code: i32, national: &str) -> Option<Region> {
    PHONE_NUMBER_UTIL.get_region_for_number(&unchecked(code, national)?)
}

/// The first kind of the region's numbers that it is one of.
fn kind_in(region: Region, code: i32, national: &str) -> Option<PhoneNumberType> {
    let library = PHONE_NUMBER_UTIL.as_original();
    let plan = library.get_metadata_for_region_or_calling_code(code, region)?;
    library
        .get_number_type_helper(national, plan)
        .ok()
        .filter(|kind| *kind != PhoneNumberType::Unknown)
}

/// As the library keeps a number; whether there is such a number is not looked at.
fn unchecked(code: i32, national: &str) -> Option<Parsed> {
    let zeros = national.bytes().take_while(|digit| *digit == b'0').count();
    Some(Parsed {
        country_code: code,
        national_number: national.parse().ok()?,
        italian_leading_zero: (zeros > 0).then_some(true),
        number_of_leading_zeros: (zeros > 1).then(|| i32::try_from(zeros).ok()).flatten(),
        ..Parsed::default()
    })
}
