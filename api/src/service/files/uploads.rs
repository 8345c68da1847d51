//! Uploads: announcing a file, writing to it, and knowing how far it has come.
//!
//! What is written down is never more than what would outlive a crash. A request that is cut off,
//! for whatever reason, leaves what came until then.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use common::accounts::entities::file;
use common::accounts::{Created, Leased, NewFile};
use common::domain::file_name::FileName;
use common::domain::ids::{FileId, LeaseId};
use common::files::{FileError, FileStorage, StorageError, Upload, UploadStart};
use futures_util::{Stream, TryStreamExt};
use tokio::time::{MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::Files;
use crate::metrics;
use crate::state::AppState;

/// For how long the right to write outlives the last sign of life of its holder.
const LEASE: Duration = Duration::from_secs(12);
const PROLONG_EVERY: Duration = Duration::from_secs(4);
/// What came is made durable and written down so often.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(5);

/// Bytes of the largest object that S3 keeps; no other store takes more.
const MOST_BYTES: i64 = 5 << 40;

/// When uploads end because the process does: so long after the stop.
#[derive(Clone, Debug)]
pub struct UploadEnd {
    pub stop: CancellationToken,
    pub delay: Duration,
}

impl UploadEnd {
    async fn comes(&self) {
        self.stop.cancelled().await;
        sleep(self.delay).await;
    }
}

/// Why an upload is refused, or has not gone on.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    #[error("there are no files")]
    Off,
    #[error("the file is too large")]
    TooLarge,
    #[error("the user has too many files")]
    TooManyFiles,
    #[error("the user has no room")]
    NoRoom,
    #[error("the user is gone")]
    NoUser,
    #[error("files of this type are not taken")]
    NotAllowed,
    #[error("the user has no such file")]
    Unknown,
    #[error("it has expired")]
    Expired,
    #[error("another request writes to it")]
    Locked,
    #[error("the user writes to too many files")]
    TooMany,
    #[error("it is at another offset")]
    WrongOffset,
    #[error("there are more bytes than were announced")]
    TooManyBytes,
    #[error("the bytes do not fit the checksum")]
    ChecksumMismatch,
    #[error("the bytes came too slowly")]
    TooSlow,
    #[error("the bytes broke off")]
    BrokenOff,
    #[error("the process stops")]
    Stopping,
    #[error(transparent)]
    File(#[from] FileError),
}

impl From<StorageError> for UploadError {
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::Locked => Self::Locked,
            error => Self::File(error.into()),
        }
    }
}

impl From<common::accounts::AccountsError> for UploadError {
    fn from(error: common::accounts::AccountsError) -> Self {
        Self::File(error.into())
    }
}

/// What is announced of a file.
#[derive(Clone, Debug)]
pub struct Announcement {
    pub name: FileName,
    /// A media type, as the client tells it.
    pub declared_type: Option<String>,
    /// In bytes.
    pub size: u64,
    pub ends: UploadEnds,
}

/// When an upload is given up that stands still.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum UploadEnds {
    /// Other requests may go on with it, for `UPLOAD_EXPIRY_HOURS`.
    WhenItExpires,
    /// With its only request, or soon after the process that had it.
    WithItsRequest,
}

impl UploadEnds {
    fn after(self, files: &Files) -> Duration {
        match self {
            Self::WhenItExpires => files.expiry,
            Self::WithItsRequest => LEASE,
        }
    }
}

/// Something that all bytes of a request are checked by.
pub(crate) trait BytesCheck: Send {
    fn update(&mut self, bytes: &[u8]);
    fn fits(self: Box<Self>) -> bool;
}

/// How a request writes.
pub(crate) struct Writing {
    pub(crate) user_id: i64,
    pub(crate) id: FileId,
    /// Where its bytes belong, in the file.
    pub(crate) offset: u64,
    /// All of its bytes count, or none.
    pub(crate) check: Option<Box<dyn BytesCheck>>,
    /// The file ends where the bytes do.
    pub(crate) is_whole: bool,
    pub(crate) ends: UploadEnds,
}

