//! The one source of time, so that in-process tests move it instead of sleeping.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use serde::{Serialize, Serializer};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// The system's time, or a time that tests move. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Clock(Source);

#[derive(Clone, Debug, Default)]
enum Source {
    #[default]
    System,
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// A clock that stands still at `unix_ms` until [`Clock::advance`] moves it.
    #[must_use]
    pub fn manual(unix_ms: i64) -> Self {
        Self(Source::Manual(Arc::new(AtomicI64::new(unix_ms))))
    }

    /// Moves a manual clock forward. A system clock moves by itself and ignores this.
    pub fn advance(&self, by: Duration) {
        if let Source::Manual(unix_ms) = &self.0 {
            unix_ms.fetch_add(millis(by), Ordering::Relaxed);
        }
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub fn unix_ms(&self) -> i64 {
        match &self.0 {
            #[expect(
                clippy::disallowed_methods,
                reason = "this is the one place that asks the system"
            )]
            Source::System => {
                std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, millis)
            }
            Source::Manual(unix_ms) => unix_ms.load(Ordering::Relaxed),
        }
    }

    /// The time in UTC, in whole seconds, as both databases keep it.
    #[must_use]
    pub fn now(&self) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp(self.unix_ms().div_euclid(1000))
            .unwrap_or(OffsetDateTime::UNIX_EPOCH)
    }
}

/// An instant whose text is RFC 3339, in UTC and whole seconds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Timestamp(i64);

impl Timestamp {
    /// From milliseconds since the Unix epoch.
    #[must_use]
    pub fn of_unix_ms(unix_ms: i64) -> Self {
        Self(unix_ms)
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub fn unix_ms(self) -> i64 {
        self.0
    }
}

impl Timestamp {
    /// The instant, in whole seconds.
    #[must_use]
    pub fn time(self) -> OffsetDateTime {
        let seconds = self.0.div_euclid(1000);
        OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH)
    }
}

impl From<OffsetDateTime> for Timestamp {
    fn from(time: OffsetDateTime) -> Self {
        Self(time.unix_timestamp().saturating_mul(1000))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = OffsetDateTime::from_unix_timestamp(self.0.div_euclid(1000)).ok();
        f.pad(&time.and_then(|time| time.format(&Rfc3339).ok()).unwrap_or_default())
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A duration in whole milliseconds, as Redis scripts take it.
#[must_use]
pub fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_moves_only_when_told() {
        let clock = Clock::manual(1_700_000_000_999);
        let shared = clock.clone();
        assert_eq!(clock.now().unix_timestamp(), 1_700_000_000);
        clock.advance(Duration::from_millis(1));
        assert_eq!(shared.unix_ms(), 1_700_000_001_000);
    }

    #[test]
    fn a_moment_is_shown_in_utc() {
        assert_eq!(Timestamp::of_unix_ms(1_700_000_000_999).to_string(), "2023-11-14T22:13:20Z");
    }
}
