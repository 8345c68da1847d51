//! The names of the ledger's keys in Redis. The queue's are in `queue`. What stands in braces says
//! which of a cluster's nodes has a key, so that one has all.

use crate::domain::client::{ClientAddress, ClientNetwork};
use crate::domain::ids::RequestId;
use crate::domain::phone::{Country, E164};

/// What the names of all numbers' records start with; the number follows.
pub(crate) const NUMBER_PREFIX: &str = "{cheershare}:number:";
/// What the names of all deliveries start with; the id follows.
pub(crate) const DELIVERY_PREFIX: &str = "{cheershare}:delivery:";
/// What the names of all leaky buckets start with.
pub(crate) const BUCKET_PREFIX: &str = "{cheershare}:bucket:";
/// What the names of all breakers start with; the provider follows.
pub(crate) const BREAKER_PREFIX: &str = "{cheershare}:breaker:";
/// What the names of the call rates start with; the provider follows.
pub(crate) const RATE_PREFIX: &str = "{cheershare}:rate:";
/// Deliveries that ended without being sent.
pub(crate) const DEAD_LETTERS: &str = "{cheershare}:dead_letters";

/// SMS that will not arrive, of which the operator's webhook is to be told.
pub(crate) const UNDELIVERED: &str = "{cheershare}:events:undelivered";
/// That a worker takes them at the moment.
pub(crate) const TAKING_UNDELIVERED: &str = "{cheershare}:events:taking";
/// That the operator's webhook wants no more events.
pub(crate) const EVENTS_OFF: &str = "{cheershare}:events:off";

/// The sweep of files that runs, or ran lately.
pub(crate) const SWEEP: &str = "{cheershare}:files:sweep";
/// That all bytes of files were looked at lately.
pub(crate) const FILES_LISTED: &str = "{cheershare}:files:listed";

/// What the names of a minute's counts start with; the minute follows, counted from 1970.
pub(crate) const COUNTS_PREFIX: &str = "{cheershare}:counts:";
/// What the names of numbers' histories start with; the number follows.
pub(crate) const HISTORY_PREFIX: &str = "{cheershare}:history:";

/// What the names of the lists of the last SMS start with; their status follows, or that they were
/// asked for.
pub(crate) const LISTED_PREFIX: &str = "{cheershare}:deliveries:";

/// What was counted in a minute.
pub(crate) fn counts(minute: i64) -> String {
    format!("{COUNTS_PREFIX}{minute}")
}

/// What happened to a number.
pub(crate) fn history(number: &E164) -> String {
    format!("{HISTORY_PREFIX}{}", number.as_str())
}

/// The breaker of a provider.
pub(crate) fn breaker(provider: &str) -> String {
    format!("{BREAKER_PREFIX}{provider}")
}

/// Digits that a range of numbers leaves open.
const RANGE_DIGITS: usize = 3;

/// One SMS that was asked for.
pub(crate) fn delivery(id: &str) -> String {
    format!("{DELIVERY_PREFIX}{id}")
}

/// The record of a number.
pub(crate) fn number(number: &E164) -> String {
    format!("{NUMBER_PREFIX}{}", number.as_str())
}

/// The tags of addresses from which a number signed in.
pub(crate) fn known_addresses(number: &E164) -> String {
    format!("{{cheershare}}:known:{}", number.as_str())
}

/// When an address guessed.
pub(crate) fn wrong_by_address(address: ClientAddress) -> String {
    format!("{{cheershare}}:wrong:address:{address}")
}

/// Of which number an address has been told lately whether it is known.
pub(crate) fn told(address: ClientAddress) -> String {
    format!("{{cheershare}}:told:{address}")
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

/// What an OpenID client asks for while its user signs in.
pub(crate) fn authorization_request(id: &RequestId) -> String {
    format!("{{cheershare}}:authorization:{id}")
}

/// The names of those that were begun from an address.
pub(crate) fn authorization_requests_of_address(address: ClientAddress) -> String {
    format!("{{cheershare}}:authorization:address:{address}")
}

/// The names of those that were begun from a network.
pub(crate) fn authorization_requests_of_network(network: ClientNetwork) -> String {
    format!("{{cheershare}}:authorization:network:{network}")
}

/// The names of all of them.
pub(crate) fn authorization_requests() -> String {
    "{cheershare}:authorization:all".to_owned()
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
