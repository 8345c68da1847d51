//! One upload's bytes, as they come. Nothing here is known to the database until somebody writes
//! down what [`Upload::checkpoint`] says: bytes first, then the row.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures_util::TryStreamExt;
use sha2::digest::common::hazmat::SerializableState;
use sha2::{Digest, Sha256};
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::{JoinHandle, spawn_blocking};

use super::cloud::Cloud;
use super::folder::{Folder, blocking};
use super::{FileStorage, StorageError, Store};
use crate::accounts::Progress;
use crate::accounts::entities::file;

/// How many bytes at the beginning of a file tell its type.
pub const SNIFFED_BYTES: usize = 4096;

/// How much is written to a file at once.
const BLOCK: usize = 128 * 1024;
/// After so many bytes the disk begins to take what the kernel has, so that little is left for the
/// end.
const SYNC_EVERY: u64 = 32 * 1024 * 1024;

/// S3 takes no shorter part, but for the last one, and no more than that many. All have one length,
/// as R2 wants it. It follows from the file's size alone, so that an upload can go on later.
const SHORTEST_PART: u64 = 5 * MIB;
const MOST_PARTS: u64 = 10_000;
const MIB: u64 = 1024 * 1024;

/// From where an upload goes on.
#[derive(Clone, Debug)]
pub struct UploadStart {
    pub id: String,
    /// In bytes, when it is complete.
    pub size: u64,
    /// In bytes.
    pub received: u64,
    pub hash_state: Option<Vec<u8>>,
    pub sniffed_type: Option<String>,
    pub multipart_id: Option<String>,
    pub tail: u64,
}

impl From<&file::Model> for UploadStart {
    fn from(file: &file::Model) -> Self {
        let unsigned = |number: i64| u64::try_from(number).unwrap_or_default();
        Self {
            id: file.id.clone(),
            size: unsigned(file.size),
            received: unsigned(file.received),
            hash_state: file.hash_state.clone(),
            sniffed_type: file.sniffed_type.clone(),
            multipart_id: file.multipart_id.clone(),
            tail: unsigned(file.tail),
        }
    }
}

/// An upload that somebody writes to.
#[derive(Debug)]
pub struct Upload {
    start: UploadStart,
    /// How many bytes were taken, since the file's beginning.
    position: u64,
    hash: Sha256,
    /// The file's beginning, until its type is known.
    head: Vec<u8>,
    /// What was taken and not yet written.
    buffer: BytesMut,
    target: Target,
}

#[derive(Debug)]
enum Target {
    File(Writing),
    Parts(Box<Parts>),
}

#[derive(Debug)]
struct Writing {
    file: Arc<File>,
    /// How many bytes are written, or being written.
    written: u64,
    pending: Option<JoinHandle<io::Result<()>>>,
    syncing: Option<JoinHandle<io::Result<()>>>,
    sync_begun_at: u64,
}

#[derive(Debug)]
struct Parts {
    storage: FileStorage,
    part_size: u64,
    /// Where the first byte of the buffer belongs.
    base: u64,
    hash_at_base: Option<Vec<u8>>,
    /// Not yet written down.
    new: Vec<(i64, String)>,
    /// The tail that is of no use any more once something else is written down.
    old_tail: Option<String>,
    _memory: OwnedSemaphorePermit,
}

impl Upload {
    pub(super) async fn in_folder(
        folder: &Folder,
        start: UploadStart,
    ) -> Result<Self, StorageError> {
        let received = start.received;
        let file = folder.open_for_writing(&start.id, received).await?;
        let head = if start.sniffed_type.is_none() && received > 0 {
            let length = usize::try_from(received).unwrap_or(usize::MAX).min(SNIFFED_BYTES);
            let source = Arc::clone(&file);
            blocking(move || {
                let mut head = vec![0; length];
                source.read_exact_at(&mut head, 0).map(|()| head)
            })
            .await?
        } else {
            Vec::new()
        };
        let writing = Writing {
            file,
            written: received,
            pending: None,
            syncing: None,
            sync_begun_at: received,
        };
        Self::new(start, head, BytesMut::with_capacity(BLOCK), Target::File(writing))
    }

