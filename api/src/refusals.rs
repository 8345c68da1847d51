//! How often which limit refused a send, and why guesses were not right: counters, and log events that no flood can multiply.

use std::collections::HashMap;
use std::fmt::Display;
use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use common::domain::client::ClientAddress;
use common::domain::phone::E164;
use common::ledger::limits::{LimitKind, WrongGuess};
use common::runtime::clock::Clock;
use strum::VariantArray;

/// A kind of refusal is logged at most this often, in ms.
const LOG_EVERY: i64 = 1_000;

/// Counts since the process started. Clones share them.
#[derive(Clone, Debug)]
pub struct Refusals {
    sends: Arc<Counters<LimitKind>>,
    guesses: Arc<Counters<WrongGuess>>,
    destinations: Arc<Counters<()>>,
    clock: Clock,
}

#[derive(Debug)]
struct Counters<K>(HashMap<K, Counter>);

#[derive(Debug, Default)]
struct Counter {
    count: AtomicU64,
    logged_at: AtomicI64,
}

impl Refusals {
    /// All counts zero.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self {
            sends: Arc::new(Counters::of(LimitKind::VARIANTS)),
            guesses: Arc::new(Counters::of(WrongGuess::VARIANTS)),
            destinations: Arc::new(Counters::of(&[()])),
            clock,
        }
    }

    /// A limit refused a send.
    pub fn send(&self, kind: LimitKind, number: &E164, address: ClientAddress) {
        self.sends.note("send_refused", kind, kind.into_str(), (number, address), &self.clock);
    }

    /// The number's country or type is not served.
    pub fn destination(&self, number: &E164, address: ClientAddress) {
        self.destinations.note("send_refused", (), "destination", (number, address), &self.clock);
    }

    /// A guess was not right.
    pub fn guess(&self, why: WrongGuess, number: &E164, address: ClientAddress) {
        self.guesses.note("guess_refused", why, why.into_str(), (number, address), &self.clock);
    }

    /// Sends refused so far, by kind of limit.
    pub fn sends(&self) -> impl Iterator<Item = (LimitKind, u64)> {
        LimitKind::VARIANTS.iter().map(|kind| (*kind, self.sends.count(*kind)))
    }

    /// Sends refused so far because of their destination.
    #[must_use]
    pub fn destinations(&self) -> u64 {
        self.destinations.count(())
    }

    /// Guesses that were not right so far, by why.
    pub fn guesses(&self) -> impl Iterator<Item = (WrongGuess, u64)> {
        WrongGuess::VARIANTS.iter().map(|why| (*why, self.guesses.count(*why)))
    }
}

impl<K: Copy + Eq + Hash> Counters<K> {
    fn of(kinds: &[K]) -> Self {
        Self(kinds.iter().map(|kind| (*kind, Counter::default())).collect())
    }

    fn count(&self, kind: K) -> u64 {
        self.0.get(&kind).map_or(0, |counter| counter.count.load(Ordering::Relaxed))
    }

    fn note(&self, event: &str, kind: K, reason: &str, about: (&impl Display, ClientAddress), clock: &Clock) {
        let Some(counter) = self.0.get(&kind) else { return };
        let count = counter.count.fetch_add(1, Ordering::Relaxed) + 1;
        let (now, logged_at) = (clock.unix_ms(), counter.logged_at.load(Ordering::Relaxed));
        let due = now.saturating_sub(logged_at) >= LOG_EVERY;
        let ours = || counter.logged_at.compare_exchange(logged_at, now, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if due && ours() {
            let (number, address) = about;
            tracing::warn!(event, reason, count, %number, %address);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_is_counted_by_its_kind() {
        let refusals = Refusals::new(Clock::manual(0));
        let number = "+919876543210".parse().unwrap();
        let address = ClientAddress::from(std::net::IpAddr::from([203, 0, 113, 7]));
        for _ in 0..3 {
            refusals.send(LimitKind::Cooldown, &number, address);
        }
        refusals.guess(WrongGuess::Expired, &number, address);
        refusals.destination(&number, address);
        assert_eq!(refusals.destinations(), 1);
        let sends: Vec<_> = refusals.sends().filter(|(_, count)| *count > 0).collect();
        let guesses: Vec<_> = refusals.guesses().filter(|(_, count)| *count > 0).collect();
        assert_eq!((sends, guesses), (vec![(LimitKind::Cooldown, 3)], vec![(WrongGuess::Expired, 1)]));
    }
}
