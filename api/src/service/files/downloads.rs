//! Handing out the bytes of files.

use std::io;
use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;
use common::accounts::entities::file;
use common::accounts::{AccountsError, LinkedFile};
use common::domain::ids::FileId;
use common::domain::token::Token;
use common::files::StorageError;
use futures_util::stream::BoxStream;
use reqwest::Url;

use crate::state::AppState;

/// How long a URL of the object store is good. A download that has begun by then goes on.
const URL_LIFE: Duration = Duration::from_secs(60);

/// Where bytes come from.
pub enum Source {
    Stream(BoxStream<'static, io::Result<Bytes>>),
    /// The object store hands them out itself.
    Elsewhere(Url),
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Source(…)")
    }
}

/// Where the bytes of a complete file are. Of an object store that can say type and disposition
/// itself the URL of the whole, whatever is wanted: it knows ranges too.
///
/// # Errors
/// [`StorageError`].
pub async fn open(
    state: &AppState,
    file: &file::Model,
    range: Range<u64>,
    media_type: &str,
    disposition: &str,
) -> Result<Source, StorageError> {
    let storage = state.files.storage.as_ref().ok_or(StorageError::NotFound)?;
    let url = storage.presigned_get(&file.id, URL_LIFE, media_type, disposition).await?;
    match url {
        Some(url) => Ok(Source::Elsewhere(url)),
        None => Ok(Source::Stream(storage.read(&file.id, range).await?)),
    }
}

/// Looks whether the bytes of a complete file can be had, which a URL of the object store does not
/// tell.
///
/// # Errors
/// [`StorageError`].
pub async fn find_bytes(state: &AppState, file: &file::Model) -> Result<(), StorageError> {
    let storage = state.files.storage.as_ref().ok_or(StorageError::NotFound)?;
    storage.size(&file.id).await?.map(|_| ()).ok_or(StorageError::NotFound)
}

/// A file that all bytes of are kept; none where the user has no such file.
///
/// # Errors
/// [`AccountsError`].
pub async fn find(
    state: &AppState,
    user_id: i64,
    id: &FileId,
) -> Result<Option<file::Model>, AccountsError> {
    let file = state.accounts.file(user_id, id).await?;
    Ok(file.filter(|file| file.completed_at.is_some()))
}

/// Removes a file of a user, complete or not, with its bytes. Says whether there was one.
///
/// # Errors
/// [`AccountsError`]; it may be removed all the same.
pub async fn remove(state: &AppState, user_id: i64, id: &FileId) -> Result<bool, AccountsError> {
    let Some(file) = state.accounts.remove_file(user_id, id).await? else { return Ok(false) };
    let Some(storage) = state.files.storage.clone() else { return Ok(true) };
    // Whoever still writes to it is waited for by the sweep.
    if !state.accounts.is_leased(&file).await.unwrap_or(true) {
        let accounts = state.accounts.clone();
        tokio::spawn(async move {
            let removed = common::files::remove(&accounts, &storage, &file).await;
            if let Err(error) = removed {
                tracing::warn!(event = "bytes_not_removed", file = file.id, %error);
            }
        });
    }
    Ok(true)
}

/// The file that a link leads to now. Nothing is counted.
///
/// # Errors
/// [`AccountsError`].
pub async fn find_linked(
    state: &AppState,
    link: &Token,
) -> Result<Option<LinkedFile>, AccountsError> {
    state.accounts.linked_file(&link.hash(), state.clock.now()).await
}
