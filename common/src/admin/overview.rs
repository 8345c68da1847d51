//! What happened within the last hour or day, in all, by country and by provider, and what of it is
//! unusual.

use std::collections::BTreeMap;

use redis::RedisResult;

use super::counts::{self, Count};
use crate::ledger::connection::RedisConnection;
use crate::runtime::clock::Timestamp;

pub const MINUTE: i64 = 60_000;
pub const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// A country's conversion is unusual below this part of that of its day before.
const CONVERSION_FALLS_TO: f64 = 0.6;
/// Of fewer SMS within the hour, conversion tells nothing.
const LEAST_ASKED: i64 = 20;
/// A provider fails where this part of its calls failed.
const PROVIDER_FAILS_FROM: f64 = 0.2;
/// Of fewer failures, a part tells nothing.
const LEAST_FAILURES: i64 = 3;
/// Only what a provider did so lately tells how it is.
const PROVIDER_WITHIN: i64 = 10 * MINUTE;

/// How often what happened. Sends to test numbers and notices do not count.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Tally {
    /// SMS that were asked for.
    pub asked: i64,
    /// SMS that a provider took.
    pub sent: i64,
    /// SMS that a phone confirmed.
    pub delivered: i64,
    /// SMS that brought a right code.
    pub verified: i64,
    /// Asked for, and refused by a limit.
    pub refused: i64,
    /// Calls of a provider that failed.
    pub failed_calls: i64,
    /// SMS that no phone got: given up, or reported as undelivered.
    pub lost: i64,
}

impl Tally {
    fn add(&mut self, count: &Count) {
        let times = count.times;
        match count.what.as_str() {
            "asked" => self.asked += times,
            "sent" => self.sent += times,
            "delivered" => self.delivered += times,
            "verified" => self.verified += times,
            "attempt_failed" => self.failed_calls += times,
            "failed" | "undelivered" => self.lost += times,
            what if what.starts_with(REFUSED) => self.refused += times,
            _ => {}
        }
    }

    /// The part of the SMS asked for that brought a right code.
    #[must_use]
    pub fn conversion(&self) -> Option<f64> {
        part(self.verified, self.asked)
    }

    /// The same of those that providers took.
    #[must_use]
    pub fn conversion_of_sent(&self) -> Option<f64> {
        part(self.verified, self.sent)
    }

    /// What a sign-in costs, in SMS.
    #[must_use]
    pub fn sms_per_sign_in(&self) -> Option<f64> {
        part(self.sent, self.verified)
    }
}

const REFUSED: &str = "refused:";

fn part(of: i64, all: i64) -> Option<f64> {
    (all > 0).then(|| of as f64 / all as f64)
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Range {
    /// 60 minutes.
    Hour,
    /// 24 hours.
    Day,
}

impl Range {
    /// In milliseconds.
    #[must_use]
    pub fn step(self) -> i64 {
        match self {
            Self::Hour => MINUTE,
            Self::Day => HOUR,
        }
    }

    fn steps(self) -> i64 {
        match self {
            Self::Hour => 60,
            Self::Day => 24,
        }
    }

    /// When the first of its steps began; `now` is in the last one.
    fn begins(self, now: i64) -> i64 {
        (now.div_euclid(self.step()) - self.steps() + 1) * self.step()
    }
}

/// What was counted of a range.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    /// One for each minute or hour, oldest first.
    pub points: Vec<(Timestamp, Tally)>,
    pub all: Tally,
    /// By ISO 3166 alpha-2, those first that most SMS were asked for; none for numbers of no country.
    pub countries: Vec<(Option<String>, Tally)>,
    pub providers: Vec<(String, Tally)>,
    /// By limit, the most frequent first.
    pub refusals: Vec<(String, i64)>,
}

