//! The leaky buckets, as operators see and empty them.

use std::fmt;
use std::net::IpAddr;

use clap::ValueEnum;
use serde::Serialize;
use strum::{EnumString, IntoStaticStr};

use crate::admin::{OperatorError, ask_redis};
use crate::domain::client::{ClientAddress, ClientNetwork};
use crate::domain::phone::{Country, E164, InvalidPhoneNumber, PhoneNumber};
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

/// Whose unverified sends a bucket counts, as operators say it.
#[derive(Clone, Copy, Debug, EnumString, Eq, IntoStaticStr, PartialEq, ValueEnum)]
#[strum(const_into_str, serialize_all = "snake_case")]
pub enum BucketKind {
    /// Those of a client address
    Address,
    /// Those of the network of a client address
    Network,
    /// Those to the numbers that differ in the last three digits only
    Range,
    /// Those to a country
    Country,
    /// All
    Service,
}

/// Why there is no such bucket.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum WrongBucket {
    #[error(transparent)]
    Number(#[from] InvalidPhoneNumber),
    /// What is said of whose it is.
    #[error("{0}")]
    Of(String),
}

impl BucketKind {
    /// The bucket of the address or of one in the network, of a number of the range, of the country
    /// (`none` for numbers of no country); of nothing for the service.
    ///
    /// # Errors
    /// [`WrongBucket`].
    pub fn of(self, of: Option<&str>, default_country: Country) -> Result<Bucket, WrongBucket> {
        let wrong = |reason: &str| WrongBucket::Of(reason.to_owned());
        let address = |text: &str| {
            let address = text.parse::<IpAddr>().map_err(|_| wrong("has to be an IP address"));
            address.map(ClientAddress::from)
        };
        Ok(match (self, of) {
            (Self::Address, Some(text)) => Bucket::Address(address(text)?),
            (Self::Network, Some(text)) => Bucket::Network(address(text)?.network()),
            (Self::Range, Some(text)) => {
                Bucket::Range(PhoneNumber::parse(text, default_country)?.e164().clone())
            }
            (Self::Country, Some("none")) => Bucket::Country(None),
            (Self::Country, Some(text)) => {
                Bucket::Country(Some(text.parse().map_err(WrongBucket::Of)?))
            }
            (Self::Service, None) => Bucket::Service,
            (Self::Network, None) => return Err(wrong("is missing: an address of which?")),
            (Self::Address, None) => return Err(wrong("is missing: which address?")),
            (Self::Range, None) => return Err(wrong("is missing: a number of which range?")),
            (Self::Country, None) => return Err(wrong("is missing: which country?")),
            (Self::Service, Some(_)) => {
                return Err(wrong("there is one bucket for the whole service"));
            }
        })
    }
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
    /// Of numbers beside each other.
    #[serde(skip)]
    pub is_of_range: bool,
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
        let (bucket, capacity) = (self.to_string(), self.capacity(settings));
        Level { bucket, level, capacity, is_of_range: matches!(self, Self::Range(_)) }
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
