//! The names of the ledger's keys in Redis. The queue's are in `queue`. What stands in braces says
//! which of a cluster's nodes has a key, so that one has all.

use crate::domain::client::{ClientAddress, ClientNetwork};
use crate::domain::phone::{Country, E164};
use crate::domain::purpose::Purpose;

/// What the names of all challenges start with; purpose and number follow.
pub(crate) const CHALLENGE_PREFIX: &str = "{cheershare}:otp:";
/// What the names of all deliveries start with; the id follows.
pub(crate) const DELIVERY_PREFIX: &str = "{cheershare}:delivery:";
/// What the names of all leaky buckets start with.
pub(crate) const BUCKET_PREFIX: &str = "{cheershare}:bucket:";
/// What the names of all logs of sends start with; the number follows, and the tag of a known
/// address.
pub(crate) const SENDS_PREFIX: &str = "{cheershare}:sends:";

/// What the names of all logs of wrong guesses at a number from an address start with; both follow.
const WRONG_BY_BOTH_PREFIX: &str = "{cheershare}:wrong:both:";

/// What the names of all breakers start with; the provider follows.
pub(crate) const BREAKER_PREFIX: &str = "{cheershare}:breaker:";
/// What the names of the call rates start with; the provider follows.
pub(crate) const RATE_PREFIX: &str = "{cheershare}:rate:";
/// Deliveries that ended without being sent.
pub(crate) const DEAD_LETTERS: &str = "{cheershare}:dead_letters";

/// The breaker of a provider.
pub(crate) fn breaker(provider: &str) -> String {
    format!("{BREAKER_PREFIX}{provider}")
}

/// Digits that a range of numbers leaves open.
const RANGE_DIGITS: usize = 3;

/// The challenge of a number.
pub(crate) fn challenge(purpose: Purpose<'_>, number: &E164) -> String {
    format!("{CHALLENGE_PREFIX}{}:{}", purpose.text(), number.as_str())
}

/// One SMS that was asked for.
pub(crate) fn delivery(id: &str) -> String {
    format!("{DELIVERY_PREFIX}{id}")
}

/// The cooldown of a number.
pub(crate) fn number(number: &E164) -> String {
    format!("{{cheershare}}:number:{}", number.as_str())
}

/// When a number was sent to.
pub(crate) fn sends(number: &E164) -> String {
    format!("{SENDS_PREFIX}{}", number.as_str())
}

/// The tags of addresses from which a number signed in.
pub(crate) fn known_addresses(number: &E164) -> String {
    format!("{{cheershare}}:known:{}", number.as_str())
}

/// When a number was guessed at.
pub(crate) fn wrong_by_number(number: &E164) -> String {
    format!("{{cheershare}}:wrong:number:{}", number.as_str())
}

/// When an address guessed.
pub(crate) fn wrong_by_address(address: ClientAddress) -> String {
    format!("{{cheershare}}:wrong:address:{address}")
}

/// Of which number an address has been told lately whether it is known.
pub(crate) fn told(address: ClientAddress) -> String {
    format!("{{cheershare}}:told:{address}")
}

/// When an address guessed at a number.
pub(crate) fn wrong_by_both(number: &E164, address: ClientAddress) -> String {
    format!("{WRONG_BY_BOTH_PREFIX}{}:{address}", number.as_str())
}

/// What matches all keys with a number in their names, and some of longer numbers. There is nothing
/// in a number that a pattern would take for more than itself.
pub(crate) fn pattern_of(number: &E164) -> String {
    format!("{{cheershare}}:*:{}*", number.as_str())
}

/// The purpose of a challenge of that number, by the challenge's key.
pub(crate) fn purpose_in<'a>(key: &'a str, number: &E164) -> Option<&'a str> {
    key.strip_prefix(CHALLENGE_PREFIX)?.strip_suffix(number.as_str())?.strip_suffix(':')
}

/// Whether that key is one of [`wrong_by_both`] of the number.
pub(crate) fn is_wrong_by_both(key: &str, number: &E164) -> bool {
    key.strip_prefix(WRONG_BY_BOTH_PREFIX)
        .and_then(|rest| rest.strip_prefix(number.as_str()))
        .is_some_and(|rest| rest.starts_with(':'))
}

/// That an operator has blocked a number, and until when.
pub(crate) fn blocked(number: &E164) -> String {
    format!("{{cheershare}}:blocked:{}", number.as_str())
}

/// A request that its client may repeat, by the tag of client and key.
pub(crate) fn idempotency(tag: &str) -> String {
    format!("{{cheershare}}:idempotency:{tag}")
}

/// The names of an address's requests that may be repeated.
pub(crate) fn idempotency_of_address(address: ClientAddress) -> String {
    format!("{{cheershare}}:idempotency:address:{address}")
}

/// That a challenge was solved.
pub(crate) fn solved_challenge(id: &str) -> String {
    format!("{{cheershare}}:solved:{id}")
}

/// The names of the requests that were refused and may be repeated.
pub(crate) fn idempotency_refusals() -> String {
    "{cheershare}:idempotency:refusals".to_owned()
}

/// Unverified sends asked for by an address.
pub(crate) fn address_bucket(address: ClientAddress) -> String {
    format!("{BUCKET_PREFIX}address:{address}")
}

/// Unverified sends asked for by a network.
pub(crate) fn network_bucket(network: ClientNetwork) -> String {
    format!("{BUCKET_PREFIX}network:{network}")
}

/// Guesses from a network that were not right.
pub(crate) fn wrong_by_network(network: ClientNetwork) -> String {
    format!("{BUCKET_PREFIX}wrong:{network}")
}

/// Unverified sends to neighbours of a number.
pub(crate) fn range_bucket(number: &E164) -> String {
    format!("{BUCKET_PREFIX}range:{}", range_of(number))
}

/// What all numbers of a range begin with.
pub(crate) fn range_of(number: &E164) -> &str {
    let e164 = number.as_str();
    e164.get(..e164.len().saturating_sub(RANGE_DIGITS)).unwrap_or(e164)
}

/// Unverified sends to a country; numbers of no country share one.
pub(crate) fn country_bucket(country: Option<Country>) -> String {
    match country {
        Some(country) => format!("{BUCKET_PREFIX}country:{country}"),
        None => format!("{BUCKET_PREFIX}country:none"),
    }
}

/// Unverified sends in all.
pub(crate) fn service_bucket() -> String {
    format!("{BUCKET_PREFIX}all")
}
