//! Where the bytes of pictures are. Their keys are no ids of files, so that nobody takes them for
//! bytes that belong to none.

use super::{FileStorage, StorageError};
use crate::domain::ids::PictureId;

/// Of what a user has put.
#[must_use]
pub fn put_key(id: &PictureId) -> String {
    format!("put-{id}")
}

/// Of what is made of it.
#[must_use]
pub fn made_key(id: &PictureId) -> String {
    format!("picture-{id}.webp")
}

/// Whose key this is, and whether it is of what was put; none where it is no picture's.
#[must_use]
pub fn read_key(key: &str) -> Option<(PictureId, bool)> {
    if let Some(id) = key.strip_prefix("put-") {
        return Some((PictureId::parse(id)?, true));
    }
    let id = key.strip_prefix("picture-")?.strip_suffix(".webp")?;
    Some((PictureId::parse(id)?, false))
}

/// Removes what a user has put.
///
/// # Errors
/// [`StorageError`]; some of it may be gone.
pub async fn remove_put(
    storage: &FileStorage,
    id: &PictureId,
    multipart_id: Option<&str>,
) -> Result<(), StorageError> {
    storage.delete_upload(&put_key(id), multipart_id).await
}
