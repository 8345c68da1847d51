//! Codes that may look used although nobody has signed in with them.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// While so many rollbacks run, no code is compared: each guess at a Redis that hangs may become
/// one, of 5 kB, for half a minute.
const MOST: usize = 1_000;

/// Challenges of which a redemption is being rolled back, with the ids of those redemptions. Clones
/// share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct PendingRollbacks {
    by_challenge: Arc<Mutex<HashMap<String, HashSet<String>>>>,
    running: Arc<AtomicUsize>,
}

impl PendingRollbacks {
    /// Whether there is any of this challenge.
    pub(crate) fn has(&self, challenge_key: &str) -> bool {
        self.lock().contains_key(challenge_key)
    }

    /// Whether there are so many that no guess may add another.
    pub(crate) fn is_full(&self) -> bool {
        self.running.load(Ordering::Relaxed) >= MOST
    }

    /// One more, until what this returns is dropped.
    pub(crate) fn begin(&self, challenge_key: &str, redemption_id: &str) -> PendingRollback {
        self.running.fetch_add(1, Ordering::Relaxed);
        self.lock().entry(challenge_key.to_owned()).or_default().insert(redemption_id.to_owned());
        PendingRollback {
            all: self.clone(),
            challenge_key: challenge_key.to_owned(),
            redemption_id: redemption_id.to_owned(),
        }
    }

    /// The code has been used for good: what was lost before finds it used.
    pub(crate) fn forget(&self, challenge_key: &str) {
        self.lock().remove(challenge_key);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, HashSet<String>>> {
        self.by_challenge.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One redemption that is being rolled back.
#[derive(Debug)]
pub(crate) struct PendingRollback {
    all: PendingRollbacks,
    challenge_key: String,
    redemption_id: String,
}

impl Drop for PendingRollback {
    fn drop(&mut self) {
        self.all.running.fetch_sub(1, Ordering::Relaxed);
        let mut all = self.all.lock();
        if let Some(redemptions) = all.get_mut(&self.challenge_key) {
            redemptions.remove(&self.redemption_id);
            if redemptions.is_empty() {
                all.remove(&self.challenge_key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_is_pending_until_the_last_rollback_or_a_sign_in() {
        let pending = PendingRollbacks::default();
        let (first, second) = (pending.begin("a", "1"), pending.begin("a", "2"));
        assert!(pending.has("a") && !pending.has("b"));
        drop(first);
        assert!(pending.has("a"));
        pending.forget("a");
        assert!(!pending.has("a"));
        let third = pending.begin("a", "3");
        drop(second);
        assert!(pending.has("a"), "one of before the sign-in has no say");
        drop(third);
        assert!(pending.lock().is_empty());
    }

    #[test]
    fn it_is_full_while_the_most_run() {
        let pending = PendingRollbacks::default();
        let mut rollbacks: Vec<_> =
            (0..MOST).map(|id| pending.begin("a", &id.to_string())).collect();
        assert!(pending.is_full());
        pending.forget("a");
        assert!(pending.is_full(), "they run all the same");
        rollbacks.pop();
        assert!(!pending.is_full());
        drop(rollbacks);
        assert_eq!(pending.running.load(Ordering::Relaxed), 0);
    }
}
