//! The bytes of files: in a folder of this machine, or in an object store (S3, Google Cloud Storage,
//! Azure Blob Storage). What is known of them is in the database (`accounts/files.rs`).
//!
//! The bytes of a file have its id as their key. What has come of a part of an upload
//! to an object store is under `tails/<id>/` until the part is all there. Other keys are for what
//! else is kept, such as pictures.

mod cloud;
mod folder;
mod memory;
mod parts;
pub mod pictures;
#[cfg(test)]
mod tests;
mod upload;
mod writing;

use std::collections::HashMap;
use std::io;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutPayload};
use reqwest::Url;
use time::OffsetDateTime;

use self::cloud::Cloud;
use self::folder::Folder;
pub use self::upload::{SNIFFED_BYTES, Upload, UploadStart, sniff};
use crate::accounts::entities::file;
use crate::accounts::{Accounts, AccountsError};

/// Why bytes could not be kept or read.
#[derive(Debug, strum::IntoStaticStr, thiserror::Error)]
#[strum(serialize_all = "snake_case")]
pub enum StorageError {
    /// No room is left on the disk.
    #[error("file store: no room is left")]
    Full,
    /// Another request writes there.
    #[error("file store: another request writes to the file")]
    Locked,
    /// There are no such bytes.
    #[error("file store: not found")]
    NotFound,
    /// So many uploads wait for the object store that another one would take too much memory.
    #[error("file store: too many uploads at once")]
    Busy,
    /// The object store refuses or cannot be reached, or the folder cannot be used.
    #[error("file store: {0}")]
    Unavailable(String),
}

impl From<io::Error> for StorageError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
            | io::ErrorKind::FileTooLarge => Self::Full,
            io::ErrorKind::NotFound => Self::NotFound,
            io::ErrorKind::ResourceBusy => Self::Locked,
            _ => Self::Unavailable(error.to_string()),
        }
    }
}

impl From<object_store::Error> for StorageError {
    fn from(error: object_store::Error) -> Self {
        let mut cause: Option<&dyn std::error::Error> = Some(&error);
        while let Some(error) = cause {
            if let Some(io) = error.downcast_ref::<io::Error>()
                && io.kind() == io::ErrorKind::StorageFull
            {
                return Self::Full;
            }
            cause = error.source();
        }
        match error {
            object_store::Error::NotFound { .. } => Self::NotFound,
            error => Self::Unavailable(error.to_string()),
        }
    }
}

/// Where the bytes are. Clones share it.
#[derive(Clone, Debug)]
pub struct FileStorage(Arc<Store>);

#[derive(Debug)]
enum Store {
    Folder(Folder),
    Cloud(Cloud),
}

/// What is kept under a key.
#[derive(Clone, Debug)]
pub struct Stored {
    pub key: String,
    /// In bytes.
    pub size: u64,
}

