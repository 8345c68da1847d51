//! The job that tidies up: uploads that were given up, files that were removed, uploads whose last
//! step a crash left out, and bytes that nobody knows of.

use std::collections::HashMap;
use std::time::Duration;

use common::accounts::Leased;
use common::domain::ids::{FileId, LeaseId};
use common::files::pictures::read_key;
use common::files::{FileError, Stored};
use futures_util::TryStreamExt;
use redis::RedisError;

use super::{FileKeeper, SWEEP_LEASE};
use crate::metrics;

/// Rows and keys that are looked at at once.
const STEP: u64 = 100;
/// For which nobody else writes to an upload whose tails are tidied up.
const TAILS_LEASE: Duration = Duration::from_secs(60);
/// All bytes are looked at so often at most.
const LIST_EVERY: Duration = Duration::from_secs(60 * 60);

/// Why something is left for the next sweep.
#[derive(Debug, thiserror::Error)]
enum SweepError {
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
        let now = self.clock.now();
        let limit = i64::try_from(STEP).unwrap_or(i64::MAX);
        loop {
            let expired = self.accounts.remove_expired_files(now, limit).await;
            let expired = expired.map_err(FileError::from)?;
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
            let files = self.accounts.files_to_complete(after, STEP).await;
            let files = files.map_err(FileError::from)?;
            let Some(last) = files.last() else { return Ok(()) };
            after = last.serial;
            for file in &files {
                let now = self.clock.now();
                let completed =
                    common::files::complete(&self.accounts, &self.storage, file, now).await;
                if let Err(error) = completed {
                    tracing::warn!(event = "upload_not_completed", file = file.id, %error);
                }
                self.go_on(sweep).await?;
            }
        }
    }

    /// Files that their users do not have any more.
    async fn remove_files(&self, sweep: &str) -> Result<(), SweepError> {
        let mut after = 0;
        let mut failure = None;
        loop {
            let files = self.accounts.removed_files(after, STEP).await.map_err(FileError::from)?;
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
        let mut all = self.storage.list().map_err(FileError::from).try_chunks(STEP as usize);
        while let Some(stored) = all.try_next().await.map_err(|error| error.1)? {
            let keys = stored.iter().filter_map(|stored| {
                let id = stored.key.strip_prefix("tails/").unwrap_or(&stored.key);
                let id = id.split('/').next().and_then(FileId::parse)?;
                Some((id, &stored.key))
            });
            let keys: Vec<_> = keys.collect();
            let ids: Vec<_> = keys.iter().map(|(id, _)| id.as_str().to_owned()).collect();
            let known = match ids.as_slice() {
                [] => HashMap::new(),
                ids => self.accounts.known_files(ids).await.map_err(FileError::from)?,
            };
            let mut with_tails = HashMap::new();
            for (id, key) in keys {
                match known.get(id.as_str()) {
                    None => {
                        self.storage.delete(key).await.map_err(FileError::from)?;
                        metrics::removed("unknown_bytes", 1);
                        tracing::warn!(event = "unknown_bytes_removed", key);
                    }
                    // Those of files that nobody has any more go with these.
                    Some(Some(user_id)) if key.starts_with("tails/") => {
                        with_tails.insert(id, *user_id);
                    }
                    Some(_) => {}
                }
            }
            self.remove_bytes_of_pictures(&stored).await?;
            for (id, user_id) in with_tails {
                if let Err(error) = self.remove_old_tails(user_id, &id).await {
                    tracing::warn!(event = "tail_not_removed", file = id.as_str(), %error);
                }
            }
            self.go_on(sweep).await?;
        }
        Ok(())
    }

    /// What was put of pictures that are made, and what was made of those that nobody has: the job
    /// that was to remove them ended first, or came too late.
    async fn remove_bytes_of_pictures(&self, stored: &[Stored]) -> Result<(), SweepError> {
        let keys = stored.iter().filter_map(|stored| Some((read_key(&stored.key)?, &stored.key)));
        let keys: Vec<_> = keys.collect();
        if keys.is_empty() {
            return Ok(());
        }
        let ids: Vec<_> = keys.iter().map(|((id, _), _)| id.to_string()).collect();
        let needed = self.accounts.pictures_with_bytes(&ids).await;
        let (put, made) = needed.map_err(FileError::from)?;
        for ((id, is_put), key) in keys {
            let needed = if is_put { &put } else { &made };
            if !needed.contains(id.as_str()) {
                self.storage.delete(key).await.map_err(FileError::from)?;
                metrics::removed("unknown_bytes", 1);
                tracing::warn!(event = "unknown_bytes_removed", key);
            }
        }
        Ok(())
    }

    /// Tails that an upload does not need any more and could not remove, or that a process put and
    /// ended before it said so. The lease keeps others from writing meanwhile.
    async fn remove_old_tails(&self, user_id: i64, id: &FileId) -> Result<(), FileError> {
        let lease = LeaseId::random();
        let leased = self.accounts.lease_file(user_id, id, &lease, TAILS_LEASE, 0).await?;
        let Leased::To(file) = leased else { return Ok(()) };
        let removed = self.storage.delete_old_tails(&file).await;
        self.accounts.end_lease(file.serial, &lease).await?;
        Ok(removed?)
    }
}
