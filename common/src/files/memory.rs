//! The memory that uploads take on their way to an object store. What has come is counted, so that a
//! slow client holds little; and whoever waits for more holds none, so that nobody waits for each
//! other.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::StorageError;

/// Bytes that are counted as one.
pub(super) const UNIT: u64 = 64 * 1024;

#[derive(Debug)]
pub(super) struct PartMemory {
    all: Arc<Semaphore>,
    terms: Terms,
    users: Mutex<HashMap<i64, Weak<Semaphore>>>,
}

/// What uploads may have.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    /// Bytes, of all and of one user.
    pub(super) most: u64,
    pub(super) share: u64,
    /// How long an upload keeps what it has; then others get their turn.
    pub(super) turn: Duration,
    /// How long one waits for more. Its client waits meanwhile.
    pub(super) patience: Duration,
}

impl PartMemory {
    pub(super) fn new(terms: Terms) -> Self {
        let all = Arc::new(Semaphore::new(as_usize(units(terms.most))));
        Self { all, terms, users: Mutex::default() }
    }

    /// What one upload of a user has of it: nothing yet.
    pub(super) fn of(&self, user_id: i64) -> Held {
        let mut users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        users.retain(|_, own| own.strong_count() > 0);
        let own = users.get(&user_id).and_then(Weak::upgrade).unwrap_or_else(|| {
            let own = Arc::new(Semaphore::new(as_usize(units(self.terms.share))));
            users.insert(user_id, Arc::downgrade(&own));
            own
        });
        Held { own, all: Arc::clone(&self.all), terms: self.terms, units: 0, permits: Vec::new() }
    }
}

/// What an upload has of the memory.
#[derive(Debug)]
pub(super) struct Held {
    own: Arc<Semaphore>,
    all: Arc<Semaphore>,
    terms: Terms,
    units: u32,
    permits: Vec<OwnedSemaphorePermit>,
}

impl Held {
    /// Takes so many bytes in all, if they are free.
    pub(super) fn try_hold(&mut self, bytes: u64) -> bool {
        let more = self.capped(bytes).saturating_sub(self.units);
        if more == 0 {
            return true;
        }
        let own = Arc::clone(&self.own).try_acquire_many_owned(more);
        let all = Arc::clone(&self.all).try_acquire_many_owned(more);
        let (Ok(own), Ok(all)) = (own, all) else { return false };
        self.units += more;
        self.permits.extend([own, all]);
        true
    }

    /// Waits for so many bytes, and holds nothing meanwhile.
    ///
    /// # Errors
    /// [`StorageError::Busy`].
    pub(super) async fn hold(&mut self, bytes: u64) -> Result<(), StorageError> {
        self.release();
        let units = self.capped(bytes);
        let turn = async {
            let own = Arc::clone(&self.own).acquire_many_owned(units).await;
            let all = Arc::clone(&self.all).acquire_many_owned(units).await;
            own.and_then(|own| Ok([own, all?]))
        };
        let permits = timeout(self.terms.patience, turn).await.map_err(|_| StorageError::Busy)?;
        self.permits.extend(permits.map_err(|_| StorageError::Busy)?);
        self.units = units;
        Ok(())
    }

    pub(super) fn release(&mut self) {
        self.permits.clear();
        self.units = 0;
    }

    pub(super) fn turn(&self) -> Duration {
        self.terms.turn
    }

    /// What is longer than a user's share takes all of it.
    fn capped(&self, bytes: u64) -> u32 {
        units(bytes).min(units(self.terms.share))
    }
}

fn units(bytes: u64) -> u32 {
    u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX)
}

fn as_usize(units: u32) -> usize {
    usize::try_from(units).unwrap_or(Semaphore::MAX_PERMITS).min(Semaphore::MAX_PERMITS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nobody_gets_more_than_there_is_nor_a_user_more_than_their_share() {
        let memory = PartMemory::new(Terms {
            most: 4 * UNIT,
            share: 2 * UNIT,
            turn: Duration::ZERO,
            patience: Duration::from_millis(500),
        });
        let (mut first, mut second, mut other, mut third) =
            (memory.of(1), memory.of(1), memory.of(2), memory.of(3));
        assert!(first.try_hold(1) && first.try_hold(UNIT), "a unit is a unit");
        assert!(second.try_hold(UNIT) && !first.try_hold(UNIT + 1), "that is the user's share");
        assert!(other.try_hold(1000 * UNIT), "which is all that a long part takes");
        assert!(!third.try_hold(1));
        assert!(matches!(third.hold(1).await, Err(StorageError::Busy)));
        let waits = async {
            third.hold(2 * UNIT).await.unwrap();
        };
        let others = async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            first.release();
            assert!(!first.try_hold(1), "who waits is first");
            drop(second);
        };
        tokio::join!(waits, others);
        assert!(!first.try_hold(1));
        drop(third);
        assert!(first.try_hold(2 * UNIT));
    }
}
