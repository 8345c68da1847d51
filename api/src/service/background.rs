//! Work that outlives the request that began it.

use std::fmt::Display;
use std::future::Future;
use std::time::Duration;

use common::runtime::retry::{Backoff, retry_until_ok};
use tokio::time::timeout;
use tracing::Instrument;

const RETRY_FOR: Duration = Duration::from_secs(30);
const RETRY_PAUSE: Backoff = Backoff::constant(Duration::from_millis(250));

/// The process ended before the work did.
#[derive(Debug, thiserror::Error)]
#[error("cancelled")]
pub struct Cancelled;

/// Runs work to its end, even if the client goes away meanwhile, so that no OTP is used up for
/// nothing, and whatever has to follow a change does.
pub(crate) async fn run_to_completion<T, E>(
    work: impl Future<Output = Result<T, E>> + Send + 'static,
) -> Result<T, E>
where
    T: Send + 'static,
    E: From<Cancelled> + Send + 'static,
{
    match tokio::spawn(work.in_current_span()).await {
        Ok(result) => result,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(_) => Err(Cancelled.into()),
    }
}

/// Takes a step that has to follow a change in the database. Where the step fails, it is retried in
/// the background for half a minute; where that fails too, `failure` is the event that an operator
/// gets. The step may happen more than once.
pub(crate) async fn retry_in_background<F, E>(
    failure: &'static str,
    step: impl Fn() -> F + Send + 'static,
) where
    F: Future<Output = Result<(), E>> + Send,
    E: Display + Send,
{
    if step().await.is_ok() {
        return;
    }
    let retries = async move {
        let mut last_error = String::new();
        let succeeds = retry_until_ok(RETRY_PAUSE, step, |error| last_error = error.to_string());
        if timeout(RETRY_FOR, succeeds).await.is_err() {
            tracing::error!(event = failure, error = last_error);
        }
    };
    tokio::spawn(retries.in_current_span());
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::Notify;

    use super::*;

    #[tokio::test]
    async fn nobody_waits_for_more_than_the_first_try() {
        let tries = Arc::new(AtomicUsize::new(0));
        let done = Arc::new(Notify::new());
        let counted = Arc::clone(&tries);
        let told = Arc::clone(&done);
        retry_in_background("never", move || {
            let before = counted.fetch_add(1, Ordering::Relaxed);
            let told = Arc::clone(&told);
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
