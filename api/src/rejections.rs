//! What was refused: a counter for each kind, and log events that no flood can multiply.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use common::domain::client::ClientAddress;
use common::domain::phone::E164;
use common::ledger::limits::LimitKind;
use common::ledger::otp::WrongGuess;
use common::runtime::clock::Clock;
use strum::VariantArray;

/// A kind of rejection is logged at most this often, in ms.
const LOG_INTERVAL: i64 = 1_000;

/// Counts since the process started. Clones share them.
#[derive(Clone, Debug)]
pub struct Rejections {
    sends: Arc<HashMap<LimitKind, Counter>>,
    destinations: Arc<Counter>,
    guesses: Arc<HashMap<WrongGuess, Counter>>,
    reports: Arc<Counter>,
    clients: Arc<Counter>,
    introspections: Arc<Counter>,
    codes: Arc<Counter>,
    clock: Clock,
}

impl Rejections {
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self {
            sends: Arc::new(counters(LimitKind::VARIANTS)),
            destinations: Arc::default(),
            guesses: Arc::new(counters(WrongGuess::VARIANTS)),
            reports: Arc::default(),
            clients: Arc::default(),
            introspections: Arc::default(),
            codes: Arc::default(),
            clock,
        }
    }

    /// A limit refused a send.
    pub fn send(&self, kind: LimitKind, number: &E164, address: ClientAddress) {
        self.count("send_refused", self.sends.get(&kind), kind.into_str(), number, address);
    }

    /// The number's country or type is not served.
    pub fn destination(&self, number: &E164, address: ClientAddress) {
        self.count("send_refused", Some(&self.destinations), "destination", number, address);
    }

    /// An OTP was not right.
    pub fn guess(&self, why: WrongGuess, number: &E164, address: ClientAddress) {
        self.count("guess_refused", self.guesses.get(&why), why.into_str(), number, address);
    }

    /// A provider's report was not signed by the provider.
    pub fn report(&self) {
        if let Some(count) = self.reports.count_and_allow(&self.clock) {
            tracing::warn!(event = "twilio_report_refused", reason = "bad signature", count);
        }
    }

    /// Nobody of the registered clients. What was given as an id may be a secret.
    pub fn client(&self, reason: &'static str, address: ClientAddress) {
        if let Some(count) = self.clients.count_and_allow(&self.clock) {
            tracing::warn!(event = "client_refused", reason, count, %address);
        }
    }

    /// A registered client asked about a token and may not.
    pub fn introspection(&self, client_id: &str) {
        if let Some(count) = self.introspections.count_and_allow(&self.clock) {
            tracing::warn!(event = "introspection_refused", client_id, count);
        }
    }

    /// A registered client showed a code that is good for nothing.
    pub fn code(&self, client_id: &str) {
        if let Some(count) = self.codes.count_and_allow(&self.clock) {
            tracing::warn!(event = "code_refused", client_id, count);
        }
    }

    fn count(
        &self,
        event: &str,
        counter: Option<&Counter>,
        reason: &str,
        number: &E164,
        address: ClientAddress,
    ) {
        if let Some(count) = counter.and_then(|counter| counter.count_and_allow(&self.clock)) {
            tracing::warn!(event, reason, count, %number, %address);
        }
    }

    /// Sends refused so far, by kind of limit.
    pub fn sends(&self) -> impl Iterator<Item = (LimitKind, u64)> {
        counts(LimitKind::VARIANTS, &self.sends)
    }

    /// Sends refused so far because of their destination.
    #[must_use]
    pub fn destinations(&self) -> u64 {
        self.destinations.count.load(Ordering::Relaxed)
    }

    /// Wrong OTPs so far, by why.
    pub fn guesses(&self) -> impl Iterator<Item = (WrongGuess, u64)> {
        counts(WrongGuess::VARIANTS, &self.guesses)
    }
}

#[derive(Debug, Default)]
struct Counter {
    count: AtomicU64,
    log_throttle: LogThrottle,
}

impl Counter {
    /// Returns the count where it may be logged.
    fn count_and_allow(&self, clock: &Clock) -> Option<u64> {
        let count = self.count.fetch_add(1, Ordering::Relaxed) + 1;
        self.log_throttle.allows(clock.unix_ms()).then_some(count)
    }
}

fn counters<K: Copy + Eq + Hash>(kinds: &[K]) -> HashMap<K, Counter> {
    kinds.iter().map(|kind| (*kind, Counter::default())).collect()
}

fn counts<K: Copy + Eq + Hash>(
    kinds: &[K],
    counters: &HashMap<K, Counter>,
) -> impl Iterator<Item = (K, u64)> {
    let count =
        |kind| counters.get(kind).map_or(0, |counter| counter.count.load(Ordering::Relaxed));
    kinds.iter().map(move |kind| (*kind, count(kind)))
}

/// Lets one event through in [`LOG_INTERVAL`].
#[derive(Debug, Default)]
struct LogThrottle {
    /// Unix ms.
    logged_at: AtomicI64,
}

impl LogThrottle {
    fn allows(&self, now: i64) -> bool {
        let logged_at = self.logged_at.load(Ordering::Relaxed);
        let due = now.saturating_sub(logged_at) >= LOG_INTERVAL;
        // Of simultaneous events, one is logged.
        due && self
            .logged_at
            .compare_exchange(logged_at, now, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rejection_is_counted_by_its_kind() {
        let rejections = Rejections::new(Clock::manual(0));
        let number = "+919876543210".parse().unwrap();
        let address = ClientAddress::from(std::net::IpAddr::from([203, 0, 113, 7]));
        for _ in 0..3 {
            rejections.send(LimitKind::Cooldown, &number, address);
        }
        rejections.guess(WrongGuess::Expired, &number, address);
        rejections.destination(&number, address);
        assert_eq!(rejections.destinations(), 1);
        let sends: Vec<_> = rejections.sends().filter(|(_, count)| *count > 0).collect();
        let guesses: Vec<_> = rejections.guesses().filter(|(_, count)| *count > 0).collect();
        assert_eq!(
            (sends, guesses),
            (vec![(LimitKind::Cooldown, 3)], vec![(WrongGuess::Expired, 1)])
        );
    }
}
