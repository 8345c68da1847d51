//! Work that takes a core for about a millisecond is done apart from what answers requests, a little
//! of it at once. Each user has one turn at a time, so that whoever asks for much waits for themselves.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::available_parallelism;
use std::time::Duration;

use common::crypto::signing_keys::JwtKind;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

/// How long a request waits for its turn.
const PATIENCE: Duration = Duration::from_secs(2);
/// Requests of one row, the one whose turn it is among them.
const MOST_IN_A_ROW: usize = 8;

/// Who waits after each other: what one user asks for, by what it is, so that a user's own requests
/// keep no app waiting that signs them in.
pub(super) type RowId = (JwtKind, i64);

/// Clones share them.
#[derive(Clone, Debug)]
pub struct Turns {
    places: Arc<Semaphore>,
    rows: Rows,
    patience: Duration,
}

/// Those in which somebody is.
type Rows = Arc<Mutex<HashMap<RowId, Row>>>;

#[derive(Debug)]
struct Row {
    turn: Arc<Semaphore>,
    length: usize,
}

/// A request in its row, which is gone with the last one.
struct InRow {
    rows: Rows,
    id: RowId,
}

impl InRow {
    /// Goes to the end of a row; none where that is full.
    fn join(rows: &Rows, id: RowId) -> Option<(Self, Arc<Semaphore>)> {
        let mut all = rows.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Row { turn: Arc::new(Semaphore::new(1)), length: 0 };
        let row = all.entry(id).or_insert_with(new);
        if row.length >= MOST_IN_A_ROW {
            return None;
        }
        row.length += 1;
        Some((Self { rows: Arc::clone(rows), id }, Arc::clone(&row.turn)))
    }
}

impl Drop for InRow {
    fn drop(&mut self) {
        let mut all = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        if let Entry::Occupied(mut row) = all.entry(self.id) {
            row.get_mut().length -= 1;
            if row.get().length == 0 {
                row.remove();
            }
        }
    }
}

impl Turns {
    /// Half of the cores, so that the others answer requests.
    #[must_use]
    pub fn of_this_machine() -> Self {
        let cores = available_parallelism().map_or(1, usize::from);
        Self::new((cores / 2).max(1), PATIENCE)
    }

    fn new(places: usize, patience: Duration) -> Self {
        Self { places: Arc::new(Semaphore::new(places)), rows: Rows::default(), patience }
    }

    /// Does `work`; none where its row is full, or its turn did not come in time.
    pub(super) async fn take<T: Send + 'static>(
        &self,
        id: RowId,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let (in_row, turn) = InRow::join(&self.rows, id)?;
        let held = timeout(self.patience, async {
            let turn = turn.acquire_owned().await.ok()?;
            Some((Arc::clone(&self.places).acquire_owned().await.ok()?, turn))
        })
        .await
        .ok()??;
        let work = move || {
            // Where the client has gone meanwhile, they are free when the work is done.
            let _held = (held, in_row);
            work()
        };
        spawn_blocking(work).await.ok()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use tokio::task::JoinSet;

    use super::*;

    const fn of(user: i64) -> RowId {
        (JwtKind::OfUser, user)
    }

    #[tokio::test]
    async fn whoever_asks_for_much_waits_for_themselves() {
        let turns = Turns::new(1, Duration::from_secs(10));
        let (tell, told) = mpsc::channel();
        let (go, wait) = mpsc::channel::<()>();
        let mut all = JoinSet::new();
        let first = turns.clone();
        let first =
            tokio::spawn(async move { first.take(of(7), move || wait.recv().unwrap()).await });
        tokio::task::yield_now().await;
        assert_eq!(turns.places.available_permits(), 0);
        for user in [7, 7, 7, 7, 8] {
            let (turns, tell) = (turns.clone(), tell.clone());
            all.spawn(async move { turns.take(of(user), move || tell.send(user).unwrap()).await });
            tokio::task::yield_now().await;
        }
        go.send(()).unwrap();
        assert_eq!(first.await.unwrap(), Some(()));
        all.join_all().await;
        assert_eq!(told.try_iter().collect::<Vec<_>>(), [8, 7, 7, 7, 7]);
        assert!(turns.rows.lock().unwrap().is_empty(), "nobody waits any more");
    }

    #[tokio::test]
    async fn no_more_is_done_at_once_than_there_are_places_and_nobody_waits_for_ever() {
        let turns = Turns::new(2, Duration::from_millis(20));
        let (go, wait) = mpsc::channel::<()>();
        let wait = Arc::new(std::sync::Mutex::new(wait));
        let mut running = Vec::new();
        for user in [1, 2] {
            let wait = Arc::clone(&wait);
            let turns = turns.clone();
            let work = move || wait.lock().unwrap().recv().unwrap();
            running.push(tokio::spawn(async move { turns.take(of(user), work).await }));
        }
        tokio::task::yield_now().await;
        assert_eq!(turns.take(of(3), || ()).await, None, "no place");
        assert_eq!(turns.take(of(1), || ()).await, None, "not their turn");
        for _ in 0..2 {
            go.send(()).unwrap();
        }
        for one in running {
            assert_eq!(one.await.unwrap(), Some(()));
        }
        assert_eq!(turns.take(of(3), || ()).await, Some(()));
    }

    #[tokio::test]
    async fn a_user_who_waits_for_much_is_refused_more_at_once_and_nobody_else_is() {
        let turns = Turns::new(2, Duration::from_secs(10));
        let (go, wait) = mpsc::channel::<()>();
        let mut all = JoinSet::new();
        let first = turns.clone();
        all.spawn(async move { first.take(of(1), move || wait.recv().unwrap()).await });
        for _ in 1..MOST_IN_A_ROW {
            let turns = turns.clone();
            all.spawn(async move { turns.take(of(1), || ()).await });
        }
        tokio::task::yield_now().await;
        for _ in 0..100 {
            assert_eq!(turns.take(of(1), || ()).await, None);
        }
        for other in [of(257), (JwtKind::IdToken, 1)] {
            assert_eq!(turns.take(other, || ()).await, Some(()));
        }
        go.send(()).unwrap();
        assert!(all.join_all().await.iter().all(Option::is_some));
        assert_eq!(turns.take(of(1), || ()).await, Some(()));
    }

    #[tokio::test]
    async fn whoever_hangs_up_gets_no_second_turn_meanwhile() {
        let turns = Turns::new(2, Duration::from_millis(20));
        let (go, wait) = mpsc::channel::<()>();
        let first = turns.clone();
        let gone = tokio::spawn(async move { first.take(of(1), move || wait.recv()).await });
        while turns.places.available_permits() == 2 {
            tokio::task::yield_now().await;
        }
        gone.abort();
        assert!(gone.await.unwrap_err().is_cancelled());
        assert_eq!(turns.take(of(1), || ()).await, None);
        go.send(()).unwrap();
    }
}
