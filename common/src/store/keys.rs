//! The names of the ledger's keys in Redis. The queue's are in `queue`.

use crate::code::Purpose;
use crate::phone::PhoneNumber;

/// What the names of all challenges start with; purpose and number follow.
pub(crate) const CHALLENGE_PREFIX: &str = "cheershare:otp:";
/// What the names of all deliveries start with; the id follows.
pub(crate) const DELIVERY_PREFIX: &str = "cheershare:delivery:";

/// The challenge of a number.
pub(crate) fn challenge(purpose: Purpose, number: &PhoneNumber) -> String {
    format!("{CHALLENGE_PREFIX}{}:{}", purpose.as_str(), number.as_e164())
}

/// One SMS that was asked for.
pub(crate) fn delivery(id: &str) -> String {
    format!("{DELIVERY_PREFIX}{id}")
}
