//! Pictures of users: taking what they put. A worker makes the picture of it.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use common::accounts::{PictureToPut, PutBegun};
use common::domain::client::Client;
use common::domain::ids::PictureId;
use common::files::{StorageError, UploadStart, pictures, sniff};
use common::runtime::clock::millis;
use futures_util::{Stream, TryStreamExt};

use super::uploads::UploadError;
use crate::service::sessions::CurrentUser;
use crate::state::AppState;

/// Types that a picture is made of, as the first bytes tell them.
const TAKEN: [&str; 3] = ["image/jpeg", "image/png", "image/webp"];
/// Bytes that tell one of them.
const HEAD: usize = 16;
/// What was put is given up when its request has not ended by then.
const PUT_WITHIN: Duration = Duration::from_secs(24 * 60 * 60);

/// How large what is put may be, and how often.
#[derive(Clone, Copy, Debug)]
pub struct PictureTerms {
    /// In bytes.
    pub most_bytes: u64,
    /// Of a user; 0 is no limit.
    pub most_in_an_hour: u32,
}

/// Why a picture is not taken.
#[derive(Debug, thiserror::Error)]
pub enum PictureError {
    #[error("it has too many bytes")]
    TooLarge,
    #[error("it is no picture")]
    NotAPicture,
    #[error("too many within an hour")]
    TooOften(Duration),
    #[error(transparent)]
    Upload(#[from] UploadError),
}

impl From<StorageError> for PictureError {
    fn from(error: StorageError) -> Self {
        Self::Upload(error.into())
    }
}

impl From<common::accounts::AccountsError> for PictureError {
    fn from(error: common::accounts::AccountsError) -> Self {
        Self::Upload(error.into())
    }
}

/// Takes the bytes of a picture, `length` of them where that is announced. Nothing is read of what is
/// refused by its announcement, and little of what is no picture.
///
/// # Errors
/// [`PictureError`].
pub(crate) async fn put<S>(
    state: &AppState,
    current: &CurrentUser,
    client: &Client,
    length: Option<u64>,
    chunks: impl FnOnce() -> S + Send,
) -> Result<(), PictureError>
where
    S: Stream<Item = io::Result<Bytes>> + Send + Unpin,
{
    state.files.storage()?;
    let terms = state.files.picture_terms;
    if length.is_some_and(|length| length > terms.most_bytes) {
        return Err(PictureError::TooLarge);
    }
    let (id, user_id) = (PictureId::random(), current.user.id);
    let new = PictureToPut {
        user_id,
        id: &id,
        session: &current.session.id,
        client,
        most: terms.most_in_an_hour,
        until: state.clock.unix_ms() + millis(PUT_WITHIN),
    };
    match state.accounts.begin_picture(&new, state.clock.now()).await? {
        PutBegun::Done => {}
        PutBegun::TooOften(wait) => return Err(PictureError::TooOften(wait)),
        PutBegun::NoUser => return Err(UploadError::NoUser.into()),
    }
    let received = receive(state, user_id, &id, length, chunks()).await;
    let now = state.clock.unix_ms();
    let size = match received {
        Ok(size) => i64::try_from(size).unwrap_or(i64::MAX),
        Err(error) => {
            if let Err(error) = state.accounts.give_picture_up(&id, now).await {
                tracing::warn!(event = "picture_not_given_up", user_id, %error);
            }
            return Err(error);
        }
    };
    if !state.accounts.picture_was_put(user_id, &id, size, now).await? {
        return Err(UploadError::NoUser.into());
    }
    tracing::info!(event = "picture_put", user_id, size);
    Ok(())
}

/// Keeps the bytes; says how many there are.
async fn receive<S>(
    state: &AppState,
    user_id: i64,
    id: &PictureId,
    length: Option<u64>,
    mut chunks: S,
) -> Result<u64, PictureError>
where
    S: Stream<Item = io::Result<Bytes>> + Send + Unpin,
{
    let storage = state.files.storage()?;
    let most = length.unwrap_or(state.files.picture_terms.most_bytes);
    let key = pictures::put_key(id);
    let mut head = Vec::new();
    let mut begun = None;
    while let Some(chunk) = chunks.try_next().await.map_err(broken)? {
        // Nothing is kept before it is known to be a picture.
        let Some(upload) = &mut begun else {
            head.extend_from_slice(&chunk);
            if head.len() < HEAD {
                continue;
            }
            if !TAKEN.contains(&sniff(&head)) {
                return Err(PictureError::NotAPicture);
            }
            let start = UploadStart::new(key.clone(), user_id, most);
            let mut upload = storage.upload(start).await?;
            if upload.begin().await?
                && let Some(multipart_id) = upload.checkpoint(false).await?.multipart_id
            {
                state.accounts.note_multipart_picture(id, &multipart_id).await?;
            }
            if head.len() as u64 > most {
                return Err(PictureError::TooLarge);
            }
            upload.push(&std::mem::take(&mut head)).await?;
            begun = Some(upload);
            continue;
        };
        if chunk.len() as u64 > upload.missing() {
            return Err(PictureError::TooLarge);
        }
        upload.push(&chunk).await?;
    }
    let mut upload = begun.ok_or(PictureError::NotAPicture)?;
    if length.is_some() && upload.missing() > 0 {
        return Err(UploadError::BrokenOff.into());
    }
    upload.shorten().await?;
    let size = upload.position();
    let progress = upload.checkpoint(true).await?;
    let parts = progress.parts.into_iter().map(|(_, part)| part).collect();
    storage.complete(&key, size, progress.multipart_id.as_deref(), parts).await?;
    Ok(size)
}

fn broken(error: io::Error) -> PictureError {
    match error.kind() {
        io::ErrorKind::TimedOut => UploadError::TooSlow.into(),
        _ => UploadError::BrokenOff.into(),
    }
}
