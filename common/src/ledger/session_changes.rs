//! Who keeps sessions in memory has to hear when one of them ends or changes. Each change is told to
//! every process over a channel of Redis, which stores nothing.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use redis::{RedisError, RedisResult};
use tokio::time::{sleep, timeout};

use crate::ledger::connection::{Redis, RedisConnection};
use crate::ledger::subscription::Subscription;

const CHANNEL: &str = "{cheershare}:sessions:changed";
/// How long a change may be told. Where Redis is away for all, no other process trusts what it keeps;
/// where it is away for this one alone, the others forget it when they forget everything that old.
const DEADLINE: Duration = Duration::from_millis(250);
const RECONNECT_PAUSE: Duration = Duration::from_millis(500);
/// Users who share one forget together.
const SLOTS: usize = 4096;

/// What has changed, as far as this process has heard. Clones share it.
#[derive(Clone)]
pub struct SessionChanges {
    redis: RedisConnection,
    heard: Arc<Heard>,
}

/// A moment in the order in which this process reads sessions and hears of changes.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Moment(u64);

struct Heard {
    /// Grows with each change.
    latest: AtomicU64,
    /// The last change of a user's sessions, by [`slot`].
    by_user: Box<[AtomicU64]>,
    /// Since when all changes are heard; [`NEVER`] where they are not.
    since: AtomicU64,
}

const NEVER: u64 = u64::MAX;

impl SessionChanges {
    #[must_use]
    pub fn new(redis: RedisConnection) -> Self {
        let heard = Heard {
            latest: AtomicU64::new(0),
            by_user: (0..SLOTS).map(|_| AtomicU64::new(0)).collect(),
            since: AtomicU64::new(NEVER),
        };
        Self { redis, heard: Arc::new(heard) }
    }

    /// To be asked for before sessions are read from the database.
    #[must_use]
    pub fn now(&self) -> Moment {
        Moment(self.heard.latest.load(Ordering::SeqCst))
    }

    /// Whether what was read of a user's sessions after this moment is still so, as far as anybody
    /// has told.
    #[must_use]
    pub fn unchanged_since(&self, Moment(read): Moment, user_id: i64) -> bool {
        let changed = |slot: &AtomicU64| slot.load(Ordering::SeqCst) > read;
        read >= self.heard.since.load(Ordering::SeqCst)
            && !self.heard.by_user.get(slot(user_id)).is_none_or(changed)
    }

    /// Tells everybody that a user or one of their sessions has changed: this process at once, the
    /// others when Redis passes it on, for which it has a quarter of a second.
    pub async fn tell(&self, user_id: i64) {
        self.heard.note(user_id);
        let told = timeout(DEADLINE, self.publish(user_id)).await;
        let error = match told {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error,
            Err(_late) => RedisError::from(std::io::Error::from(std::io::ErrorKind::TimedOut)),
        };
        tracing::warn!(event = "session_change_not_told", user_id, %error);
    }

    async fn publish(&self, user_id: i64) -> RedisResult<()> {
        redis::cmd("PUBLISH").arg(CHANNEL).arg(user_id).query_async(&mut self.redis.clone()).await
    }

    /// Hears what others tell, for ever. What was read while nothing could be heard is not trusted.
    pub async fn listen(&self, redis: &Redis) {
        loop {
            let Err(error) = self.listen_once(redis).await;
            if self.heard.since.swap(NEVER, Ordering::SeqCst) != NEVER {
                tracing::warn!(event = "session_changes_not_heard", %error);
            }
            sleep(RECONNECT_PAUSE).await;
        }
    }

    async fn listen_once(&self, redis: &Redis) -> RedisResult<Infallible> {
        let mut subscription = Subscription::open(&redis.primary().await?, CHANNEL).await?;
        let since = self.heard.latest.fetch_add(1, Ordering::SeqCst) + 1;
        self.heard.since.store(since, Ordering::SeqCst);
        tracing::info!(event = "session_changes_heard");
        loop {
            match subscription.next().await?.get_payload() {
                Ok(user_id) => self.heard.note(user_id),
                // Told by a version that tells more.
                Err(_) => self.heard.note_all(),
            }
        }
    }
}

impl Heard {
    fn note(&self, user_id: i64) {
        let change = self.latest.fetch_add(1, Ordering::SeqCst) + 1;
        if let Some(last) = self.by_user.get(slot(user_id)) {
            last.fetch_max(change, Ordering::SeqCst);
        }
    }

    fn note_all(&self) {
        let change = self.latest.fetch_add(1, Ordering::SeqCst) + 1;
        self.since.store(change, Ordering::SeqCst);
    }
}

fn slot(user_id: i64) -> usize {
    (user_id.unsigned_abs() % SLOTS as u64) as usize
}

impl fmt::Debug for SessionChanges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionChanges")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes() -> SessionChanges {
        let redis = Redis::new("redis://127.0.0.1:1").unwrap();
        SessionChanges::new(redis.connection(Duration::from_secs(1)))
    }

    #[tokio::test]
    async fn nothing_is_trusted_until_changes_are_heard() {
        let changes = changes();
        let before = changes.now();
        assert!(!changes.unchanged_since(before, 7));
        changes.heard.note_all();
        assert!(!changes.unchanged_since(before, 7), "read before anything was heard");
        let read = changes.now();
        assert!(changes.unchanged_since(read, 7));
        changes.heard.since.store(NEVER, Ordering::SeqCst);
        assert!(!changes.unchanged_since(changes.now(), 7));
    }

    #[tokio::test]
    async fn a_change_counts_for_its_user_and_for_what_was_read_before() {
        let changes = changes();
        changes.heard.note_all();
        let read = changes.now();
        changes.heard.note(7);
        assert!(!changes.unchanged_since(read, 7));
        assert!(changes.unchanged_since(read, 8));
        assert!(changes.unchanged_since(changes.now(), 7));
        // A number that no user has, told by mistake, harms nobody.
        changes.heard.note(i64::MIN);
    }
}
