//! Live sessions in memory, so that a request need not ask the database who it is from. What ends or
//! changes a session is heard of at once; see [`SessionChanges`].

use std::sync::Arc;
use std::time::{Duration, Instant};

use common::domain::token::TokenHash;
use common::ledger::connection::Redis;
use common::ledger::session_changes::{Moment, SessionChanges};
use quick_cache::sync::Cache;

use super::sessions::CurrentUser;

/// About 600 bytes each.
const MOST_SESSIONS: usize = 10_000;

/// Clones share what they keep.
#[derive(Clone, Debug)]
pub struct SessionCache {
    kept: Arc<Cache<TokenHash, Kept>>,
    changes: SessionChanges,
    /// However little is heard, no session is kept for longer.
    longest: Duration,
}

#[derive(Clone, Debug)]
struct Kept {
    current: Arc<CurrentUser>,
    read_at: ReadAt,
}

/// When a session was read, at the earliest.
#[derive(Clone, Copy, Debug)]
pub struct ReadAt {
    moment: Moment,
    instant: Instant,
}

impl SessionCache {
    /// Keeps a session for `longest`; nothing for none.
    #[must_use]
    pub fn new(changes: SessionChanges, longest: Duration) -> Self {
        Self { kept: Arc::new(Cache::new(MOST_SESSIONS)), changes, longest }
    }

    /// Hears of changes, for ever. Until it does, nothing is remembered.
    pub async fn listen(self, redis: Redis) {
        if self.longest > Duration::ZERO {
            self.changes.listen(&redis).await;
        }
    }

    /// Whoever held this token a moment ago.
    pub(crate) fn get(&self, token: &TokenHash) -> Option<Arc<CurrentUser>> {
        let Kept { current, read_at } = self.kept.get(token)?;
        let is_fresh = read_at.instant.elapsed() < self.longest
            && self.changes.unchanged_since(read_at.moment, current.user.id);
        is_fresh.then_some(current)
    }

    /// To be asked for before a session is read.
    pub(crate) fn now(&self) -> ReadAt {
        ReadAt { moment: self.changes.now(), instant: Instant::now() }
    }

    pub(crate) fn insert(&self, current: Arc<CurrentUser>, read_at: ReadAt) {
        if self.longest > Duration::ZERO {
            self.kept.insert(current.session.hash.clone(), Kept { current, read_at });
        }
    }
}
