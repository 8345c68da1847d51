//! How many connections there may be, which one has to go when they run short, and the answer to
//! those that find none.

use std::{
    future::Future,
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_util::FutureExt;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::{Notify, OwnedSemaphorePermit, Semaphore},
};

use super::raw_response::refusal;
use crate::http::error::ErrorKind;

/// How many refused connections may linger (see [`close`]) at once.
pub(super) const LINGERING_REFUSALS: usize = 100;

/// Limits of [`close`].
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: u64 = 1024 * 1024;

/// The right of a connection to exist; it ends when this is dropped.
pub(super) type Slot = OwnedSemaphorePermit;

/// The slots of one server.
pub(super) struct Slots {
    free: Arc<Semaphore>,
    reserve: usize,
    short: AtomicBool,
    waiting_for_clients: Notify,
    refusals: Arc<Semaphore>,
}

impl Slots {
    pub(super) fn new(max_connections: usize) -> Self {
        Self {
            free: Arc::new(Semaphore::new(max_connections.min(Semaphore::MAX_PERMITS))),
            reserve: max_connections / 10,
            short: AtomicBool::new(false),
            waiting_for_clients: Notify::new(),
            refusals: Arc::new(Semaphore::new(LINGERING_REFUSALS)),
        }
    }

    /// A slot, if one is free. Evicts a connection when few are left after it.
    pub(super) fn take(&self) -> Option<Slot> {
        let slot = Arc::clone(&self.free).try_acquire_owned().ok();
        if slot.is_none() || self.free.available_permits() < self.reserve {
            self.relieve();
        } else {
            self.short.store(false, Ordering::Relaxed);
        }
        slot
    }

    /// Evicts the connection that has kept the server waiting longest, if there is one.
    pub(super) fn relieve(&self) {
        self.short.store(true, Ordering::Relaxed);
        // Those who wait are woken in the order in which they began to.
        self.waiting_for_clients.notify_one();
        // With nobody there the notice would be kept for the next one to come, who has done nothing
        // yet.
        let _ = self.waiting_for_clients.notified().now_or_never();
    }

    /// Ends when the connection that waits here has to go.
    pub(super) async fn evicted(&self) {
        loop {
            self.waiting_for_clients.notified().await;
            // A notice is passed on when its first receiver just got busy, perhaps until it is out
            // of date.
            if self.short.load(Ordering::Relaxed) {
                return;
            }
        }
    }

    /// Tells a client that there is no slot.
    pub(super) fn refuse(
        &self,
        mut stream: TcpStream,
    ) -> impl Future<Output = ()> + Send + 'static {
        crate::metrics::connection_refused();
        let lingering = Arc::clone(&self.refusals).try_acquire_owned();
        async move {
            let written = tokio::time::timeout(
                LINGER,
                stream.write_all(refusal(ErrorKind::Overloaded).as_bytes()),
            )
            .await;
            if lingering.is_ok() && matches!(written, Ok(Ok(()))) {
                close(stream).await;
            }
        }
    }
}

/// Closes a connection so that the last answer arrives: whoever closes a socket with bytes unread
/// makes the kernel send a reset, at which the client's kernel may throw away an answer that it
/// holds already. So the rest is read and thrown away, within limits.
pub(super) async fn close(mut stream: TcpStream) {
    let drain = async {
        stream.shutdown().await?;
        tokio::io::copy(&mut stream.take(LINGER_BYTES), &mut tokio::io::sink()).await?;
        io::Result::Ok(())
    };
    // Whether the client hangs up, breaks off or goes on sending: the connection is over.
    let _ = tokio::time::timeout(LINGER, drain).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_longest_waiting_goes_first_and_only_while_slots_are_short() {
        let slots = Slots::new(20);
        let mut held: Vec<_> = (0..18).map(|_| slots.take().unwrap()).collect();
        let mut first = Box::pin(slots.evicted());
        let mut second = Box::pin(slots.evicted());
        assert!(first.as_mut().now_or_never().is_none());
        assert!(second.as_mut().now_or_never().is_none());
        held.push(slots.take().unwrap());
        assert!(second.as_mut().now_or_never().is_none());
        assert!(first.as_mut().now_or_never().is_some());

        // A notice that nobody waited for, or that is out of date, evicts nobody.
        drop(second);
        held.push(slots.take().unwrap());
        let mut late = Box::pin(slots.evicted());
        assert!(late.as_mut().now_or_never().is_none());
        held.clear();
        drop(slots.take().unwrap());
        slots.waiting_for_clients.notify_one();
        assert!(late.as_mut().now_or_never().is_none());
    }

    #[test]
    fn the_last_slot_is_the_last() {
        let slots = Slots::new(1);
        let only = slots.take().unwrap();
        assert!(slots.take().is_none());
        drop(only);
        assert!(slots.take().is_some());
    }
}
