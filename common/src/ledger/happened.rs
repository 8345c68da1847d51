//! What scripts tell operators: counts by the minute, country and provider, the history of a number,
//! and the last SMS of each status. `lua/lib/happened.lua` writes them.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::ledger::keys;
use crate::ledger::records;
use crate::runtime::clock::{Timestamp, millis};

/// How long a minute's counts are kept: a week and a day.
pub const KEEP_COUNTS: Duration = Duration::from_secs(8 * 24 * 60 * 60);

/// SMS that are listed of each status, and of all that were asked for.
const MOST_LISTED: u32 = 10_000;

#[derive(Clone, Debug, Serialize)]
pub(crate) struct HappenedSettings {
    counts_prefix: &'static str,
    history_prefix: &'static str,
    listed_prefix: &'static str,
    most_listed: u32,
    delivery_prefix: &'static str,
    keep_counts: i64,
}

impl Default for HappenedSettings {
    fn default() -> Self {
        Self {
            counts_prefix: keys::COUNTS_PREFIX,
            history_prefix: keys::HISTORY_PREFIX,
            listed_prefix: keys::LISTED_PREFIX,
            most_listed: MOST_LISTED,
            delivery_prefix: keys::DELIVERY_PREFIX,
            keep_counts: millis(KEEP_COUNTS),
        }
    }
}

/// An SMS on a list: when it was asked for (Unix ms), and its id.
#[derive(Deserialize)]
pub(crate) struct Listed(pub(crate) i64, pub(crate) String);

/// One thing that happened to a number.
#[derive(Clone, Debug, Serialize)]
pub struct Happening {
    pub at: Timestamp,
    /// `asked`, `refused`, `attempt_failed`, `verified`, `restored`, `wrong_guess`, or the status
    /// that a delivery got.
    pub what: String,
    /// The SMS that it is about.
    pub delivery_id: Option<String>,
    pub provider: Option<String>,
    /// Why an SMS or a guess failed, or which limit refused a send.
    pub reason: Option<String>,
    /// When the limit lets a send through again, as far as was known then.
    pub until: Option<Timestamp>,
}

/// As the script writes it, a text that says nothing being empty.
#[derive(Deserialize)]
struct Entry(i64, String, String, String, String, i64);

impl Happening {
    /// None where it is one of a newer version.
    pub(crate) fn read(entry: &[u8]) -> Option<Self> {
        let Entry(at, what, delivery_id, provider, reason, wait) = records::read(entry).ok()?;
        let told = |text: String| Some(text).filter(|text| !text.is_empty());
        Some(Self {
            at: Timestamp::of_unix_ms(at),
            what,
            delivery_id: told(delivery_id),
            provider: told(provider),
            reason: told(reason),
            until: (wait > 0).then(|| Timestamp::of_unix_ms(at.saturating_add(wait))),
        })
    }
}

impl fmt::Display for Happening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.at, self.what)?;
        if let Some(provider) = &self.provider {
            write!(f, " by {provider}")?;
        }
        if let Some(reason) = &self.reason {
            write!(f, " ({reason})")?;
        }
        if let Some(until) = self.until {
            write!(f, " until {until}")?;
        }
        if let Some(delivery_id) = &self.delivery_id {
            write!(f, " {delivery_id}")?;
        }
        Ok(())
    }
}