    pub(super) async fn in_cloud(
        storage: FileStorage,
        start: UploadStart,
    ) -> Result<Self, StorageError> {
        let memory = Arc::clone(cloud_of(&storage)?.memory()).try_acquire_owned();
        let memory = memory.map_err(|_| StorageError::Busy)?;
        let part_size = part_size(start.size);
        let mut buffer = BytesMut::with_capacity(room(start.size));
        let mut old_tail = None;
        if start.tail > 0 {
            let key = tail_key(&start.id, start.received);
            let mut tail = storage.read(&key, 0..start.tail).await?;
            while let Some(chunk) = tail.try_next().await? {
                buffer.extend_from_slice(&chunk);
            }
            if buffer.len() as u64 != start.tail {
                return Err(StorageError::NotFound);
            }
            old_tail = Some(key);
        }
        let base = start.received - start.tail;
        let head = if base == 0 && start.sniffed_type.is_none() {
            buffer.iter().take(SNIFFED_BYTES).copied().collect()
        } else {
            Vec::new()
        };
        let parts = Parts {
            storage,
            part_size,
            base,
            hash_at_base: None,
            new: Vec::new(),
            old_tail,
            _memory: memory,
        };
        Self::new(start, head, buffer, Target::Parts(Box::new(parts)))
    }

    fn new(
        start: UploadStart,
        head: Vec<u8>,
        buffer: BytesMut,
        target: Target,
    ) -> Result<Self, StorageError> {
        let unreadable =
            || StorageError::Unavailable("the state of the hash cannot be read".to_owned());
        let hash = match &start.hash_state {
            Some(state) => {
                let state = state.as_slice().try_into().map_err(|_| unreadable())?;
                Sha256::deserialize(&state).map_err(|_| unreadable())?
            }
            None if start.received == 0 => Sha256::new(),
            None => return Err(unreadable()),
        };
        let mut upload = Self { position: start.received, start, hash, head, buffer, target };
        upload.sniff();
        Ok(upload)
    }

