//! The job: makes the picture of what a user has put; and the removal of pictures that nobody has
//! any more. The database says what is to be done, and a job that is lost is queued again.

use std::sync::Arc;
use std::time::Duration;

use common::accounts::{Accounts, AccountsError, DuePicture, PutPicture};
use common::domain::ids::PictureId;
use common::domain::picture::PictureFault;
use common::files::pictures::{made_key, put_key, remove_put};
use common::files::{FileStorage, StorageError};
use common::ledger::connection::RedisConnection;
use common::queue::job::FileJob;
use common::queue::{NewJob, Queue, enqueue};
use common::runtime::clock::{Clock, millis};
use redis::RedisError;
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;
use tokio::time::sleep;

use super::apart::make_apart;
use crate::warn_once::WarnOnce;

const LOOK_EVERY: Duration = Duration::from_millis(500);
/// For a job and whatever it waits for; one that is lost is queued again after it.
const LEASE: Duration = Duration::from_secs(5 * 60);
const MOST_AT_ONCE: i64 = 8;
/// A picture at which so many jobs have ended without a word is not tried again.
const MOST_ATTEMPTS: i32 = 3;

/// What makes them: one at a time in a worker, because each takes some hundred megabytes.
#[derive(Clone, Debug)]
pub struct PictureMaker {
    pub accounts: Accounts,
    pub storage: FileStorage,
    pub redis: RedisConnection,
    pub clock: Clock,
    pub turn: Arc<Semaphore>,
}

/// Why a job is not done; it is queued again.
#[derive(Debug, thiserror::Error)]
enum NotDone {
    #[error(transparent)]
    Accounts(#[from] AccountsError),
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error(transparent)]
    Redis(#[from] RedisError),
    #[error("the process that makes pictures: {0}")]
    Process(#[from] std::io::Error),
}

impl PictureMaker {
    /// Queues what is to be made, and removes what is to be removed. Never ends.
    pub async fn feed(self) {
        let mut failing = WarnOnce::default();
        loop {
            let done = self.step().await;
            failing.note(&done, |error| tracing::warn!(event = "pictures_not_queued", %error));
            sleep(LOOK_EVERY).await;
        }
    }

    async fn step(&self) -> Result<(), NotDone> {
        let now = self.clock.unix_ms();
        let lease = now + millis(LEASE);
        let due = self.accounts.take_due_pictures(now, lease, MOST_AT_ONCE).await?;
        let jobs = due.into_iter().map(|id| NewJob::now(&FileJob::MakePicture { id, lease }));
        let jobs: Vec<_> = jobs.collect();
        if !jobs.is_empty() {
            enqueue(&mut self.redis.clone(), Queue::Files, &jobs).await?;
        }
        for picture in self.accounts.take_pictures_to_remove(now, lease, MOST_AT_ONCE).await? {
            if let Err(error) = self.remove(&picture).await {
                tracing::warn!(event = "picture_not_removed", picture = picture.id, %error);
            }
        }
        Ok(())
    }

    async fn remove(&self, picture: &DuePicture) -> Result<(), NotDone> {
        if let Some(id) = PictureId::parse(&picture.id) {
            self.storage.delete(&made_key(&id)).await?;
            remove_put(&self.storage, &id, picture.multipart_id.as_deref()).await?;
        }
        Ok(self.accounts.picture_is_gone(picture.serial, self.clock.now()).await?)
    }

    /// Makes one, if nobody else has by now.
    pub(crate) async fn make(&self, id: &str, lease: i64) {
        let Some(id) = PictureId::parse(id) else { return };
        if let Err(error) = self.try_to_make(&id, lease).await {
            tracing::warn!(event = "picture_not_made", %error);
        }
    }

    async fn try_to_make(&self, id: &PictureId, lease: i64) -> Result<(), NotDone> {
        let Ok(_turn) = self.turn.acquire().await else { return Ok(()) };
        let Some(put) = self.accounts.begin_to_make_picture(id, lease).await? else {
            return Ok(());
        };
        let done = self.make_of(id, &put).await;
        if done.is_err() {
            self.accounts.uncount_picture_attempt(&put).await?;
        }
        done
    }

    async fn make_of(&self, id: &PictureId, put: &PutPicture) -> Result<(), NotDone> {
        let user_id = put.user_id;
        match self.made(id, put).await? {
            Ok(picture) => {
                let size = i64::try_from(picture.len()).unwrap_or(i64::MAX);
                let hash = Sha256::digest(&picture).to_vec();
                self.storage.put(&made_key(id), picture.into()).await?;
                let is_kept = self.accounts.keep_picture(put, size, hash, self.clock.now()).await?;
                tracing::info!(event = "picture_made", user_id, size, is_kept);
            }
            Err(fault) => {
                self.accounts.picture_failed(put, fault).await?;
                tracing::info!(event = "picture_failed", user_id, fault = %fault);
            }
        }
        Ok(remove_put(&self.storage, id, put.multipart_id.as_deref()).await?)
    }

    async fn made(
        &self,
        id: &PictureId,
        put: &PutPicture,
    ) -> Result<Result<Vec<u8>, PictureFault>, NotDone> {
        if put.attempts > MOST_ATTEMPTS {
            return Ok(Err(PictureFault::TooCostly));
        }
        let size = u64::try_from(put.put_size).unwrap_or_default();
        match self.storage.read_whole(&put_key(id), size).await {
            Ok(file) => Ok(make_apart(&file).await?),
            Err(StorageError::NotFound) => Ok(Err(PictureFault::Damaged)),
            Err(error) => Err(error.into()),
        }
    }
}
