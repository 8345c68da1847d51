//! `api bucket`: the leaky buckets that count unverified sends.

use std::fmt;
use std::net::IpAddr;

use clap::{Args, Subcommand, ValueEnum};
use common::admin;
use common::admin::buckets::{Bucket, Level};
use common::config::SettingError;
use common::domain::client::ClientAddress;
use common::runtime::clock::Clock;
use common::runtime::command::{self, CommandError, Output};
use serde::Serialize;

use super::parse_number;
use crate::config::Config;

/// What can be done with a bucket.
#[derive(Clone, Debug, Subcommand)]
pub enum BucketCommand {
    /// Print how full it is
    Show(OneBucket),
    /// Empty it
    Reset(OneBucket),
}

/// Which bucket, and how to answer.
#[derive(Args, Clone, Debug)]
pub struct OneBucket {
    /// Whose sends it counts
    kind: BucketKind,
    /// The address or one of the network, a number of the range, or the country (`none` for numbers of no country);
    /// nothing for the service
    of: Option<String>,
    #[command(flatten)]
    output: Output,
}

/// Whose sends a bucket counts.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
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

pub(super) async fn run(command: &BucketCommand, config: &Config) -> Result<(), CommandError> {
    let (which, empty) = match command {
        BucketCommand::Show(which) => (which, false),
        BucketCommand::Reset(which) => (which, true),
    };
    let bucket = which.bucket(config)?;
    let mut redis = admin::connect(&config.redis)?;
    let level =
        bucket.look(&mut redis, &config.ledger_settings(), &Clock::default(), empty).await?;
    if empty {
        command::answer(&Emptied { emptied: level }, which.output.json)
    } else {
        command::answer(&level, which.output.json)
    }
}

impl OneBucket {
    fn bucket(&self, config: &Config) -> Result<Bucket, CommandError> {
        let wrong = |reason: &str| CommandError::from(SettingError::new("OF", reason));
        let of = self.of.as_deref();
        let address = |text: &str| {
            let address = text.parse::<IpAddr>().map_err(|_| wrong("has to be an IP address"));
            address.map(ClientAddress::from)
        };
        Ok(match (self.kind, of) {
            (BucketKind::Address, Some(text)) => Bucket::Address(address(text)?),
            (BucketKind::Network, Some(text)) => Bucket::Network(address(text)?.network()),
            (BucketKind::Range, Some(text)) => {
                Bucket::Range(parse_number(text, config)?.e164().clone())
            }
            (BucketKind::Country, Some("none")) => Bucket::Country(None),
            (BucketKind::Country, Some(text)) => {
                Bucket::Country(Some(text.parse().map_err(|reason: String| wrong(&reason))?))
            }
            (BucketKind::Service, None) => Bucket::Service,
            (BucketKind::Network, None) => return Err(wrong("is missing: an address of which?")),
            (BucketKind::Address, None) => return Err(wrong("is missing: which address?")),
            (BucketKind::Range, None) => return Err(wrong("is missing: a number of which range?")),
            (BucketKind::Country, None) => return Err(wrong("is missing: which country?")),
            (BucketKind::Service, Some(_)) => {
                return Err(wrong("there is one bucket for the whole service"));
            }
        })
    }
}

#[derive(Serialize)]
struct Emptied {
    emptied: Level,
}

impl fmt::Display for Emptied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Emptied. Before, {}.", self.emptied)
    }
}