impl Summary {
    /// Of the range that ends at `now` (Unix ms).
    #[must_use]
    pub fn of<'a>(counts: impl Iterator<Item = &'a Count>, range: Range, now: i64) -> Self {
        let (begins, step) = (range.begins(now), range.step());
        let mut points = BTreeMap::new();
        points.extend((0..range.steps()).map(|at| (begins + at * step, Tally::default())));
        let mut all = Tally::default();
        let (mut countries, mut providers) = (BTreeMap::new(), BTreeMap::new());
        let mut refusals = BTreeMap::new();
        for count in counts {
            let at = begins + (count.minute.unix_ms() - begins).div_euclid(step) * step;
            let Some(point) = points.get_mut(&at) else { continue };
            point.add(count);
            all.add(count);
            if let Some(limit) = count.what.strip_prefix(REFUSED) {
                *refusals.entry(limit.to_owned()).or_insert(0) += count.times;
            }
            // Wrong guesses are of no country.
            if !count.what.starts_with("guess:") {
                countries.entry(count.country.clone()).or_insert_with(Tally::default).add(count);
            }
            if let Some(provider) = &count.provider {
                providers.entry(provider.clone()).or_insert_with(Tally::default).add(count);
            }
        }
        let mut summary = Self {
            points: points
                .into_iter()
                .map(|(at, tally)| (Timestamp::of_unix_ms(at), tally))
                .collect(),
            all,
            countries: countries.into_iter().collect(),
            providers: providers.into_iter().collect(),
            refusals: refusals.into_iter().collect(),
        };
        summary.countries.sort_by_key(|(_, tally)| -(tally.asked + tally.refused));
        summary.refusals.sort_by_key(|(_, times)| -times);
        summary
    }
}

/// What an operator should look at.
#[derive(Clone, Debug, PartialEq)]
pub enum Unusual {
    /// A country's conversion within the last hour, and in the day before.
    ConversionFalls { country: Option<String>, now: f64, before: f64 },
    /// The part of a provider's calls that failed of late.
    ProviderFails { provider: String, part: f64 },
}

/// What is unusual at `now` (Unix ms), of the counts of at least the last 25 hours.
#[must_use]
pub fn unusual(counts: &[&Count], now: i64) -> Vec<Unusual> {
    let hour = Range::Hour.begins(now);
    let mut countries: BTreeMap<&Option<String>, (Tally, Tally)> = BTreeMap::new();
    let mut providers: BTreeMap<&String, Tally> = BTreeMap::new();
    for count in counts {
        let at = count.minute.unix_ms();
        let (last, before) = countries.entry(&count.country).or_default();
        if at >= hour {
            last.add(count);
        } else if at >= hour - DAY {
            before.add(count);
        }
        if let Some(provider) = count.provider.as_ref().filter(|_| at > now - PROVIDER_WITHIN) {
            providers.entry(provider).or_default().add(count);
        }
    }
    let falls = countries.into_iter().filter_map(|(country, (last, before))| {
        let enough = last.asked >= LEAST_ASKED && before.asked >= LEAST_ASKED;
        let (now, before) = (last.conversion()?, before.conversion()?);
        let falls = enough && now < before * CONVERSION_FALLS_TO;
        falls.then(|| Unusual::ConversionFalls { country: country.clone(), now, before })
    });
    let fail = providers.into_iter().filter_map(|(provider, tally)| {
        let part = part(tally.failed_calls, tally.failed_calls + tally.sent)?;
        let fails = tally.failed_calls >= LEAST_FAILURES && part >= PROVIDER_FAILS_FROM;
        fails.then(|| Unusual::ProviderFails { provider: provider.clone(), part })
    });
    falls.chain(fail).collect()
}

/// The counts of the hour that ends at `now`, by the minute, and of the day before it, by whole
/// hours. `older` keeps the latter: each minute is read once for it.
///
/// # Errors
/// Redis cannot be reached or refuses. The next read goes on where this one ended, also where it was
/// dropped.
pub async fn read(
    redis: &mut RedisConnection,
    older: &mut Older,
    now: i64,
) -> RedisResult<Vec<Count>> {
    let hour = Range::Hour.begins(now);
    older.go_on(redis, hour).await?;
    let mut counts = counts::read(redis, hour, now).await?;
    counts.extend(older.hours.values().flat_map(|hour| hour.counts.iter().cloned()));
    Ok(counts)
}

/// What does not change any more, by the hour's beginning (Unix ms).
#[derive(Debug, Default)]
pub struct Older {
    hours: BTreeMap<i64, OlderHour>,
}

#[derive(Debug)]
struct OlderHour {
    /// Until which minute it was read (Unix ms).
    until: i64,
    counts: Vec<Count>,
}

