//! Codes that may look used although nobody has signed in with them.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Challenges of which a use is being taken back, with the ids of those attempts. Clones share
/// them.
#[derive(Clone, Debug, Default)]
pub(crate) struct PendingRollbacks(Arc<Mutex<HashMap<String, HashSet<String>>>>);

impl PendingRollbacks {
    /// Whether there is any of this one.
    pub(crate) fn has(&self, challenge_key: &str) -> bool {
        self.lock().contains_key(challenge_key)
    }

    /// One more, until what this returns is dropped.
    pub(crate) fn hold(&self, challenge_key: &str, attempt_id: &str) -> PendingRollback {
        self.lock().entry(challenge_key.to_owned()).or_default().insert(attempt_id.to_owned());
        PendingRollback {
            unsettled: self.clone(),
            challenge_key: challenge_key.to_owned(),
            attempt_id: attempt_id.to_owned(),
        }
    }

    /// The code has been used for good: what was lost before finds it used.
    pub(crate) fn settle(&self, challenge_key: &str) {
        self.lock().remove(challenge_key);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, HashSet<String>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One use that is being taken back.
#[derive(Debug)]
pub(crate) struct PendingRollback {
    unsettled: PendingRollbacks,
    challenge_key: String,
    attempt_id: String,
}

impl Drop for PendingRollback {
    fn drop(&mut self) {
        let mut all = self.unsettled.lock();
        if let Some(attempts) = all.get_mut(&self.challenge_key) {
            attempts.remove(&self.attempt_id);
            if attempts.is_empty() {
                all.remove(&self.challenge_key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_is_settled_by_the_last_attempt_or_by_a_sign_in() {
        let unsettled = PendingRollbacks::default();
        let (first, second) = (unsettled.hold("a", "1"), unsettled.hold("a", "2"));
        assert!(unsettled.has("a") && !unsettled.has("b"));
        drop(first);
        assert!(unsettled.has("a"));
        unsettled.settle("a");
        assert!(!unsettled.has("a"));
        let third = unsettled.hold("a", "3");
        drop(second);
        assert!(unsettled.has("a"), "one of before the sign-in has no say");
        drop(third);
        assert!(unsettled.lock().is_empty());
    }
}
