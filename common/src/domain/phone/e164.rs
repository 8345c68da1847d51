use std::fmt;
use std::str::FromStr;

use sea_orm::DeriveValueType;
use serde::{Deserialize, Serialize};

use super::InvalidPhoneNumber;

/// ITU-T E.164.
const MOST_DIGITS: usize = 15;

/// A phone number in E.164: `+` and up to 15 digits. `Display` and `Debug` hide all but its country
/// code and last two digits; the database, the ledger, providers and the user's own answers have
/// the whole of it.
#[derive(Clone, DeriveValueType, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub struct E164(String);

impl E164 {
    /// A number that was parsed before it was stored.
    pub(crate) fn from_store(text: String) -> Self {
        Self(text)
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Without the plus.
    pub(super) fn digits(&self) -> &str {
        self.0.strip_prefix('+').unwrap_or(&self.0)
    }

    #[must_use]
    pub fn into_string(self) -> String {
        self.0
    }
}

/// Looks at the form alone: whether such a number can exist is known to [`super::PhoneNumber`].
impl FromStr for E164 {
    type Err = InvalidPhoneNumber;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.strip_prefix('+').ok_or(InvalidPhoneNumber)?;
        let all_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
        if all_digits && (1..=MOST_DIGITS).contains(&digits.len()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidPhoneNumber)
        }
    }
}

impl fmt::Display for E164 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (shown, rest) = self.0.split_at_checked(3).unwrap_or((&self.0, ""));
        let (hidden, last) =
            rest.split_at_checked(rest.len().saturating_sub(2)).unwrap_or(("", ""));
        write!(f, "{shown}{}{last}", "*".repeat(hidden.len()))
    }
}

impl fmt::Debug for E164 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "E164({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_a_plus_and_at_most_15_digits() {
        for good in ["+1", "+919876543210", "+123456789012345"] {
            assert_eq!(good.parse::<E164>().unwrap().as_str(), good);
        }
        for bad in ["", "+", "919876543210", "+1234567890123456", "+91 98765", "+९१"] {
            assert_eq!(bad.parse::<E164>(), Err(InvalidPhoneNumber), "{bad}");
        }
    }

    #[test]
    fn display_and_debug_are_masked_and_serde_is_not() {
        let number: E164 = "+919876543210".parse().unwrap();
        assert_eq!(format!("{number} {number:?}"), "+91********10 E164(+91********10)");
        assert_eq!(serde_json::to_string(&number).unwrap(), r#""+919876543210""#);
        assert_eq!("+1".parse::<E164>().unwrap().to_string(), "+1");
    }
}
