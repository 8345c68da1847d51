//! What the ledger's scripts are told once, when they are loaded.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use crate::domain::phone::Country;
use crate::ledger::happened::HappenedSettings;
use crate::ledger::keys;
use crate::ledger::limits::{GUESSES_PER_CHALLENGE, LIMITS, Limit, LimitConfig};
use crate::runtime::clock::millis;

/// Longest that one code may live, resends included (NIST SP 800-63B, OWASP ASVS).
pub(crate) const LONGEST_LIFE: Duration = Duration::from_secs(10 * 60);
/// How long a delivery can be looked up: a day after its end.
pub(crate) const KEEP_DELIVERY: Duration = Duration::from_secs(24 * 60 * 60 + 10 * 60);
/// Addresses that a number is remembered by.
const KNOWN_ADDRESSES: u32 = 20;

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
    #[serde(flatten)]
    happened: HappenedSettings,
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
            happened: HappenedSettings::default(),
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
