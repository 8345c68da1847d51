//! Whether a failed attempt is followed by another one, by which provider, and when.

use std::time::Duration;

use common::domain::delivery::Reason;
use common::runtime::clock::millis;
use rand::RngExt;

use crate::provider::{FailureClass, SendError};

const FIRST_BACKOFF: Duration = Duration::from_millis(500);
const LONGEST_BACKOFF: Duration = Duration::from_secs(30);

/// What follows a failed attempt.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Next {
    /// Another attempt, at `at` (Unix ms).
    Retry {
        at: i64,
    },
    /// An attempt by another provider, at once.
    NextProvider,
    GiveUp,
}

/// Decides what follows after `attempts` attempts, the last of which failed at `now` (Unix ms). No
/// retry is due after the SMS expires: then it is another provider's turn. After a misconfiguration
/// the job waits behind the breaker, because an operator may correct it.
#[must_use]
pub fn after(
    error: &SendError,
    attempts: u32,
    others_left: bool,
    now: i64,
    expires_at: i64,
) -> Next {
    let wait = match error.class {
        FailureClass::Permanent if others_left && another_may_accept(error.reason) => {
            return Next::NextProvider;
        }
        FailureClass::Permanent | FailureClass::Ambiguous => return Next::GiveUp,
        FailureClass::Transient | FailureClass::Throttled | FailureClass::Misconfigured => {
            error.retry_after.unwrap_or_default().saturating_add(backoff(attempts))
        }
    };
    let at = now.saturating_add(millis(wait));
    if at < expires_at {
        Next::Retry { at }
    } else if others_left {
        Next::NextProvider
    } else {
        Next::GiveUp
    }
}

/// A number that is wrong is wrong everywhere; a country that one account does not serve, another
/// may.
fn another_may_accept(reason: Reason) -> bool {
    reason == Reason::CountryNotEnabled
}

/// Exponential, with full jitter.
fn backoff(attempts: u32) -> Duration {
    let doublings = attempts.saturating_sub(1).min(16);
    let ceiling = FIRST_BACKOFF.saturating_mul(1 << doublings).min(LONGEST_BACKOFF);
    rand::rng().random_range(Duration::ZERO..=ceiling)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(class: FailureClass) -> SendError {
        SendError::new(class, Reason::Rejected)
    }

    #[test]
    fn permanent_and_ambiguous_failures_are_not_tried_again() {
        for class in [FailureClass::Permanent, FailureClass::Ambiguous] {
            assert_eq!(after(&failure(class), 1, true, 0, 300_000), Next::GiveUp, "{class:?}");
        }
        for class in [FailureClass::Transient, FailureClass::Throttled, FailureClass::Misconfigured]
        {
            let next = after(&failure(class), 1, true, 0, 300_000);
            assert!(matches!(next, Next::Retry { at: 0..=500 }), "{class:?}");
        }
    }

    #[test]
    fn a_country_that_one_provider_does_not_serve_is_left_to_the_next() {
        let refused = SendError::new(FailureClass::Permanent, Reason::CountryNotEnabled);
        assert_eq!(after(&refused, 1, true, 0, 300_000), Next::NextProvider);
        assert_eq!(after(&refused, 1, false, 0, 300_000), Next::GiveUp);
    }

    #[test]
    fn the_backoff_grows_and_is_bounded() {
        for (attempts, ceiling) in [(1, 500), (2, 1_000), (5, 8_000), (7, 30_000), (100, 30_000)] {
            let longest = (0..500).map(|_| backoff(attempts)).max().unwrap();
            let ceiling = Duration::from_millis(ceiling);
            assert!(longest <= ceiling && longest > ceiling / 2, "after {attempts}: {longest:?}");
        }
    }

    #[test]
    fn the_provider_s_word_is_waited_for() {
        let throttled = SendError {
            retry_after: Some(Duration::from_secs(7)),
            ..failure(FailureClass::Throttled)
        };
        assert!(matches!(
            after(&throttled, 1, false, 1_000, 300_000),
            Next::Retry { at: 8_000..=8_500 }
        ));
    }

    #[test]
    fn nothing_is_tried_after_the_code_s_expiry() {
        let throttled = SendError {
            retry_after: Some(Duration::from_secs(7)),
            ..failure(FailureClass::Throttled)
        };
        assert_eq!(after(&throttled, 1, false, 1_000, 8_000), Next::GiveUp);
        assert_eq!(
            after(&throttled, 1, true, 1_000, 8_000),
            Next::NextProvider,
            "who may be called sooner"
        );
        let for_ever =
            SendError { retry_after: Some(Duration::MAX), ..failure(FailureClass::Throttled) };
        assert_eq!(after(&for_ever, 9, false, 1_000, 8_000), Next::GiveUp);
    }
}
