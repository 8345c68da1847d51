//! The leaky buckets, as operators see and empty them.

use std::fmt;

use serde::Serialize;

use crate::admin::{OperatorError, ask_redis};
use crate::domain::client::{ClientAddress, ClientNetwork};
use crate::domain::phone::{Country, E164};
use crate::ledger::connection::RedisConnection;
use crate::ledger::keys;
use crate::ledger::script::{Call, Script, Source, keys, named};
use crate::ledger::scripts;
use crate::ledger::settings::LedgerSettings;
use crate::runtime::clock::Clock;

/// Whose unverified sends a bucket counts.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Bucket {
    Address(ClientAddress),
    Network(ClientNetwork),
    /// To the numbers around this one.
    Range(E164),
    /// To a country, or to numbers of none.
    Country(Option<Country>),
    Service,
}

keys!(BucketKey { bucket });

named! {
    #[derive(Serialize)]
    pub(crate) struct LookCall {
        now: i64,
        capacity: u32,
        empty: bool,
    }
}

impl Call for LookCall {
    type Settings = LedgerSettings;
    type Keys = BucketKey;
    type Reply = f64;
    const SOURCE: Source = scripts::LOOK_AT_BUCKET;
}

/// How full a bucket is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Level {
    pub bucket: String,
    pub level: f64,
    /// Sends that it holds, and drains in an hour; 0 where the limit is off.
    pub capacity: u32,
}

impl Bucket {
    pub(super) fn key(&self) -> String {
        match self {
            Self::Address(address) => keys::address_bucket(*address),
            Self::Network(network) => keys::network_bucket(*network),
            Self::Range(number) => keys::range_bucket(number),
            Self::Country(country) => keys::country_bucket(*country),
            Self::Service => keys::service_bucket(),
        }
    }

    pub(super) fn capacity(&self, settings: &LedgerSettings) -> u32 {
        match self {
            Self::Address(_) => settings.limits.sends_per_address_hour,
            Self::Network(_) => settings.limits.sends_per_network_hour,
            Self::Range(_) => settings.limits.sends_per_range_hour,
            Self::Country(country) => settings.country_capacity(*country),
            Self::Service => settings.limits.sends_per_hour,
        }
    }

    pub(super) fn level(&self, level: f64, settings: &LedgerSettings) -> Level {
        Level { bucket: self.to_string(), level, capacity: self.capacity(settings) }
    }

    /// How full it is now; it is empty after that where `empty` says so.
    ///
    /// # Errors
    /// [`OperatorError`].
    pub async fn look(
        &self,
        redis: &mut RedisConnection,
        settings: &LedgerSettings,
        clock: &Clock,
        empty: bool,
    ) -> Result<Level, OperatorError> {
        let capacity = self.capacity(settings);
        let call = LookCall { now: clock.unix_ms(), capacity, empty };
        let script = Script::new(settings);
        let level = ask_redis(script.run(redis, BucketKey { bucket: self.key() }, &call)).await?;
        Ok(self.level(level, settings))
    }
}

/// As people call it. A range is told as far as its numbers agree.
impl fmt::Display for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => write!(f, "address {address}"),
            Self::Network(network) => write!(f, "network {network}"),
            Self::Range(number) => write!(f, "range of {number}"),
            Self::Country(Some(country)) => write!(f, "country {country}"),
            Self::Country(None) => f.write_str("country none"),
            Self::Service => f.write_str("service"),
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.capacity {
            0 => write!(f, "{}: {:.1}, and its limit is off", self.bucket, self.level),
            capacity => write!(f, "{}: {:.1} of {capacity}", self.bucket, self.level),
        }
    }
}