impl Files {
    /// # Errors
    /// There are none.
    pub(crate) fn storage(&self) -> Result<&FileStorage, UploadError> {
        self.storage.as_ref().ok_or(UploadError::Off)
    }
}

/// Announces a file, whose bytes may then come.
///
/// # Errors
/// [`UploadError`].
pub async fn announce(
    state: &AppState,
    user_id: i64,
    file: Announcement,
) -> Result<file::Model, UploadError> {
    let size = check(state, &file)?;
    let files = &state.files;
    let (id, now) = (FileId::random(), state.clock.now());
    let new = NewFile {
        id: &id,
        user_id,
        name: &file.name,
        declared_type: file.declared_type.as_deref(),
        size,
        expires_at: now + file.ends.after(files),
    };
    match state.accounts.create_file(&new, files.room, now).await? {
        Created::Done => {}
        Created::TooMany => return Err(UploadError::TooManyFiles),
        Created::NoRoom => return Err(UploadError::NoRoom),
        Created::NoUser => return Err(UploadError::NoUser),
    }
    tracing::info!(event = "upload_announced", file = %id, user_id, size);
    state.accounts.file(user_id, &id).await?.ok_or(UploadError::Unknown)
}

/// Whether a file may be announced, but for what its user has already. Says its bytes.
///
/// # Errors
/// [`UploadError`].
pub(crate) fn check(state: &AppState, file: &Announcement) -> Result<i64, UploadError> {
    let files = &state.files;
    files.storage()?;
    let size = i64::try_from(file.size).map_err(|_| UploadError::TooLarge)?;
    if size > MOST_BYTES || files.most_bytes > 0 && size > files.most_bytes {
        return Err(UploadError::TooLarge);
    }
    if file.declared_type.as_deref().is_some_and(|told| !is_allowed(files, told)) {
        return Err(UploadError::NotAllowed);
    }
    Ok(size)
}

/// A client that tells nothing but bytes, or as curl does that of a form, is believed when they are there.
fn is_allowed(files: &Files, declared: &str) -> bool {
    const NOTHING_TOLD: [&str; 2] =
        ["application/octet-stream", "application/x-www-form-urlencoded"];
    NOTHING_TOLD.contains(&declared) || files.kinds.allow(declared)
}

/// A file of a user, as far as it has come. What a crash left out at its end is made up for.
///
/// # Errors
/// [`UploadError`].
pub async fn status(
    state: &AppState,
    user_id: i64,
    id: &FileId,
) -> Result<file::Model, UploadError> {
    let storage = state.files.storage()?;
    let file = state.accounts.file(user_id, id).await?.ok_or(UploadError::Unknown)?;
    if file.completed_at.is_some() {
        return Ok(file);
    }
    let is_leased = state.accounts.is_leased(&file).await?;
    if file.received == file.size && file.sha256.is_some() {
        if !is_leased {
            common::files::complete(&state.accounts, storage, &file, state.clock.now()).await?;
        }
    } else if file.expires_at <= state.clock.now() && !is_leased {
        return Err(UploadError::Expired);
    }
    Ok(file)
}

