//! Numbers that are set apart for films and books, so that they are nobody's. The plans do not know
//! them; they can be test numbers, and take no SMS. Others of their kind, such as +1 202 555 0123,
//! are in the plans like any number.

use rlibphonenumber::{PhoneNumberType, Region};

use super::PhoneNumber;

/// Calling code, what the national numbers begin with, their digits, and their country.
const RANGES: [(i32, &str, usize, Region); 4] = [
    // Ofcom, "Telephone numbers for use in TV and radio drama programmes"
    (44, "7700900", 10, Region::GB),
    (44, "1632960", 10, Region::GB),
    // Arcep, decision 2018-0881
    (33, "63998", 9, Region::FR),
    // ComReg, "Numbering Conditions of Use"
    (353, "2091", 9, Region::IE),
];

/// A number of one of these ranges.
pub(super) fn read(code: i32, national: &str) -> Option<PhoneNumber> {
    let range = |(of_code, begin, digits, region): &(i32, &str, usize, Region)| {
        let is_in = code == *of_code && national.starts_with(begin) && national.len() == *digits;
        is_in.then(|| PhoneNumber::new(code, national, *region, PhoneNumberType::Unknown)).flatten()
    };
    RANGES.iter().find_map(range)
}
