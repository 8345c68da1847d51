//! Numbers that sign in without an SMS, for app-store reviewers and end-to-end tests.

use std::fmt;
use std::str::FromStr;

use common::domain::last_day;
use common::domain::otp::Otp;
use common::domain::phone::{Country, E164, PhoneNumber};
use time::OffsetDateTime;

/// `number=code@date`, comma-separated: each with its fixed code and the last day (UTC) on which it
/// works.
#[derive(Clone, Default)]
pub struct TestNumbers(Vec<TestNumber>);

#[derive(Clone)]
struct TestNumber {
    number: E164,
    otp: Otp,
    ends_at: OffsetDateTime,
}

impl TestNumbers {
    /// The fixed OTP of a test number that has not expired.
    #[must_use]
    pub fn otp_of(&self, number: &E164, now: OffsetDateTime) -> Option<&Otp> {
        self.0
            .iter()
            .find(|test| test.number == *number && now < test.ends_at)
            .map(|test| &test.otp)
    }
}

impl FromStr for TestNumbers {
    type Err = &'static str;

    fn from_str(list: &str) -> Result<Self, Self::Err> {
        list.split(',').map(|entry| parse(entry.trim())).collect::<Result<_, _>>().map(Self)
    }
}

fn parse(entry: &str) -> Result<TestNumber, &'static str> {
    let (number, rest) =
        entry.split_once('=').ok_or("each entry has to be like +919876543210=123456@2027-01-31")?;
    let (code, date) = rest
        .split_once('@')
        .ok_or("each entry needs an end date, like +919876543210=123456@2027-01-31")?;
    // The country matters only for numbers without a country code, and here there is always one.
    let any_country: Country = "IN".parse().map_err(|_| "unreachable")?;
    let number = number.starts_with('+').then(|| PhoneNumber::parse(number, any_country));
    let Some(Ok(number)) = number else {
        return Err("each number has to be one in E.164, like +919876543210");
    };
    let otp = Otp::parse(code).ok_or("each code has to have 4 to 10 digits")?;
    let ends_at = last_day::end_of(date).ok_or("each end date has to be like 2027-01-31")?;
    Ok(TestNumber { number: number.e164().clone(), otp, ends_at })
}

impl fmt::Debug for TestNumbers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|test| &test.number)).finish()
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_test_number_works_through_its_last_day() {
        let numbers: TestNumbers =
            "+919876543210=123456@2027-01-31, +12025550143=4711@2026-12-01".parse().unwrap();
        let number = "+919876543210".parse().unwrap();
        let code = |now| numbers.otp_of(&number, now).map(Otp::digits);
        assert_eq!(code(datetime!(2027-01-31 23:59:59 UTC)), Some("123456"));
        assert_eq!(code(datetime!(2027-02-01 00:00:00 UTC)), None);
        let other = "+919876543211".parse().unwrap();
        assert!(numbers.otp_of(&other, datetime!(2026-11-23 00:00 UTC)).is_none());
    }

    #[test]
    fn what_is_malformed_is_refused() {
        for list in [
            "",
            "+919876543210",
            "+919876543210=123456",
            "+919876543210=123456@",
            "+919876543210=123456@2027-02-30",
            "+919876543210=12@2027-01-31",
            "9876543210=123456@2027-01-31",
            "+91123=123456@2027-01-31",
            "+919876543210=123456@2027-01-31,",
        ] {
            assert!(list.parse::<TestNumbers>().is_err(), "{list}");
        }
    }

    #[test]
    fn debug_shows_neither_codes_nor_whole_numbers() {
        let numbers: TestNumbers = "+919876543210=123456@2027-01-31".parse().unwrap();
        assert_eq!(format!("{numbers:?}"), "[E164(+91********10)]");
    }
}
