//! How many connections there may be, and which one has to go when they run short.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use futures_util::FutureExt;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

/// The connections of one server that are waiting for their clients can be evicted.
pub(super) struct ConnectionLimit {
    permits: Arc<Semaphore>,
    /// Connections are evicted while fewer permits than this are free.
    reserve: usize,
    is_short: AtomicBool,
    eviction: Notify,
}

impl ConnectionLimit {
    pub(super) fn new(max_connections: usize) -> Self {
        Self {
            permits: Arc::new(Semaphore::new(max_connections.min(Semaphore::MAX_PERMITS))),
            reserve: max_connections / 10,
            is_short: AtomicBool::new(false),
            eviction: Notify::new(),
        }
    }

    /// The permit for a new connection, if one is free. Evicts a connection when few are left.
    pub(super) fn try_acquire(&self) -> Option<OwnedSemaphorePermit> {
        let permit = Arc::clone(&self.permits).try_acquire_owned().ok();
        if permit.is_none() || self.permits.available_permits() < self.reserve {
            self.evict_slowest();
        } else {
            self.is_short.store(false, Ordering::Relaxed);
        }
        permit
    }

    /// Evicts the connection that has waited longest for its client, if there is one.
    pub(super) fn evict_slowest(&self) {
        self.is_short.store(true, Ordering::Relaxed);
        // Those who wait are woken in the order in which they began to.
        self.eviction.notify_one();
        // If nobody waits, the notice is kept. It must not meet the next one, who has just come.
        let _ = self.eviction.notified().now_or_never();
    }

    /// Ends when the connection that waits here is evicted.
    pub(super) async fn evicted(&self) {
        loop {
            self.eviction.notified().await;
            // Who is woken but no longer waits passes the notice on, perhaps when it is too late.
            if self.is_short.load(Ordering::Relaxed) {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_longest_waiting_goes_first_and_only_while_permits_are_short() {
        let limit = ConnectionLimit::new(20);
        let mut permits: Vec<_> = (0..18).map(|_| limit.try_acquire().unwrap()).collect();
        let mut first = Box::pin(limit.evicted());
        let mut second = Box::pin(limit.evicted());
        assert!(first.as_mut().now_or_never().is_none());
        assert!(second.as_mut().now_or_never().is_none());
        permits.push(limit.try_acquire().unwrap());
        assert!(second.as_mut().now_or_never().is_none());
        assert!(first.as_mut().now_or_never().is_some());

        // A notice that nobody waited for, or that is too late, evicts nobody.
        drop(second);
        permits.push(limit.try_acquire().unwrap());
        let mut late = Box::pin(limit.evicted());
        assert!(late.as_mut().now_or_never().is_none());
        permits.clear();
        drop(limit.try_acquire().unwrap());
        limit.eviction.notify_one();
        assert!(late.as_mut().now_or_never().is_none());
    }

    #[test]
    fn the_last_permit_is_the_last() {
        let limit = ConnectionLimit::new(1);
        let only = limit.try_acquire().unwrap();
        assert!(limit.try_acquire().is_none());
        drop(only);
        assert!(limit.try_acquire().is_some());
    }
}
