//! A folder of this machine. Files are written in place, so what a crash leaves of one is what the
//! database says of it and perhaps more, which the next write begins over.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::Stream;
use futures_util::stream::try_unfold;
use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;

use super::StorageError;

/// How much is read at once, and kept for each client that does not take it.
const CHUNK: u64 = 64 * 1024;
/// How much for clients that are fast, and how many such pieces there are at once.
const LONG_CHUNK: u64 = 256 * 1024;
const MOST_LONG_CHUNKS: usize = 64;
/// Who takes a piece within that time is fast.
const FAST: Duration = Duration::from_millis(250);

const LOCK_TRIES: u32 = 40;
const LOCK_PAUSE: Duration = Duration::from_millis(50);

#[derive(Debug)]
pub(super) struct Folder {
    root: PathBuf,
    store: LocalFileSystem,
    long_chunks: Arc<Semaphore>,
}

impl Folder {
    pub(super) fn open(root: PathBuf) -> Result<Self, StorageError> {
        fs::create_dir_all(&root)?;
        let store = LocalFileSystem::new_with_prefix(&root)?.with_fsync(true);
        Ok(Self { root, store, long_chunks: Arc::new(Semaphore::new(MOST_LONG_CHUNKS)) })
    }

    pub(super) fn store(&self) -> &dyn ObjectStore {
        &self.store
    }

    /// Keys are ours, and have no `..` in them.
    fn path(&self, key: &str) -> PathBuf {
        self.root.join(key)
    }

    /// A file to write to, cut off after the bytes that are said to be kept.
    pub(super) async fn open_for_writing(
        &self,
        key: &str,
        kept: u64,
    ) -> Result<Arc<File>, StorageError> {
        let (root, path) = (self.root.clone(), self.path(key));
        blocking(move || {
            let mut options = OpenOptions::new();
            options.read(true).write(true).mode(0o600);
            let file = match options.open(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound && kept == 0 => {
                    let file = options.create(true).open(&path)?;
                    // So that the name outlives a crash of the machine as the bytes do.
                    File::open(root)?.sync_all()?;
                    file
                }
                opened => opened?,
            };
            lock(&file)?;
            let length = file.metadata()?.len();
            if length < kept {
                return Err(io::Error::other("the file is shorter than what was kept of it"));
            }
            if length > kept {
                file.set_len(kept)?;
            }
            Ok(Arc::new(file))
        })
        .await
    }

    /// Opens the file for each piece: who downloads slowly holds neither one of the process' open
    /// files nor the room of a file that was removed meanwhile.
    pub(super) async fn read(
        &self,
        key: &str,
        range: Range<u64>,
    ) -> Result<impl Stream<Item = io::Result<Bytes>> + Send + use<>, StorageError> {
        let path = self.path(key);
        let first = path.clone();
        let first = blocking(move || File::open(first)).await?;
        let long_chunks = Arc::clone(&self.long_chunks);
        let begin = (path, Some(first), range, None::<Instant>);
        let chunks = try_unfold(begin, move |(path, opened, range, given_at)| {
            let is_fast = given_at.is_some_and(|given_at| given_at.elapsed() < FAST);
            let long = is_fast.then(|| Arc::clone(&long_chunks).try_acquire_owned().ok()).flatten();
            async move {
                if range.is_empty() {
                    return Ok(None);
                }
                let most = if long.is_some() { LONG_CHUNK } else { CHUNK };
                let (at, length) = (range.start, (range.end - range.start).min(most));
                let read = spawn_blocking(move || {
                    let mut file = match opened {
                        Some(file) => file,
                        None => File::open(&path)?,
                    };
                    file.seek(SeekFrom::Start(at))?;
                    // So it is not filled with zeros first.
                    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or_default());
                    if file.take(length).read_to_end(&mut bytes)? as u64 != length {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                    Ok::<_, io::Error>((Bytes::from_owner(Chunk { bytes, _long: long }), path))
                });
                let (chunk, path) = read.await.map_err(io::Error::other)??;
                let left = at + length..range.end;
                Ok(Some((chunk, (path, None, left, Some(Instant::now())))))
            }
        });
        Ok(chunks)
    }
}

/// A piece of a file, which counts as a long one until it is sent.
struct Chunk {
    bytes: Vec<u8>,
    _long: Option<OwnedSemaphorePermit>,
}

impl AsRef<[u8]> for Chunk {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// A request that lost its lease may still have a write under way. This one begins behind it.
fn lock(file: &File) -> io::Result<()> {
    for _ in 0..LOCK_TRIES {
        match file.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) => thread::sleep(LOCK_PAUSE),
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
    Err(io::ErrorKind::ResourceBusy.into())
}

/// Runs what waits for the disk where it holds nobody up.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, StorageError> {
    let done = spawn_blocking(work).await;
    Ok(done.map_err(io::Error::other)??)
}
