//! What has to follow a change in the database, and cannot undo it any more.

use std::fmt::Display;
use std::future::Future;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tracing::Instrument;

/// How long, and how far apart, it is tried.
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(250);

/// Does it now or, where that fails, in the background for half a minute. Where that does not help either, `failure`
/// is the event that an operator gets. It may be done more than once.
pub(crate) async fn retry_in_background<F, E>(failure: &'static str, step: impl Fn() -> F + Send + 'static)
where
    F: Future<Output = Result<(), E>> + Send,
    E: Display + Send,
{
    if step().await.is_ok() {
        return;
    }
    let until = Instant::now() + PATIENCE;
    let in_background = async move {
        loop {
            sleep(PAUSE).await;
            match step().await {
                Ok(()) => return,
                Err(error) if Instant::now() > until => return tracing::error!(event = failure, %error),
                Err(_) => {}
            }
        }
    };
    tokio::spawn(in_background.in_current_span());
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::Notify;

    use super::*;

    #[tokio::test]
    async fn nobody_waits_for_more_than_the_first_try() {
        let (tries, done) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
        let (counted, told) = (Arc::clone(&tries), Arc::clone(&done));
        retry_in_background("never", move || {
            let (before, told) = (counted.fetch_add(1, Ordering::Relaxed), Arc::clone(&told));
            async move {
                if before < 2 {
                    return Err("not yet");
                }
                told.notify_one();
                Ok(())
            }
        })
        .await;
        assert_eq!(tries.load(Ordering::Relaxed), 1);
        tokio::time::timeout(Duration::from_secs(20), done.notified()).await.unwrap();
        assert_eq!(tries.load(Ordering::Relaxed), 3);
    }
}
