//! How many wrong keys of an address are told as such. Right ones are never refused: whoever comes by
//! a tunnel or a proxy shares its address, and no key of 256 bits is guessed.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Wrong keys of one address within a minute; past that, it is told to wait, and the log no more.
const MOST: u32 = 10;
const WITHIN: Duration = Duration::from_secs(60);
/// Addresses that are counted at once.
const MOST_KEPT: usize = 1_000;

/// Clones share what they count. Each process counts for itself.
#[derive(Clone, Debug, Default)]
pub struct WrongKeys(Arc<Mutex<HashMap<IpAddr, Window>>>);

#[derive(Clone, Copy, Debug)]
struct Window {
    began: Instant,
    wrong: u32,
}

impl WrongKeys {
    /// Counts one more. How long this address has to wait, where it has shown too many.
    pub(super) fn note(&self, address: IpAddr, now: Instant) -> Option<Duration> {
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if counted.len() >= MOST_KEPT {
            counted.retain(|_, window| now < window.began + WITHIN);
        }
        let new = Window { began: now, wrong: 0 };
        // Where all places are taken by addresses of this minute, the newest is counted with another.
        let address = match counted.keys().next() {
            Some(other) if counted.len() >= MOST_KEPT => *other,
            _ => address,
        };
        let window = counted.entry(address).or_insert(new);
        if now >= window.began + WITHIN {
            *window = new;
        }
        window.wrong = window.wrong.saturating_add(1);
        let left = (window.began + WITHIN).saturating_duration_since(now);
        (window.wrong > MOST).then_some(left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_waits_after_ten_until_its_minute_is_over() {
        let (wrong_keys, now) = (WrongKeys::default(), Instant::now());
        let [here, there] = [IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2])];
        for _ in 0..MOST {
            assert_eq!(wrong_keys.note(here, now), None);
        }
        assert_eq!(wrong_keys.note(here, now), Some(WITHIN));
        assert_eq!(wrong_keys.note(here, now + WITHIN / 2), Some(WITHIN / 2));
        assert_eq!(wrong_keys.note(there, now), None);
        assert_eq!(wrong_keys.note(here, now + WITHIN), None, "another minute");
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let (wrong_keys, now) = (WrongKeys::default(), Instant::now());
        for n in 0..5_000_u32 {
            wrong_keys.note(IpAddr::from(n.to_be_bytes()), now);
        }
        assert_eq!(wrong_keys.0.lock().unwrap().len(), MOST_KEPT);
    }
}
