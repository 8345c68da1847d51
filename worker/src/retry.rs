//! Which failure is worth another try, when, and until when.

use std::time::Duration;

use common::clock::millis;
use rand::RngExt;

use crate::provider::{FailureClass, SendError};

const FIRST_BACKOFF: Duration = Duration::from_millis(500);
const LONGEST_BACKOFF: Duration = Duration::from_secs(30);

/// What becomes of a delivery after a failed try.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Next {
    /// Another try.
    Retry {
        /// When (Unix ms).
        at: i64,
    },
    /// None.
    GiveUp,
}

/// Decides after try number `tries` (1 for the first) failed at `now` (Unix ms). Nothing is tried again when the code
/// will have expired by then.
#[must_use]
pub fn after(error: &SendError, tries: u32, now: i64, expires_at: i64) -> Next {
    let wait = match error.class {
        FailureClass::Permanent | FailureClass::Misconfigured | FailureClass::Ambiguous => return Next::GiveUp,
        FailureClass::Transient | FailureClass::Throttled => error.retry_after.unwrap_or_default() + backoff(tries),
    };
    let at = now.saturating_add(millis(wait));
    if at < expires_at { Next::Retry { at } } else { Next::GiveUp }
}

/// Exponential, with full jitter.
fn backoff(tries: u32) -> Duration {
    let doublings = tries.saturating_sub(1).min(16);
    let ceiling = FIRST_BACKOFF.saturating_mul(1 << doublings).min(LONGEST_BACKOFF);
    rand::rng().random_range(Duration::ZERO..=ceiling)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(class: FailureClass) -> SendError {
        SendError::new(class, "test")
    }

    #[test]
    fn only_transient_and_throttled_failures_are_tried_again() {
        for class in [FailureClass::Permanent, FailureClass::Misconfigured, FailureClass::Ambiguous] {
            assert_eq!(after(&failure(class), 1, 0, 300_000), Next::GiveUp, "{class:?}");
        }
        for class in [FailureClass::Transient, FailureClass::Throttled] {
            assert!(matches!(after(&failure(class), 1, 0, 300_000), Next::Retry { at: 0..=500 }), "{class:?}");
        }
    }

    #[test]
    fn the_backoff_grows_and_is_bounded() {
        for (tries, ceiling) in [(1, 500), (2, 1_000), (5, 8_000), (7, 30_000), (100, 30_000)] {
            let longest = (0..500).map(|_| backoff(tries)).max().unwrap();
            let ceiling = Duration::from_millis(ceiling);
            assert!(longest <= ceiling && longest > ceiling / 2, "try {tries}: {longest:?}");
        }
    }

    #[test]
    fn the_provider_s_word_is_waited_for() {
        let throttled = SendError { retry_after: Some(Duration::from_secs(7)), ..failure(FailureClass::Throttled) };
        assert!(matches!(after(&throttled, 1, 1_000, 300_000), Next::Retry { at: 8_000..=8_500 }));
    }

    #[test]
    fn nothing_is_tried_after_the_code_s_expiry() {
        let throttled = SendError { retry_after: Some(Duration::from_secs(7)), ..failure(FailureClass::Throttled) };
        assert_eq!(after(&throttled, 1, 1_000, 8_000), Next::GiveUp);
    }
}