/// Writes the bytes of a request to a file of a user; says how far it has come. It is complete once
/// all bytes are there.
///
/// # Errors
/// [`UploadError`]. What came until then is kept where there is no check of all bytes.
pub(crate) async fn write<S>(
    state: &Arc<AppState>,
    writing: Writing,
    chunks: S,
) -> Result<file::Model, UploadError>
where
    S: Stream<Item = io::Result<Bytes>> + Send + Unpin,
{
    let storage = state.files.storage()?;
    let lease = LeaseId::random();
    let (user_id, most) = (writing.user_id, state.files.at_once);
    let leased = state.accounts.lease_file(user_id, &writing.id, &lease, LEASE, most).await?;
    let file = match leased {
        Leased::To(file) => *file,
        Leased::Locked => return Err(UploadError::Locked),
        Leased::TooMany => return Err(UploadError::TooMany),
        Leased::Unknown => return Err(UploadError::Unknown),
    };
    let (serial, id) = (file.serial, writing.id.clone());
    let mut writer = Writer { state, storage, file, lease, ends: writing.ends };
    let written = writer.write(writing, chunks).await;
    if let Err(error) = state.accounts.end_lease(serial, &writer.lease).await {
        tracing::warn!(event = "lease_not_ended", file = %id, %error);
    }
    match written {
        Ok(()) => Ok(writer.file),
        Err(UploadError::NotAllowed) => {
            remove(state, user_id, &id).await;
            Err(UploadError::NotAllowed)
        }
        Err(error) => Err(error),
    }
}

/// Removes what a user cannot make use of any more. Where that fails, a sweep does it.
pub(crate) async fn remove(state: &AppState, user_id: i64, id: &FileId) {
    let removed = async {
        let storage = state.files.storage()?;
        if let Some(file) = state.accounts.remove_file(user_id, id).await? {
            common::files::remove(&state.accounts, storage, &file).await?;
        }
        Ok::<_, UploadError>(())
    };
    if let Err(error) = removed.await {
        tracing::warn!(event = "file_not_removed", file = %id, %error);
    }
}

/// A request that has the right to write to a file.
struct Writer<'a> {
    state: &'a Arc<AppState>,
    storage: &'a FileStorage,
    file: file::Model,
    lease: LeaseId,
    ends: UploadEnds,
}

