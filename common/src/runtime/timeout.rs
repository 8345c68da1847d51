//! A time limit for calls of stores, which may be away and then answer nothing at all.

use std::future::Future;
use std::time::Duration;

/// Waits for `call` for `limit` at most.
///
/// # Errors
/// That of the call, or `no_answer` after `limit`; then what was asked for may happen all the same.
pub async fn with_timeout<T, E, C>(
    limit: Duration,
    no_answer: E,
    call: impl Future<Output = Result<T, C>>,
) -> Result<T, E>
where
    E: From<C>,
{
    match tokio::time::timeout(limit, call).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(no_answer),
    }
}
