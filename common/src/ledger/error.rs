//! Why the ledger could not be asked, and how long it has to answer.

use std::future::Future;
use std::time::Duration;

use redis::{RedisError, RedisResult};

use crate::runtime::timeout::with_timeout;

/// How long one call of the API may take.
const DEADLINE: Duration = Duration::from_secs(1);

/// Why the ledger could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// Redis refused or was not reached.
    #[error("Redis: {0}")]
    Redis(#[from] RedisError),
    /// No answer within a second. The change may or may not have happened.
    #[error("Redis: no answer within {DEADLINE:?}")]
    Deadline,
    /// A script answered what it never should.
    #[error("Redis: an answer that cannot be read")]
    Unreadable,
    /// The code may have been used up by a guess whose answer was lost, and that is being undone; or
    /// too many such guesses are.
    #[error("Redis: the answer to an earlier guess was lost")]
    RollbackPending,
}

/// A Redis that hangs, or is being looked for again, is an error before a client loses patience.
pub(crate) async fn within_deadline<T>(
    call: impl Future<Output = RedisResult<T>>,
) -> Result<T, LedgerError> {
    with_timeout(DEADLINE, LedgerError::Deadline, call).await
}