/// Why a file is not as it should be yet; a sweep tries again.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    #[error(transparent)]
    Accounts(#[from] AccountsError),
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// Puts a file whose bytes are all kept where they stay, and says so. It may be done already.
///
/// # Errors
/// [`FileError`]; it may be done all the same.
pub async fn complete(
    accounts: &Accounts,
    storage: &FileStorage,
    file: &file::Model,
    now: OffsetDateTime,
) -> Result<(), FileError> {
    let parts = match &file.multipart_id {
        Some(_) => accounts.file_parts(file.serial).await?,
        None => Vec::new(),
    };
    let size = u64::try_from(file.size).unwrap_or_default();
    storage.complete(&file.id, size, file.multipart_id.as_deref(), parts).await?;
    if accounts.complete_file(file.serial, now).await? {
        tracing::info!(event = "file_kept", file = file.id, user_id = file.user_id, size);
    }
    Ok(())
}

/// Removes the bytes of a file that was taken from its user, and then forgets it.
///
/// # Errors
/// [`FileError`]; a sweep removes what is left.
pub async fn remove(
    accounts: &Accounts,
    storage: &FileStorage,
    file: &file::Model,
) -> Result<(), FileError> {
    storage.delete_upload(&file.id, file.multipart_id.as_deref()).await?;
    accounts.forget_file(file.serial).await?;
    tracing::info!(event = "file_removed", file = file.id);
    Ok(())
}

impl FileStorage {
    /// A folder, which is made where there is none.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn folder(root: PathBuf) -> Result<Self, StorageError> {
        Ok(Self(Arc::new(Store::Folder(Folder::open(root)?))))
    }

    /// The bucket or container of a URL, reached as the environment says (`AWS_…`, `GOOGLE_…`,
    /// `AZURE_…`). Nothing is asked yet.
    ///
    /// # Errors
    /// A URL or a variable of the environment that cannot be read.
    pub fn cloud(url: &Url) -> Result<Self, StorageError> {
        Ok(Self(Arc::new(Store::Cloud(Cloud::open(url)?))))
    }

    /// The bytes of `range` under a key, as a stream.
    ///
    /// # Errors
    /// [`StorageError::NotFound`] and others; what fails later is an error in the stream.
    pub async fn read(
        &self,
        key: &str,
        range: Range<u64>,
    ) -> Result<BoxStream<'static, io::Result<Bytes>>, StorageError> {
        match &*self.0 {
            Store::Folder(folder) => Ok(folder.read(key, range).await?.boxed()),
            Store::Cloud(cloud) => cloud.read(&self.path(key), range).await,
        }
    }

    /// All bytes under a key, `most` at most.
    ///
    /// # Errors
    /// [`StorageError`]; there are more.
    pub async fn read_whole(&self, key: &str, most: u64) -> Result<Bytes, StorageError> {
        let size = self.size(key).await?.ok_or(StorageError::NotFound)?;
        if size > most {
            return Err(StorageError::Unavailable(format!("{size} bytes, more than {most}")));
        }
        let chunks: Vec<_> = self.read(key, 0..size).await?.try_collect().await?;
        Ok(chunks.concat().into())
    }

    /// How many bytes there are under a key; none where there is nothing.
    ///
    /// # Errors
    /// [`StorageError`].
    pub async fn size(&self, key: &str) -> Result<Option<u64>, StorageError> {
        match self.store().head(&self.path(key)).await {
            Ok(meta) => Ok(Some(meta.size)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Keeps something small, in place of what is there. Whoever reads meanwhile reads one of the
    /// two.
    ///
    /// # Errors
    /// [`StorageError`]; it may be kept all the same.
    pub async fn put(&self, key: &str, bytes: PutPayload) -> Result<(), StorageError> {
        self.store().put(&self.path(key), bytes).await?;
        Ok(())
    }

    /// Removes what is under a key, if there is anything.
    ///
    /// # Errors
    /// [`StorageError`]; it may be gone all the same.
    pub async fn delete(&self, key: &str) -> Result<(), StorageError> {
        match self.store().delete(&self.path(key)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Removes all that an upload has left: its bytes, its tails, and the multipart upload that it
    /// began.
    ///
    /// # Errors
    /// [`StorageError`]; some of it may be gone.
    pub async fn delete_upload(
        &self,
        id: &str,
        multipart_id: Option<&str>,
    ) -> Result<(), StorageError> {
        if let Store::Cloud(cloud) = &*self.0 {
            if let Some(multipart_id) = multipart_id {
                cloud.abort(&self.path(id), multipart_id).await?;
            }
            self.delete_tails(id).await?;
        }
        self.delete(id).await
    }

    async fn delete_tails(&self, id: &str) -> Result<(), StorageError> {
        let tails = self.store().list(Some(&self.path(&format!("tails/{id}"))));
        self.delete_each(tails.map_ok(|tail| tail.location).boxed()).await
    }

    async fn delete_all(&self, keys: Vec<String>) -> Result<(), StorageError> {
        let paths: Vec<_> = keys.iter().map(|key| Ok(self.path(key))).collect();
        self.delete_each(futures_util::stream::iter(paths).boxed()).await
    }

    async fn delete_each(
        &self,
        paths: BoxStream<'static, object_store::Result<Path>>,
    ) -> Result<(), StorageError> {
        let mut deleted = self.store().delete_stream(paths);
        while let Some(one) = deleted.next().await {
            match one {
                Ok(_) | Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// How long the tails are, in their order, that have the last `tail` of the first `received`
    /// bytes of an upload; and the keys of others, which it has left behind.
    async fn tails(
        &self,
        id: &str,
        received: u64,
        tail: u64,
    ) -> Result<(Vec<u64>, Vec<String>), StorageError> {
        let mut listed = self.store().list(Some(&self.path(&format!("tails/{id}"))));
        let mut by_end = HashMap::new();
        while let Some(tail) = listed.try_next().await? {
            if let Some(end) = tail.location.filename().and_then(|end| end.parse::<u64>().ok()) {
                by_end.insert(end, tail.size);
            }
        }
        let (mut end, mut left, mut lengths) = (received, tail, Vec::new());
        while left > 0 {
            let length = by_end.remove(&end).filter(|length| (1..=left).contains(length));
            let length = length.ok_or(StorageError::NotFound)?;
            (end, left) = (end - length, left - length);
            lengths.push(length);
        }
        lengths.reverse();
        Ok((lengths, by_end.into_keys().map(|end| tail_key(id, end)).collect()))
    }

    /// Removes tails that an upload has left behind. Nobody may write to it meanwhile.
    ///
    /// # Errors
    /// [`StorageError`]; some of it may be gone.
    pub async fn delete_old_tails(&self, file: &file::Model) -> Result<(), StorageError> {
        let unsigned = |number: i64| u64::try_from(number).unwrap_or_default();
        let (received, tail) = (unsigned(file.received), unsigned(file.tail));
        let (_, others) = self.tails(&file.id, received, tail).await?;
        self.delete_all(others).await
    }

    /// All that is kept, in no order.
    pub fn list(&self) -> BoxStream<'_, Result<Stored, StorageError>> {
        let prefix = self.prefix().clone();
        let all = self.store().list(Some(&prefix)).map(move |meta| {
            let meta = meta?;
            let parts = meta.location.prefix_match(&prefix).into_iter().flatten();
            let key = parts.map(|part| part.as_ref().to_owned()).collect::<Vec<_>>().join("/");
            Ok(Stored { key, size: meta.size })
        });
        all.boxed()
    }

    /// A URL by which anybody gets the bytes under a key within that time, with these headers in the
    /// answer; none where the store has no such URLs, or none that set headers.
    ///
    /// # Errors
    /// [`StorageError`].
    pub async fn presigned_get(
        &self,
        key: &str,
        life: Duration,
        content_type: &str,
        content_disposition: &str,
    ) -> Result<Option<Url>, StorageError> {
        match &*self.0 {
            Store::Folder(_) => Ok(None),
            Store::Cloud(cloud) => {
                let path = self.path(key);
                cloud.presigned_get(&path, life, content_type, content_disposition).await
            }
        }
    }

    /// Goes on with an upload.
    ///
    /// # Errors
    /// [`StorageError`]; what is said to be kept may be gone.
    pub async fn upload(&self, start: UploadStart) -> Result<Upload, StorageError> {
        match &*self.0 {
            Store::Folder(folder) => Upload::in_folder(folder, start).await,
            Store::Cloud(_) => Upload::in_cloud(self.clone(), start).await,
        }
    }

    /// Puts an upload whose bytes are all kept where they stay. It may be done already.
    ///
    /// # Errors
    /// [`StorageError`]; it may be done all the same.
    pub async fn complete(
        &self,
        id: &str,
        size: u64,
        multipart_id: Option<&str>,
        parts: Vec<String>,
    ) -> Result<(), StorageError> {
        if let (Store::Cloud(cloud), Some(multipart_id)) = (&*self.0, multipart_id) {
            let completed = cloud.complete(&self.path(id), multipart_id, parts).await;
            if let Err(error) = completed {
                // Where it was completed before, the store knows it no more.
                return match self.size(id).await {
                    Ok(Some(kept)) if kept == size => Ok(()),
                    _ => Err(error),
                };
            }
        }
        match self.size(id).await? {
            Some(kept) if kept == size => Ok(()),
            _ => Err(StorageError::NotFound),
        }
    }

    fn store(&self) -> &dyn ObjectStore {
        match &*self.0 {
            Store::Folder(folder) => folder.store(),
            Store::Cloud(cloud) => cloud.store(),
        }
    }

    fn prefix(&self) -> &Path {
        static NONE: std::sync::LazyLock<Path> = std::sync::LazyLock::new(Path::default);
        match &*self.0 {
            Store::Folder(_) => &NONE,
            Store::Cloud(cloud) => cloud.prefix(),
        }
    }

    fn path(&self, key: &str) -> Path {
        let key = Path::from(key);
        self.prefix().parts().chain(key.parts()).collect()
    }
}

/// Where a tail of an upload ends is in its name: a request that lost its lease cannot put another
/// one in its place.
fn tail_key(id: &str, end: u64) -> String {
    format!("tails/{id}/{end}")
}
