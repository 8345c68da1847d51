//! `api bucket`: the leaky buckets that count unverified sends.

use std::fmt;

use clap::{Args, Subcommand};
use common::admin;
use common::admin::buckets::{Bucket, BucketKind, Level, WrongBucket};
use common::config::SettingError;
use common::runtime::clock::Clock;
use common::runtime::command::{self, CommandError, Output};
use serde::Serialize;

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
        let country = config.destinations.default_country;
        self.kind.of(self.of.as_deref(), country).map_err(|error| {
            let name = if matches!(error, WrongBucket::Number(_)) { "NUMBER" } else { "OF" };
            SettingError::new(name, error.to_string()).into()
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
