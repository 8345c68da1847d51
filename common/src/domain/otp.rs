//! The one-time password: its digits and their number.

use std::fmt;
use std::str::FromStr;

use rand::RngExt;

use crate::domain::characters::{decimal_digit, is_blank, is_dash, is_left_behind};

const SHORTEST: usize = 4;
const LONGEST: usize = 10;

/// A one-time password: 4 to 10 decimal digits. `Debug` hides them.
#[derive(Clone, Eq, PartialEq)]
pub struct Otp(String);

impl Otp {
    #[must_use]
    pub fn random(length: OtpLength) -> Self {
        let mut rng = rand::rng();
        Self((0..length.0).map(|_| char::from(rng.random_range(b'0'..=b'9'))).collect())
    }

    /// Reads a guess: 4 to 10 decimal digits of any script, with blanks around them, and blanks and
    /// dashes between them. None where it is anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let visible: String = text.chars().filter(|char| !is_left_behind(*char)).collect();
        let code = visible.trim();
        let is_between = |char: &char| is_blank(*char) || is_dash(*char);
        if code.starts_with(is_dash) || code.ends_with(is_dash) {
            return None;
        }
        let digits = code
            .chars()
            .filter(|char| !is_between(char))
            .map(decimal_digit)
            .collect::<Option<String>>()?;
        (SHORTEST..=LONGEST).contains(&digits.len()).then_some(Self(digits))
    }

    /// The digits, for the SMS and for nothing else.
    #[must_use]
    pub fn digits(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Otp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Otp(…)")
    }
}

/// How many digits a code has: 4 to 10.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct OtpLength(usize);

impl OtpLength {
    pub const DEFAULT: Self = Self(6);

    #[must_use]
    pub fn digits(self) -> usize {
        self.0
    }
}

impl fmt::Display for OtpLength {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for OtpLength {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse() {
            Ok(length @ SHORTEST..=LONGEST) => Ok(Self(length)),
            _ => Err(format!("has to be {SHORTEST} to {LONGEST}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_uniform() {
        let length: OtpLength = "10".parse().unwrap();
        let mut counts = [0_u32; 10];
        for _ in 0..10_000 {
            for digit in Otp::random(length).digits().bytes() {
                counts[usize::from(digit - b'0')] += 1;
            }
        }
        // 100,000 digits: a fair count lies within 10,000 ± 600 but for one run in 10^9.
        assert!(counts.iter().all(|count| (9_400..=10_600).contains(count)), "{counts:?}");
    }

    #[test]
    fn guesses_are_four_to_ten_digits() {
        for good in ["1234", "0000000000"] {
            assert_eq!(Otp::parse(good).as_ref().map(Otp::digits), Some(good));
        }
        for bad in [
            "",
            " ",
            "123",
            "12345678901",
            "12a456",
            "12,456",
            "-12345",
            "123456-",
            "+123456",
            "12²456",
            "123\n456",
            "\u{202e}654321",
            "123456\0",
        ] {
            assert!(Otp::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn guesses_may_be_written_as_people_and_keyboards_do() {
        for spelling in [
            " 123 456",
            "123-456",
            "123\u{2013}456\n",
            "1 2 3 4 5 6",
            "\u{a0}123\u{202f}456",
            "\u{202d}123456\u{202c}",
            "\u{feff}123\u{ad}456\u{200e}",
            "१२३४५६",
            "١٢٣٤٥٦",
            "１２３４５６",
        ] {
            assert_eq!(
                Otp::parse(spelling).as_ref().map(Otp::digits),
                Some("123456"),
                "{spelling:?}"
            );
        }
    }

    #[test]
    fn debug_shows_no_digit() {
        assert_eq!(format!("{:?}", Otp::parse("123456").unwrap()), "Otp(…)");
    }
}