impl Older {
    /// Reads what is missing of the day until then.
    async fn go_on(&mut self, redis: &mut RedisConnection, until: i64) -> RedisResult<()> {
        let first = (until - DAY + HOUR - 1).div_euclid(HOUR) * HOUR;
        // A clock that was put back has read too much.
        self.hours.retain(|begins, hour| *begins >= first && hour.until <= until);
        let mut begins = first;
        while begins < until {
            let end = until.min(begins + HOUR);
            let new = || OlderHour { until: begins, counts: Vec::new() };
            let hour = self.hours.entry(begins).or_insert_with(new);
            if hour.until < end {
                let mut counts = counts::read(redis, hour.until, end - 1).await?;
                counts.append(&mut hour.counts);
                *hour = OlderHour { until: end, counts: by_hour(counts) };
            }
            begins += HOUR;
        }
        Ok(())
    }
}

fn by_hour(counts: Vec<Count>) -> Vec<Count> {
    let mut hours: BTreeMap<_, Count> = BTreeMap::new();
    for count in counts {
        let hour = count.minute.unix_ms().div_euclid(HOUR) * HOUR;
        let key = (hour, count.country.clone(), count.provider.clone(), count.what.clone());
        let times = count.times;
        let minute = Timestamp::of_unix_ms(hour);
        hours.entry(key).or_insert(Count { minute, times: 0, ..count }).times += times;
    }
    hours.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 30 seconds into a minute, and 7 minutes into an hour.
    const NOW: i64 = 500_000 * HOUR + 7 * MINUTE + 30_000;

    fn count(minutes_ago: i64, provider: &str, what: &str, times: i64) -> Count {
        let minute = Timestamp::of_unix_ms((NOW / MINUTE - minutes_ago) * MINUTE);
        let provider = Some(provider.to_owned()).filter(|provider| !provider.is_empty());
        let (country, what) = (Some("IN".to_owned()), what.to_owned());
        Count { minute, country, provider, what, times }
    }

    #[test]
    fn a_range_ends_with_the_step_that_is_now() {
        let counts = [
            count(0, "", "asked", 3),
            count(0, "twilio", "sent", 2),
            count(0, "twilio", "attempt_failed", 1),
            count(59, "", "refused:cooldown", 5),
            count(60, "", "asked", 100),
            count(24 * 60, "", "asked", 1_000),
        ];
        let hour = Summary::of(counts.iter(), Range::Hour, NOW);
        assert_eq!((hour.points.len(), hour.all.asked, hour.all.refused), (60, 3, 5));
        assert_eq!(hour.points[0].1.refused, 5);
        assert_eq!(
            hour.points[59].1,
            Tally { asked: 3, sent: 2, failed_calls: 1, ..Tally::default() }
        );
        assert_eq!(hour.refusals, [("cooldown".to_owned(), 5)]);
        assert_eq!((hour.countries.len(), hour.providers.len()), (1, 1));
        let day = Summary::of(counts.iter(), Range::Day, NOW);
        assert_eq!((day.points.len(), day.all.asked), (24, 103));
        assert_eq!(day.points[23].1.asked, 3, "of this hour, which is 7 minutes old");
        let compacted = by_hour(counts.to_vec());
        let again = Summary::of(compacted.iter(), Range::Day, NOW);
        assert_eq!(again, day);
    }

    #[test]
    fn a_country_is_held_against_its_day_before() {
        let unusual = |verified| {
            let counts = [
                count(5, "", "asked", 20),
                count(5, "twilio", "verified", verified),
                count(100, "", "asked", 100),
                count(100, "twilio", "verified", 90),
            ];
            unusual(&counts.iter().collect::<Vec<_>>(), NOW)
        };
        assert_eq!(unusual(11), []);
        let fallen =
            Unusual::ConversionFalls { country: Some("IN".to_owned()), now: 0.5, before: 0.9 };
        assert_eq!(unusual(10), [fallen]);
        let few = [count(5, "", "asked", 19), count(100, "", "asked", 100)];
        assert_eq!(super::unusual(&few.iter().collect::<Vec<_>>(), NOW), []);
    }

    #[test]
    fn a_provider_fails_by_what_it_did_of_late() {
        let unusual = |minutes_ago, sent| {
            let counts = [
                count(minutes_ago, "twilio", "attempt_failed", 3),
                count(minutes_ago, "twilio", "sent", sent),
            ];
            unusual(&counts.iter().collect::<Vec<_>>(), NOW)
        };
        let fails = Unusual::ProviderFails { provider: "twilio".to_owned(), part: 0.2 };
        assert_eq!(unusual(9, 12), [fails]);
        assert_eq!(unusual(9, 13), []);
        assert_eq!(unusual(11, 0), []);
    }
}