impl Writer<'_> {
    async fn write<S>(&mut self, writing: Writing, chunks: S) -> Result<(), UploadError>
    where
        S: Stream<Item = io::Result<Bytes>> + Send + Unpin,
    {
        let Writing { offset, check, is_whole, .. } = writing;
        let received = u64::try_from(self.file.received).unwrap_or_default();
        if self.file.completed_at.is_none() && self.file.expires_at <= self.state.clock.now() {
            return Err(UploadError::Expired);
        }
        if offset != received {
            return Err(UploadError::WrongOffset);
        }
        if self.file.received == self.file.size && self.file.sha256.is_some() {
            return self.complete().await;
        }
        let lost = CancellationToken::new();
        let _prolonging = AbortOnDropHandle::new(tokio::spawn(prolong(
            Arc::clone(self.state),
            self.file.serial,
            self.lease.clone(),
            lost.clone(),
        )));
        let mut upload = self.storage.upload(UploadStart::from(&self.file)).await?;
        if upload.begin().await? {
            self.keep(&mut upload, false).await?;
        }
        let pushed = self.push(&mut upload, chunks, check, is_whole, &lost).await;
        match &pushed {
            // Another request may be writing by now; or what came was written down after all.
            Err(UploadError::Locked | UploadError::File(FileError::Accounts(_))) => return pushed,
            Err(UploadError::File(_) | UploadError::ChecksumMismatch | UploadError::NotAllowed) => {
                upload.discard().await;
                return pushed;
            }
            // Also what broke off is kept.
            _ => {}
        }
        match self.keep(&mut upload, true).await {
            Ok(()) => {}
            Err(error @ (UploadError::Locked | UploadError::File(FileError::Accounts(_)))) => {
                return Err(error);
            }
            Err(error) => {
                upload.discard().await;
                return Err(error);
            }
        }
        if self.file.received == self.file.size {
            self.complete().await?;
        }
        pushed
    }

    /// Takes the bytes as they come.
    async fn push<S>(
        &mut self,
        upload: &mut Upload,
        mut chunks: S,
        mut check: Option<Box<dyn BytesCheck>>,
        is_whole: bool,
        lost: &CancellationToken,
    ) -> Result<(), UploadError>
    where
        S: Stream<Item = io::Result<Bytes>> + Send + Unpin,
    {
        let state = Arc::clone(self.state);
        let mut end = std::pin::pin!(state.files.end.comes());
        let mut checkpoints = interval(CHECKPOINT_EVERY);
        checkpoints.set_missed_tick_behavior(MissedTickBehavior::Delay);
        checkpoints.tick().await;
        let is_checked = check.is_some();
        let broken = loop {
            let next = tokio::select! {
                biased;
                () = lost.cancelled() => return Err(UploadError::Locked),
                () = &mut end => break UploadError::Stopping,
                _ = checkpoints.tick(), if !is_checked => {
                    self.keep(upload, false).await?;
                    continue;
                }
                next = chunks.try_next() => next,
            };
            let chunk = match next {
                Ok(Some(chunk)) => chunk,
                Ok(None) => {
                    if check.is_some_and(|check| !check.fits()) {
                        return Err(UploadError::ChecksumMismatch);
                    }
                    if is_whole {
                        upload.shorten().await?;
                    }
                    return self.check_type(upload);
                }
                Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                    break UploadError::TooSlow;
                }
                Err(_) => break UploadError::BrokenOff,
            };
            if chunk.len() as u64 > upload.missing() {
                break UploadError::TooManyBytes;
            }
            if let Some(check) = &mut check {
                check.update(&chunk);
            }
            metrics::upload_brought(chunk.len());
            upload.push(&chunk).await?;
            self.check_type(upload)?;
            // A part is written down before anything that follows it.
            if upload.has_new_parts() && !is_checked {
                self.keep(upload, false).await?;
            }
        };
        // Bytes that could not be checked are none.
        if is_checked { Err(UploadError::ChecksumMismatch) } else { Err(broken) }
    }

    fn check_type(&self, upload: &Upload) -> Result<(), UploadError> {
        match upload.sniffed_type() {
            Some(sniffed) if !self.state.files.kinds.allow(sniffed) => Err(UploadError::NotAllowed),
            _ => Ok(()),
        }
    }

    /// Makes what came durable, and writes it down.
    async fn keep(&mut self, upload: &mut Upload, is_end: bool) -> Result<(), UploadError> {
        let progress = upload.checkpoint(is_end).await?;
        let expires_at = self.state.clock.now() + self.ends.after(&self.state.files);
        let accounts = &self.state.accounts;
        let serial = self.file.serial;
        if !accounts.keep_progress(serial, &self.lease, &progress, LEASE, expires_at).await? {
            // Another request has it, or it was removed.
            return Err(UploadError::Locked);
        }
        upload.kept(&progress).await;
        self.file.size = progress.size;
        self.file.received = progress.received;
        self.file.sha256 = progress.sha256;
        self.file.hash_state = progress.hash_state;
        self.file.sniffed_type = progress.sniffed_type;
        self.file.multipart_id = progress.multipart_id;
        self.file.tail = progress.tail;
        self.file.expires_at = expires_at;
        Ok(())
    }

    async fn complete(&mut self) -> Result<(), UploadError> {
        let now = self.state.clock.now();
        if self.file.completed_at.is_none() {
            common::files::complete(&self.state.accounts, self.storage, &self.file, now).await?;
            self.file.completed_at = Some(now);
        }
        Ok(())
    }
}

/// Keeps the right to write while its holder lives, and tells it where it has lost that. Never ends
/// otherwise.
async fn prolong(state: Arc<AppState>, serial: i64, lease: LeaseId, lost: CancellationToken) {
    loop {
        sleep(PROLONG_EVERY).await;
        match state.accounts.prolong_lease(serial, &lease, LEASE).await {
            Ok(true) => {}
            Ok(false) => return lost.cancel(),
            Err(error) => tracing::warn!(event = "lease_not_prolonged", serial, %error),
        }
    }
}
