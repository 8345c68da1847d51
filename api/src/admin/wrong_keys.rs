//! How many wrong keys an address may show.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use common::domain::token::TokenHash;

/// Wrong keys of one address within a minute; past that, none of its keys is looked up that has not
/// been right before.
const MOST: u32 = 10;
const WITHIN: Duration = Duration::from_secs(60);
/// Addresses that are counted at once, and right keys that are remembered.
const MOST_KEPT: usize = 1_000;

/// Clones share what they count. Each process counts for itself.
#[derive(Clone, Debug, Default)]
pub struct WrongKeys(Arc<Mutex<Counted>>);

#[derive(Debug, Default)]
struct Counted {
    by_address: HashMap<IpAddr, Window>,
    /// Whoever works already is not kept out by a stranger at the same address, such as a proxy's.
    right: HashSet<TokenHash>,
}

#[derive(Clone, Copy, Debug)]
struct Window {
    began: Instant,
    wrong: u32,
}

impl WrongKeys {
    /// How long this address has to wait until the key is looked up.
    pub(super) fn wait(&self, address: IpAddr, key: &TokenHash, now: Instant) -> Option<Duration> {
        let counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let window = counted.by_address.get(&address)?;
        let left = (window.began + WITHIN).saturating_duration_since(now);
        let is_full = window.wrong >= MOST && !left.is_zero();
        (is_full && !counted.right.contains(key)).then_some(left)
    }

    pub(super) fn note_right(&self, key: &TokenHash) {
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if counted.right.len() < MOST_KEPT {
            counted.right.insert(key.clone());
        }
    }

    pub(super) fn note_wrong(&self, address: IpAddr, key: &TokenHash, now: Instant) {
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counted.right.remove(key);
        if counted.by_address.len() >= MOST_KEPT {
            counted.by_address.retain(|_, window| now < window.began + WITHIN);
        }
        let new = Window { began: now, wrong: 0 };
        // Where all places are taken by addresses of this minute, the newest is counted with another.
        let address = match counted.by_address.keys().next() {
            Some(other) if counted.by_address.len() >= MOST_KEPT => *other,
            _ => address,
        };
        let window = counted.by_address.entry(address).or_insert(new);
        if now >= window.began + WITHIN {
            *window = new;
        }
        window.wrong = window.wrong.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use common::domain::admin_key::AdminKey;

    use super::*;

    #[test]
    fn an_address_waits_after_ten_and_a_key_that_was_right_does_not() {
        let (wrong_keys, now) = (WrongKeys::default(), Instant::now());
        let [here, there] = [IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2])];
        let hash = || AdminKey::random().hash();
        let right = hash();
        wrong_keys.note_right(&right);
        for _ in 0..MOST {
            assert_eq!(wrong_keys.wait(here, &hash(), now), None);
            wrong_keys.note_wrong(here, &hash(), now);
        }
        assert_eq!(wrong_keys.wait(here, &hash(), now), Some(WITHIN));
        assert_eq!(wrong_keys.wait(here, &right, now), None);
        assert_eq!(wrong_keys.wait(there, &hash(), now), None);
        assert_eq!(wrong_keys.wait(here, &hash(), now + WITHIN), None);
        wrong_keys.note_wrong(here, &right, now + WITHIN);
        assert_eq!(wrong_keys.wait(here, &hash(), now + WITHIN), None, "another minute");
        for _ in 0..MOST {
            wrong_keys.note_wrong(here, &hash(), now + WITHIN);
        }
        assert!(wrong_keys.wait(here, &right, now + WITHIN).is_some(), "it is right no more");
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let (wrong_keys, now) = (WrongKeys::default(), Instant::now());
        for n in 0..5_000_u32 {
            let hash = AdminKey::random().hash();
            wrong_keys.note_wrong(IpAddr::from(n.to_be_bytes()), &hash, now);
            wrong_keys.note_right(&hash);
        }
        let counted = wrong_keys.0.lock().unwrap();
        assert_eq!((counted.by_address.len(), counted.right.len()), (MOST_KEPT, MOST_KEPT));
    }
}
