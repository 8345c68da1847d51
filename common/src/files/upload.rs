//! One upload's bytes, as they come. Nothing here is known to the database until somebody writes
//! down what [`Upload::checkpoint`] says: bytes first, then the row.

use sha2::digest::common::hazmat::SerializableState;
use sha2::{Digest, Sha256};

use super::folder::Folder;
use super::parts::Parts;
use super::writing::Writing;
use super::{FileStorage, StorageError};
use crate::accounts::Progress;
use crate::accounts::entities::file;

/// How many bytes at the beginning of a file tell its type.
pub const SNIFFED_BYTES: usize = 4096;

/// From where an upload goes on.
#[derive(Clone, Debug)]
pub struct UploadStart {
    pub id: String,
    pub user_id: i64,
    /// In bytes, when it is complete.
    pub size: u64,
    /// In bytes.
    pub received: u64,
    pub hash_state: Option<Vec<u8>>,
    pub sniffed_type: Option<String>,
    pub multipart_id: Option<String>,
    pub tail: u64,
}

impl UploadStart {
    /// From its beginning.
    #[must_use]
    pub fn new(id: String, user_id: i64, size: u64) -> Self {
        Self {
            id,
            user_id,
            size,
            received: 0,
            hash_state: None,
            sniffed_type: None,
            multipart_id: None,
            tail: 0,
        }
    }
}

impl From<&file::Model> for UploadStart {
    fn from(file: &file::Model) -> Self {
        let unsigned = |number: i64| u64::try_from(number).unwrap_or_default();
        Self {
            id: file.id.clone(),
            user_id: file.user_id.unwrap_or_default(),
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
    target: Target,
}

#[derive(Debug)]
enum Target {
    File(Writing),
    Parts(Box<Parts>),
}

impl Upload {
    pub(super) async fn in_folder(
        folder: &Folder,
        start: UploadStart,
    ) -> Result<Self, StorageError> {
        let (writing, head) = Writing::open(folder, &start).await?;
        Self::new(start, head, Target::File(writing))
    }

    pub(super) async fn in_cloud(
        storage: FileStorage,
        start: UploadStart,
    ) -> Result<Self, StorageError> {
        let (parts, head) = Parts::open(storage, &start).await?;
        Self::new(start, head, Target::Parts(Box::new(parts)))
    }

    fn new(start: UploadStart, head: Vec<u8>, target: Target) -> Result<Self, StorageError> {
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
        let mut upload = Self { position: start.received, start, hash, head, target };
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
    ///
    /// # Errors
    /// [`StorageError`].
    pub async fn shorten(&mut self) -> Result<(), StorageError> {
        self.start.size = self.position;
        // No store completes a multipart upload without parts.
        if self.position == 0
            && let Target::Parts(parts) = &self.target
            && let Some(multipart_id) = &self.start.multipart_id
        {
            parts.abort(&self.start.id, multipart_id).await?;
            self.start.multipart_id = None;
        }
        self.sniff();
        Ok(())
    }

    /// Prepares an object store for many parts, where the file is long enough. Says whether that has
    /// to be written down before anything is pushed, so that no crash leaves parts that nobody knows
    /// of.
    ///
    /// # Errors
    /// [`StorageError`].
    pub async fn begin(&mut self) -> Result<bool, StorageError> {
        let Target::Parts(parts) = &self.target else { return Ok(false) };
        if self.start.multipart_id.is_some() || !parts.are_many(self.start.size) {
            return Ok(false);
        }
        self.start.multipart_id = Some(parts.begin(&self.start.id).await?);
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
        while !bytes.is_empty() {
            let room = match &self.target {
                Target::File(writing) => writing.room(),
                Target::Parts(parts) => usize::try_from(parts.room()).unwrap_or(usize::MAX),
            };
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            if let Target::Parts(parts) = &mut self.target {
                parts.make_room(&self.start.id, now.len() as u64, &self.hash).await?;
            }
            self.hash.update(now);
            self.position += now.len() as u64;
            match &mut self.target {
                Target::File(writing) => writing.push(now).await?,
                Target::Parts(parts) => parts.push(&self.start, now, &self.hash).await?,
            }
            bytes = later;
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
        matches!(&self.target, Target::Parts(parts) if !parts.new_parts().is_empty())
    }

    /// Makes what was taken outlive a crash, and says what is to be written down of it. In the middle
    /// of a request an object store may keep less than was taken; at its end all of it.
    ///
    /// # Errors
    /// [`StorageError`]; what came since the last checkpoint is lost.
    pub async fn checkpoint(&mut self, is_end: bool) -> Result<Progress, StorageError> {
        let (received, tail, hash_state) = match &mut self.target {
            Target::File(writing) => {
                writing.sync().await?;
                (self.position, 0, Some(self.hash.serialize().to_vec()))
            }
            Target::Parts(parts) => {
                if is_end || self.position >= self.start.size {
                    parts.keep_all(&self.start, self.position, &self.hash).await?;
                } else {
                    parts.keep_slow(&self.start.id, &self.hash).await?;
                }
                parts.kept()
            }
        };
        let is_complete = self.missing() == 0;
        let signed = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        Ok(Progress {
            size: signed(self.start.size),
            received: signed(received),
            hash_state: hash_state.filter(|_| !is_complete),
            sha256: is_complete.then(|| self.hash.clone().finalize().to_vec()),
            sniffed_type: self.start.sniffed_type.clone(),
            multipart_id: self.start.multipart_id.clone(),
            tail: signed(tail),
            parts: match &self.target {
                Target::File(_) => Vec::new(),
                Target::Parts(parts) => parts.new_parts().to_vec(),
            },
        })
    }

    /// What a checkpoint said is written down.
    pub async fn kept(&mut self, progress: &Progress) {
        self.start.received = u64::try_from(progress.received).unwrap_or_default();
        if let Target::Parts(parts) = &mut self.target {
            parts.written_down(&self.start.id).await;
        }
    }

    /// Gives up what came since the last checkpoint, and the room that it takes.
    pub async fn discard(self) {
        match self.target {
            Target::File(writing) => writing.discard(&self.start.id, self.start.received).await,
            Target::Parts(parts) => parts.discard(&self.start.id).await,
        }
    }
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
