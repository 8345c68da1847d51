//! What the ledger's scripts are told, and the words that they answer with.

use std::collections::BTreeMap;
use std::future::Future;
use std::time::Duration;

use redis::{RedisError, RedisResult};
use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantArray};

use crate::domain::phone::Country;
use crate::ledger::keys;
pub use crate::ledger::limits_table::{LIMITS, Limit, LimitConfig, LimitKind, Scope};
use crate::runtime::clock::millis;
use crate::runtime::timeout::with_timeout;

/// Wrong guesses that a challenge bears, from strangers and from known addresses each.
pub(crate) const GUESSES_PER_CHALLENGE: u32 = 5;
/// Longest that one code may live, resends included (NIST SP 800-63B, OWASP ASVS).
pub(crate) const LONGEST_LIFE: Duration = Duration::from_secs(10 * 60);
/// How long a delivery can be looked up: a day after its end.
pub(crate) const KEEP_DELIVERY: Duration = Duration::from_secs(24 * 60 * 60 + 10 * 60);
/// Addresses that a number is remembered by.
const KNOWN_ADDRESSES: u32 = 20;
/// How long one call of the API may take.
const DEADLINE: Duration = Duration::from_secs(1);

/// Why the ledger could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// Redis refused or was not reached.
    #[error("Redis: {0}")]
    Redis(#[from] RedisError),
    /// No answer within a second. The change may or may not have happened.
    #[error("Redis: no answer within {DEADLINE:?}")]
    Deadline,
    /// A script answered what it never should.
    #[error("Redis: an answer that cannot be read")]
    Unreadable,
    /// The code may have been used up by a guess whose answer was lost, and that is being undone; or
    /// too many such guesses are.
    #[error("Redis: the answer to an earlier guess was lost")]
    RollbackPending,
}

/// A Redis that hangs, or is being looked for again, is an error before a client loses patience.
pub(crate) async fn within_deadline<T>(
    call: impl Future<Output = RedisResult<T>>,
) -> Result<T, LedgerError> {
    with_timeout(DEADLINE, LedgerError::Deadline, call).await
}

/// Settings of the scripts, all durations in milliseconds.
#[derive(Clone, Debug, Serialize)]
pub struct LedgerSettings {
    ttl: i64,
    longest_life: i64,
    keep_delivery: i64,
    guesses_per_challenge: u32,
    known_addresses: u32,
    cooldown: i64,
    /// What of a day's cap only known addresses may use up.
    sends_per_number_day_own: u32,
    wrong_guesses_per_number_day_own: u32,
    bucket_prefix: &'static str,
    delivery_prefix: &'static str,
    #[serde(flatten)]
    pub(crate) limits: LimitConfig,
    /// `sends_per_number_hour_window` and its like.
    #[serde(flatten)]
    windows: BTreeMap<String, i64>,
    #[serde(skip)]
    default_country: Country,
}

impl LedgerSettings {
    /// New codes live for `ttl`; sends to `default_country` have a bucket of their own size.
    #[must_use]
    pub fn new(limits: &LimitConfig, ttl: Duration, default_country: Country) -> Self {
        let window = |limit: &Limit| (format!("{}_window", limit.setting), limit.window);
        Self {
            ttl: millis(ttl),
            longest_life: millis(LONGEST_LIFE),
            keep_delivery: millis(KEEP_DELIVERY),
            guesses_per_challenge: GUESSES_PER_CHALLENGE,
            known_addresses: KNOWN_ADDRESSES,
            cooldown: i64::from(limits.send_cooldown_seconds) * 1000,
            sends_per_number_day_own: own_part(limits.sends_per_number_day),
            wrong_guesses_per_number_day_own: own_part(limits.wrong_guesses_per_number_day),
            bucket_prefix: keys::BUCKET_PREFIX,
            delivery_prefix: keys::DELIVERY_PREFIX,
            limits: limits.clone(),
            windows: LIMITS.iter().map(window).collect(),
            default_country,
        }
    }

    pub(crate) fn country_capacity(&self, country: Option<Country>) -> u32 {
        if country == Some(self.default_country) {
            self.limits.sends_per_country_hour
        } else {
            self.limits.sends_per_foreign_country_hour
        }
    }
}

/// The known addresses' own part of a day's cap: a third, rounded up, but never all of it.
fn own_part(cap: u32) -> u32 {
    cap.div_ceil(3).min(cap.saturating_sub(1))
}

/// Why a guess was not right. For operators only.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, IntoStaticStr, PartialEq, VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(const_into_str, serialize_all = "snake_case")]
pub enum WrongGuess {
    /// Other digits.
    Wrong,
    /// The code has expired.
    Expired,
    /// Five wrong guesses came before.
    Burned,
    /// There is no code, or it has been used.
    None,
    /// Too many wrong guesses in an hour or a day: this one was not looked at.
    Closed,
    /// An operator has blocked the number: this one was not looked at.
    Blocked,
}
