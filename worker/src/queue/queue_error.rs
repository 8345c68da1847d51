//! Trouble with Redis, told once: a line when it begins and a line when it is over.

use std::time::Duration;

use redis::{RedisError, RedisResult};
use tracing::{info, warn};

/// Why Redis did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum QueueError {
    #[error("{0}")]
    Redis(#[from] RedisError),
    #[error("no answer in time")]
    NoAnswer,
}

/// Waits for `answer` at most `limit`: while Redis is down, the connection itself waits without end.
pub(crate) async fn within<T>(limit: Duration, answer: impl Future<Output = RedisResult<T>>) -> Result<T, QueueError> {
    match tokio::time::timeout(limit, answer).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(QueueError::NoAnswer),
    }
}

/// Whether one kind of work is in trouble.
#[derive(Debug)]
pub(crate) struct Outage {
    work: &'static str,
    lasts: bool,
}

impl Outage {
    pub(crate) fn new(work: &'static str) -> Self {
        Self { work, lasts: false }
    }

    /// Takes the result of a try, and logs it when it differs in kind from the one before.
    pub(crate) fn note<T>(&mut self, result: Result<T, QueueError>) -> Option<T> {
        match result {
            Ok(value) => {
                if self.lasts {
                    info!(event = "queue_trouble_over", work = self.work);
                }
                self.lasts = false;
                Some(value)
            }
            Err(error) => {
                if !self.lasts {
                    warn!(event = "queue_trouble", work = self.work, %error);
                }
                self.lasts = true;
                None
            }
        }
    }
}