    /// How many bytes were taken, since the file's beginning.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.position
    }

    /// How many bytes are still to come.
    #[must_use]
    pub fn missing(&self) -> u64 {
        self.start.size.saturating_sub(self.position)
    }

    /// The media type that the first bytes tell; none until they are there.
    #[must_use]
    pub fn sniffed_type(&self) -> Option<&str> {
        self.start.sniffed_type.as_deref()
    }

    /// The whole file is what has come, and shorter than was announced.
    pub fn shorten(&mut self) {
        self.start.size = self.position;
        if self.position == 0 {
            // No store completes an upload without parts.
            self.start.multipart_id = None;
        }
        self.sniff();
    }

    /// Prepares an object store for many parts, where the file is long enough. Says whether that has
    /// to be written down before anything is pushed, so that no crash leaves parts that nobody knows
    /// of.
    ///
    /// # Errors
    /// [`StorageError`].
    pub async fn begin(&mut self) -> Result<bool, StorageError> {
        let Target::Parts(parts) = &self.target else { return Ok(false) };
        if self.start.multipart_id.is_some() || self.start.size <= parts.part_size {
            return Ok(false);
        }
        let path = parts.storage.path(&self.start.id);
        self.start.multipart_id = Some(cloud_of(&parts.storage)?.begin(&path).await?);
        Ok(true)
    }

    /// Takes more bytes, no more than are missing.
    ///
    /// # Errors
    /// [`StorageError`]; what came since the last checkpoint is lost.
    pub async fn push(&mut self, mut bytes: &[u8]) -> Result<(), StorageError> {
        let missing = SNIFFED_BYTES.saturating_sub(self.head.len());
        if self.start.sniffed_type.is_none() && missing > 0 {
            self.head.extend(bytes.iter().take(missing));
        }
        let capacity = match &self.target {
            Target::File(_) => BLOCK,
            Target::Parts(parts) => usize::try_from(parts.part_size).unwrap_or(usize::MAX),
        };
        while !bytes.is_empty() {
            let room = capacity.saturating_sub(self.buffer.len());
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.hash.update(now);
            self.buffer.extend_from_slice(now);
            self.position += now.len() as u64;
            bytes = later;
            if self.buffer.len() >= capacity {
                self.flush().await?;
            }
        }
        self.sniff();
        Ok(())
    }

    fn sniff(&mut self) {
        let is_there =
            self.head.len() >= SNIFFED_BYTES || self.head.len() as u64 >= self.start.size;
        if self.start.sniffed_type.is_none() && is_there {
            self.start.sniffed_type = Some(sniff(&self.head).to_owned());
            self.head = Vec::new();
        }
    }

    /// Whether a part was stored that nobody has written down.
    #[must_use]
    pub fn has_new_parts(&self) -> bool {
        matches!(&self.target, Target::Parts(parts) if !parts.new.is_empty())
    }

    /// Writes the buffer, which is full or the file's end.
    async fn flush(&mut self) -> Result<(), StorageError> {
        let bytes = self.buffer.split().freeze();
        match &mut self.target {
            Target::File(writing) => {
                writing.write(bytes).await?;
                self.buffer.reserve(BLOCK);
            }
            Target::Parts(parts) => {
                parts.put(&self.start, bytes).await?;
                parts.hash_at_base = Some(self.hash.serialize().to_vec());
                self.buffer.reserve(room(self.start.size - self.position));
            }
        }
        Ok(())
    }

    /// Makes what was taken outlive a crash, and says what is to be written down of it. In the middle
    /// of a request an object store may keep less than was taken; at its end all of it.
    ///
    /// # Errors
    /// [`StorageError`]; what came since the last checkpoint is lost.
    pub async fn checkpoint(&mut self, is_end: bool) -> Result<Progress, StorageError> {
        let is_complete = self.missing() == 0;
        let is_end = is_end || is_complete;
        if let Target::Parts(parts) = &self.target
            && !is_end
        {
            let state = parts.hash_at_base.clone();
            let (received, tail, hash_state) = match state {
                Some(state) => (parts.base, 0, Some(state)),
                None => (self.start.received, self.start.tail, self.start.hash_state.clone()),
            };
            return Ok(self.progress(received, tail, hash_state));
        }
        if matches!(self.target, Target::File(_)) || is_complete && self.is_part_left() {
            self.flush().await?;
        }
        let mut tail = 0;
        match &mut self.target {
            Target::File(writing) => writing.sync().await?,
            Target::Parts(parts) => {
                tail = self.buffer.len() as u64;
                if tail > 0 {
                    let key = tail_key(&self.start.id, self.position);
                    // A copy: the upload may go on.
                    let bytes = Bytes::copy_from_slice(&self.buffer);
                    parts.storage.put(&key, bytes).await?;
                }
            }
        }
        let state = (!is_complete).then(|| self.hash.serialize().to_vec());
        let progress = self.progress(self.position, tail, state);
        Ok(Progress {
            sha256: is_complete.then(|| self.hash.clone().finalize().to_vec()),
            ..progress
        })
    }

    /// Whether a complete file still has bytes that are nowhere, or none at all.
    fn is_part_left(&self) -> bool {
        let is_empty_object = matches!(self.target, Target::Parts(_)) && self.start.size == 0;
        is_empty_object || !self.buffer.is_empty()
    }

    fn progress(&self, received: u64, tail: u64, hash_state: Option<Vec<u8>>) -> Progress {
        let signed = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        Progress {
            size: signed(self.start.size),
            received: signed(received),
            hash_state,
            sha256: None,
            sniffed_type: self.start.sniffed_type.clone(),
            multipart_id: self.start.multipart_id.clone(),
            tail: signed(tail),
            parts: match &self.target {
                Target::File(_) => Vec::new(),
                Target::Parts(parts) => parts.new.clone(),
            },
        }
    }

    /// What a checkpoint said is written down. What it replaces is removed; where that fails, the
    /// sweep does it.
    pub async fn kept(&mut self, progress: &Progress) {
        let unsigned = |number: i64| u64::try_from(number).unwrap_or_default();
        self.start.received = unsigned(progress.received);
        self.start.tail = unsigned(progress.tail);
        self.start.hash_state.clone_from(&progress.hash_state);
        if let Target::Parts(parts) = &mut self.target {
            parts.new.clear();
            let tail = tail_key(&self.start.id, self.start.received);
            let is_other = |old: &String| self.start.tail == 0 || *old != tail;
            if let Some(old) = parts.old_tail.take_if(|old| is_other(old))
                && let Err(error) = parts.storage.delete(&old).await
            {
                tracing::warn!(event = "tail_not_removed", file = self.start.id, %error);
            }
            if self.start.tail > 0 {
                parts.old_tail = Some(tail);
            }
        }
    }

    /// Gives up what came since the last checkpoint, and the room that it takes.
    pub async fn discard(self) {
        let kept = self.start.received;
        if let Target::File(mut writing) = self.target {
            let _ = writing.wait().await;
            let cut = blocking(move || writing.file.set_len(kept)).await;
            if let Err(error) = cut {
                tracing::warn!(event = "upload_not_cut_back", file = self.start.id, %error);
            }
        }
    }
}

