//! What was asked for, sent, delivered, verified and refused, by the minute.

use std::collections::HashMap;

use redis::RedisResult;
use serde::Serialize;

use crate::ledger::connection::RedisConnection;
use crate::ledger::happened::KEEP_COUNTS;
use crate::ledger::keys;
use crate::runtime::clock::{Timestamp, millis};

const MINUTE: i64 = 60_000;
/// Of Redis' time, what one round trip may take.
const MINUTES_AT_ONCE: usize = 60;

/// How often one thing happened within a minute. Sends to test numbers and notices do not count.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Count {
    /// When the minute began.
    pub minute: Timestamp,
    /// ISO 3166 alpha-2; none where the number has none, and of wrong guesses.
    pub country: Option<String>,
    /// None before an SMS is given to one.
    pub provider: Option<String>,
    /// `asked`, `attempt_failed`, `verified`, a status of a delivery, `guess:` and why it was
    /// wrong, or `refused:` and the limit.
    pub what: String,
    pub times: i64,
}

/// All counts of the minutes from the one that holds `from` to the one that holds `until` (Unix ms),
/// oldest first, as far back as they are kept.
///
/// # Errors
/// Redis cannot be reached or refuses.
pub async fn read(redis: &mut RedisConnection, from: i64, until: i64) -> RedisResult<Vec<Count>> {
    let first = from.max(until - millis(KEEP_COUNTS)).div_euclid(MINUTE);
    let minutes: Vec<i64> = (first..=until.div_euclid(MINUTE)).collect();
    let mut counts = Vec::new();
    for minutes in minutes.chunks(MINUTES_AT_ONCE) {
        let mut call = redis::pipe();
        for minute in minutes {
            call.cmd("HGETALL").arg(keys::counts(*minute));
        }
        let found: Vec<HashMap<String, i64>> = call.query_async(redis).await?;
        for (minute, fields) in minutes.iter().zip(found) {
            let mut of_minute: Vec<Count> =
                fields.iter().filter_map(|(field, times)| count(*minute, field, *times)).collect();
            of_minute.sort_by(|one, other| one.order().cmp(&other.order()));
            counts.append(&mut of_minute);
        }
    }
    Ok(counts)
}

fn count(minute: i64, field: &str, times: i64) -> Option<Count> {
    let (country, rest) = field.split_once(' ')?;
    let (provider, what) = rest.split_once(' ')?;
    let told = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    Some(Count {
        minute: Timestamp::of_unix_ms(minute.saturating_mul(MINUTE)),
        country: told(country),
        provider: told(provider),
        what: what.to_owned(),
        times,
    })
}

impl Count {
    fn order(&self) -> (&Option<String>, &Option<String>, &str) {
        (&self.country, &self.provider, &self.what)
    }
}
