//! Failures of Redis, logged when they begin and when they are over.

use redis::RedisError;
use tracing::{info, warn};

/// Why Redis did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum QueueError {
    #[error("{0}")]
    Redis(#[from] RedisError),
    #[error("no answer in time")]
    NoAnswer,
}

/// Logs that one kind of work fails when it begins to, and when it succeeds again.
#[derive(Debug)]
pub(crate) struct LogOnChange {
    work: &'static str,
    fails: bool,
}

impl LogOnChange {
    pub(crate) fn new(work: &'static str) -> Self {
        Self { work, fails: false }
    }

    /// Takes the result of an attempt, and logs it when the one before came out differently.
    pub(crate) fn observe<T>(&mut self, result: Result<T, QueueError>) -> Option<T> {
        let failed_before = std::mem::replace(&mut self.fails, result.is_err());
        match &result {
            Ok(_) if failed_before => info!(event = "queue_trouble_over", work = self.work),
            Err(error) if !failed_before => {
                warn!(event = "queue_trouble", work = self.work, %error)
            }
            _ => {}
        }
        result.ok()
    }
}