impl Writing {
    async fn write(&mut self, bytes: Bytes) -> Result<(), StorageError> {
        self.wait().await?;
        if bytes.is_empty() {
            return Ok(());
        }
        let (file, at) = (Arc::clone(&self.file), self.written);
        self.written += bytes.len() as u64;
        self.pending = Some(spawn_blocking(move || file.write_all_at(&bytes, at)));
        if self.written - self.sync_begun_at >= SYNC_EVERY {
            self.sync_begun_at = self.written;
            end(&mut self.syncing).await?;
            let file = Arc::clone(&self.file);
            self.syncing = Some(spawn_blocking(move || file.sync_data()));
        }
        Ok(())
    }

    async fn wait(&mut self) -> Result<(), StorageError> {
        end(&mut self.pending).await
    }

    async fn sync(&mut self) -> Result<(), StorageError> {
        self.wait().await?;
        end(&mut self.syncing).await?;
        self.sync_begun_at = self.written;
        let file = Arc::clone(&self.file);
        blocking(move || file.sync_data()).await
    }
}

async fn end(task: &mut Option<JoinHandle<io::Result<()>>>) -> Result<(), StorageError> {
    match task.take() {
        Some(task) => Ok(task.await.map_err(io::Error::other)??),
        None => Ok(()),
    }
}

impl Parts {
    /// The next part, or the whole of a file that is no longer than one.
    async fn put(&mut self, start: &UploadStart, bytes: Bytes) -> Result<(), StorageError> {
        let length = bytes.len() as u64;
        let path = self.storage.path(&start.id);
        match &start.multipart_id {
            Some(multipart_id) => {
                let number = self.base / self.part_size;
                let index = usize::try_from(number).unwrap_or(usize::MAX);
                let cloud = cloud_of(&self.storage)?;
                let part = cloud.put_part(&path, multipart_id, index, bytes).await?;
                self.new.push((i64::try_from(number).unwrap_or(i64::MAX), part));
            }
            None => self.storage.put(&start.id, bytes).await?,
        }
        self.base += length;
        Ok(())
    }
}

fn cloud_of(storage: &FileStorage) -> Result<&Cloud, StorageError> {
    match &*storage.0 {
        Store::Cloud(cloud) => Ok(cloud),
        Store::Folder(_) => Err(StorageError::Unavailable("no object store".to_owned())),
    }
}

/// What is taken for so many bytes before they come; for a longer part more as they do.
fn room(missing: u64) -> usize {
    usize::try_from(missing.min(SHORTEST_PART)).unwrap_or_default()
}

fn part_size(size: u64) -> u64 {
    size.div_ceil(MOST_PARTS).next_multiple_of(MIB).max(SHORTEST_PART)
}

/// The length is in its name: a request that lost its lease cannot put another tail in its place.
fn tail_key(id: &str, received: u64) -> String {
    format!("tails/{id}/{received}")
}

/// The media type that a file's first bytes tell.
#[must_use]
pub fn sniff(head: &[u8]) -> &'static str {
    infer::get(head).map_or("application/octet-stream", |kind| kind.mime_type())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_few_and_long_enough() {
        for (size, part) in
            [(0, 5), (1, 5), (50_000 * MIB, 5), (50_000 * MIB + 1, 6), (5 * MIB * MIB, 525)]
        {
            assert_eq!(part_size(size), part * MIB, "{size}");
            assert!(size.div_ceil(part_size(size)) <= MOST_PARTS);
        }
    }

    #[test]
    fn a_type_is_told_by_the_first_bytes() {
        for (head, kind) in [
            (&b"\x89PNG\r\n\x1a\n"[..], "image/png"),
            (b"\xff\xd8\xff\xe0", "image/jpeg"),
            (b"%PDF-1.7", "application/pdf"),
            (b"<!DOCTYPE html><script>", "text/html"),
            (b"", "application/octet-stream"),
            (b"plain", "application/octet-stream"),
        ] {
            assert_eq!(sniff(head), kind);
        }
    }
}
