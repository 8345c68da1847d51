//! An upload on its way into a folder: in blocks, while the disk takes the ones before.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use tokio::task::{JoinHandle, spawn_blocking};

use super::StorageError;
use super::folder::{Folder, blocking};
use super::upload::{SNIFFED_BYTES, UploadStart};

/// How much is written to a file at once.
const BLOCK: usize = 128 * 1024;
/// After so many bytes the disk begins to take what the kernel has, so that little is left for the
/// end.
const SYNC_EVERY: u64 = 32 * 1024 * 1024;

#[derive(Debug)]
pub(super) struct Writing {
    file: Arc<File>,
    /// What was taken and not yet written.
    buffer: BytesMut,
    /// How many bytes are written, or being written.
    written: u64,
    pending: Option<JoinHandle<io::Result<()>>>,
    syncing: Option<JoinHandle<io::Result<()>>>,
    sync_begun_at: u64,
}

impl Writing {
    /// Also says the file's beginning, where its type is not known yet.
    pub(super) async fn open(
        folder: &Folder,
        start: &UploadStart,
    ) -> Result<(Self, Vec<u8>), StorageError> {
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
        let writing = Self {
            file,
            buffer: BytesMut::with_capacity(BLOCK),
            written: received,
            pending: None,
            syncing: None,
            sync_begun_at: received,
        };
        Ok((writing, head))
    }

    /// How many bytes fit into the block; at least one.
    pub(super) fn room(&self) -> usize {
        BLOCK.saturating_sub(self.buffer.len()).max(1)
    }

    pub(super) async fn push(&mut self, bytes: &[u8]) -> Result<(), StorageError> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= BLOCK { self.flush().await } else { Ok(()) }
    }

    async fn flush(&mut self) -> Result<(), StorageError> {
        let bytes = self.buffer.split().freeze();
        self.write(bytes).await?;
        self.buffer.reserve(BLOCK);
        Ok(())
    }

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

    /// Makes all that was taken outlive a crash.
    pub(super) async fn sync(&mut self) -> Result<(), StorageError> {
        self.flush().await?;
        self.wait().await?;
        end(&mut self.syncing).await?;
        self.sync_begun_at = self.written;
        let file = Arc::clone(&self.file);
        blocking(move || file.sync_data()).await
    }

    /// Cuts the file off behind the first `kept` bytes.
    pub(super) async fn discard(mut self, id: &str, kept: u64) {
        let _ = self.wait().await;
        let cut = blocking(move || self.file.set_len(kept)).await;
        if let Err(error) = cut {
            tracing::warn!(event = "upload_not_cut_back", file = id, %error);
        }
    }
}

async fn end(task: &mut Option<JoinHandle<io::Result<()>>>) -> Result<(), StorageError> {
    match task.take() {
        Some(task) => Ok(task.await.map_err(io::Error::other)??),
        None => Ok(()),
    }
}
