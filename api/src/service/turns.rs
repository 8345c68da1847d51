//! Work that takes a core for about a millisecond is done apart from what answers requests, a little
//! of it at once. Each user has one turn at a time, so that whoever asks for much waits for themselves.

use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use tokio::sync::{Mutex, Semaphore};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

/// How long a request waits for its turn.
const PATIENCE: Duration = Duration::from_secs(2);
/// Users who share one have their turns after each other.
const ROWS: usize = 256;

/// Clones share them.
#[derive(Clone, Debug)]
pub struct Turns {
    places: Arc<Semaphore>,
    rows: Arc<[Mutex<()>]>,
    patience: Duration,
}

impl Turns {
    /// Half of the cores, so that the others answer requests.
    #[must_use]
    pub fn of_this_machine() -> Self {
        let cores = available_parallelism().map_or(1, usize::from);
        Self::new((cores / 2).max(1), PATIENCE)
    }

    fn new(places: usize, patience: Duration) -> Self {
        let rows = (0..ROWS).map(|_| Mutex::new(())).collect();
        Self { places: Arc::new(Semaphore::new(places)), rows, patience }
    }

    /// Does `work` for a user; none where its turn did not come in time.
    pub(super) async fn take<T: Send + 'static>(
        &self,
        user_id: i64,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let row = self.rows.get((user_id.unsigned_abs() % ROWS as u64) as usize)?;
        let (_turn, place) = timeout(self.patience, async {
            let turn = row.lock().await;
            Some((turn, Arc::clone(&self.places).acquire_owned().await.ok()?))
        })
        .await
        .ok()??;
        let work = move || {
            // Where the client has gone meanwhile, it is free when the work is done.
            let _place = place;
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

    #[tokio::test]
    async fn whoever_asks_for_much_waits_for_themselves() {
        let turns = Turns::new(1, Duration::from_secs(10));
        let (tell, told) = mpsc::channel();
        let (go, wait) = mpsc::channel::<()>();
        let mut all = JoinSet::new();
        let first = turns.clone();
        let first = tokio::spawn(async move { first.take(7, move || wait.recv().unwrap()).await });
        tokio::task::yield_now().await;
        assert_eq!(turns.places.available_permits(), 0);
        for user in [7, 7, 7, 7, 8] {
            let (turns, tell) = (turns.clone(), tell.clone());
            all.spawn(async move { turns.take(user, move || tell.send(user).unwrap()).await });
            tokio::task::yield_now().await;
        }
        go.send(()).unwrap();
        assert_eq!(first.await.unwrap(), Some(()));
        all.join_all().await;
        assert_eq!(told.try_iter().collect::<Vec<_>>(), [8, 7, 7, 7, 7]);
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
            running.push(tokio::spawn(async move { turns.take(user, work).await }));
        }
        tokio::task::yield_now().await;
        assert_eq!(turns.take(3, || ()).await, None, "no place");
        assert_eq!(turns.take(1, || ()).await, None, "not their turn");
        for _ in 0..2 {
            go.send(()).unwrap();
        }
        for one in running {
            assert_eq!(one.await.unwrap(), Some(()));
        }
        assert_eq!(turns.take(3, || ()).await, Some(()));
    }
}
