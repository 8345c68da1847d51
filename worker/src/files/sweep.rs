//! The job that tidies up: uploads that were given up, files that were removed, uploads whose last
//! step a crash left out, and bytes that nobody knows of.

use std::time::Duration;

use common::accounts::entities::file;
use common::accounts::{Accounts, AccountsError};
use common::domain::ids::FileId;
use common::files::{FileError, StorageError};
use futures_util::TryStreamExt;
use redis::RedisError;

use super::{FileKeeper, SWEEP_LEASE};
use crate::metrics;

/// Rows and keys that are looked at at once.
const STEP: u64 = 100;
/// All bytes are looked at so often at most.
const LIST_EVERY: Duration = Duration::from_secs(60 * 60);

/// Why something is left for the next sweep.
#[derive(Debug, thiserror::Error)]
enum SweepError {
    #[error(transparent)]
    Accounts(#[from] AccountsError),
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error(transparent)]
    File(#[from] FileError),
    #[error(transparent)]
    Redis(#[from] RedisError),
    #[error("another sweep has begun")]
    Replaced,
}

impl FileKeeper {
    pub(super) async fn sweep(&self, sweep: &str) {
        match self.try_to_sweep(sweep).await {
            Ok(()) | Err(SweepError::Replaced) => {}
            Err(error) => tracing::warn!(event = "files_not_swept", %error),
        }
        // Another one begins after a pause.
        let _ = self.sweeps.prolong(sweep, self.sweep_every).await;
    }

    async fn try_to_sweep(&self, sweep: &str) -> Result<(), SweepError> {
        self.go_on(sweep).await?;
        let (now, now_ms) = (self.clock.now(), self.clock.unix_ms());
        let limit = i64::try_from(STEP).unwrap_or(i64::MAX);
        loop {
            let expired = self.accounts.remove_expired_files(now, now_ms, limit).await?;
            if expired == 0 {
                break;
            }
            tracing::info!(event = "uploads_expired", expired);
            self.go_on(sweep).await?;
        }
        self.complete_files(sweep).await?;
        self.remove_files(sweep).await?;
        if self.sweeps.begin_listing(LIST_EVERY.min(self.expiry / 2)).await?
            && let Err(error) = self.remove_unknown_bytes(sweep).await
        {
            self.sweeps.listing_failed().await?;
            return Err(error);
        }
        Ok(())
    }

    /// # Errors
    /// Another sweep has the turn.
    async fn go_on(&self, sweep: &str) -> Result<(), SweepError> {
        match self.sweeps.prolong(sweep, SWEEP_LEASE).await? {
            true => Ok(()),
            false => Err(SweepError::Replaced),
        }
    }

    /// Uploads whose bytes are all kept, and whose process ended before it said so.
    async fn complete_files(&self, sweep: &str) -> Result<(), SweepError> {
        let mut after = 0;
        loop {
            let now = self.clock.unix_ms();
            let files = self.accounts.files_to_complete(after, now, STEP).await?;
            let Some(last) = files.last() else { return Ok(()) };
            after = last.serial;
            for file in &files {
                if let Err(error) = self.complete(file).await {
                    tracing::warn!(event = "upload_not_completed", file = file.id, %error);
                }
                self.go_on(sweep).await?;
            }
        }
    }

    async fn complete(&self, file: &file::Model) -> Result<(), SweepError> {
        common::files::complete(&self.accounts, &self.storage, file, self.clock.now()).await?;
        Ok(())
    }

    /// Files that their users do not have any more.
    async fn remove_files(&self, sweep: &str) -> Result<(), SweepError> {
        let mut after = 0;
        let mut failure = None;
        loop {
            let now = self.clock.unix_ms();
            let files = self.accounts.removed_files(after, now, STEP).await?;
            let Some(last) = files.last() else { break };
            after = last.serial;
            for file in &files {
                match common::files::remove(&self.accounts, &self.storage, file).await {
                    Ok(()) => metrics::removed("files", 1),
                    // The others are tried all the same.
                    Err(error) => failure = Some(error),
                }
                self.go_on(sweep).await?;
            }
        }
        failure.map_or(Ok(()), |error| Err(error.into()))
    }

    /// Bytes of files that the database does not know: a process went on writing after the file was
    /// removed, or the database is an older one.
    async fn remove_unknown_bytes(&self, sweep: &str) -> Result<(), SweepError> {
        let mut all = self.storage.list().map_err(SweepError::from).try_chunks(STEP as usize);
        while let Some(stored) = all.try_next().await.map_err(|error| error.1)? {
            let keys = stored.iter().filter_map(|stored| {
                let id = stored.key.strip_prefix("tails/").unwrap_or(&stored.key);
                let id = id.split('/').next().and_then(FileId::parse)?;
                Some((id, &stored.key))
            });
            let keys: Vec<_> = keys.collect();
            let ids: Vec<_> = keys.iter().map(|(id, _)| id.as_str().to_owned()).collect();
            let known = known(&self.accounts, &ids).await?;
            for (id, key) in keys {
                if !known.contains(id.as_str()) {
                    self.storage.delete(key).await?;
                    metrics::removed("unknown_bytes", 1);
                    tracing::warn!(event = "unknown_bytes_removed", key);
                }
            }
            self.go_on(sweep).await?;
        }
        Ok(())
    }
}

async fn known(
    accounts: &Accounts,
    ids: &[String],
) -> Result<std::collections::HashSet<String>, AccountsError> {
    if ids.is_empty() { Ok(Default::default()) } else { accounts.known_files(ids).await }
}
