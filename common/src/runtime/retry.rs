//! Repeats what has to succeed in the end, however long that takes.

use std::future::Future;
use std::time::Duration;

/// Pauses between attempts: the first one, doubled after each attempt until it is the longest.
#[derive(Clone, Copy, Debug)]
pub struct Backoff {
    pub first: Duration,
    pub longest: Duration,
}

impl Backoff {
    #[must_use]
    pub const fn constant(pause: Duration) -> Self {
        Self { first: pause, longest: pause }
    }
}

/// Repeats `attempt` until it succeeds. Each failure is given to `failed`.
pub async fn retry_until_ok<T, E, F>(
    backoff: Backoff,
    mut attempt: impl FnMut() -> F,
    mut failed: impl FnMut(E),
) -> T
where
    F: Future<Output = Result<T, E>>,
{
    let mut pause = backoff.first;
    loop {
        match attempt().await {
            Ok(value) => return value,
            Err(error) => failed(error),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(backoff.longest);
    }
}
