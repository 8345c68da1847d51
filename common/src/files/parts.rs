//! An upload on its way to an object store: in parts of one length, as such stores want them. What is
//! too short for a part when its request ends, or has come slowly, is an object of its own, a tail,
//! until the part is all there. So no byte is sent again because others came in small requests, and
//! no memory is held for whoever is slow.

use std::time::Instant;

use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt, TryStreamExt, stream};
use sha2::Sha256;
use sha2::digest::common::hazmat::SerializableState;

use super::cloud::Cloud;
use super::memory::{Held, UNIT};
use super::upload::{SNIFFED_BYTES, UploadStart};
use super::{FileStorage, StorageError, Store, tail_key};

/// S3 takes no shorter part, but for the last one, and no more than that many. All have one length,
/// as R2 wants it. It follows from the file's size alone, so that an upload can go on later.
pub(super) const SHORTEST_PART: u64 = 5 * MIB;
const MOST_PARTS: u64 = 10_000;
const MIB: u64 = 1024 * 1024;
/// More tails of one part become one.
const MOST_TAILS: usize = 100;
/// Tails that are read at once.
const READ_AT_ONCE: usize = 8;

#[derive(Debug)]
pub(super) struct Parts {
    storage: FileStorage,
    part_size: u64,
    /// How many bytes are in the store, in parts and tails. Those in the buffer follow.
    kept: u64,
    /// How long the tails are, in their order, of the part that is not all there.
    tails: Vec<u64>,
    hash_at_kept: Option<Vec<u8>>,
    buffer: Buffer,
    filling_since: Option<Instant>,
    memory: Held,
    /// What nobody has written down yet.
    new_parts: Vec<(i64, String)>,
    new_tails: Vec<String>,
    /// Tails that are of no use any more once it is written down what is kept.
    old_tails: Vec<String>,
}

impl Parts {
    /// Also says the file's beginning, where its type is not known yet.
    pub(super) async fn open(
        storage: FileStorage,
        start: &UploadStart,
    ) -> Result<(Self, Vec<u8>), StorageError> {
        let memory = cloud_of(&storage)?.memory().of(start.user_id);
        let (tails, others) = match start.tail {
            0 => (Vec::new(), Vec::new()),
            tail => storage.tails(&start.id, start.received, tail).await?,
        };
        let mut parts = Self {
            storage,
            part_size: part_size(start.size),
            kept: start.received,
            tails,
            hash_at_kept: start.hash_state.clone(),
            buffer: Buffer::default(),
            filling_since: None,
            memory,
            new_parts: Vec::new(),
            new_tails: Vec::new(),
            old_tails: others,
        };
        let is_sniffed = start.sniffed_type.is_some() || start.received > SNIFFED_BYTES as u64;
        let head = if is_sniffed { Vec::new() } else { parts.gather(&start.id).await?.concat() };
        Ok((parts, head))
    }

    /// Where the part begins that is not all there.
    fn base(&self) -> u64 {
        self.kept - self.tails.iter().sum::<u64>()
    }

    /// How long that is now.
    fn length(&self) -> u64 {
        self.kept - self.base() + self.buffer.length
    }

    /// How many bytes it can still take; at least one.
    pub(super) fn room(&self) -> u64 {
        self.part_size.saturating_sub(self.length()).max(1)
    }

    /// Whether a file of so many bytes is to come in parts.
    pub(super) fn are_many(&self, size: u64) -> bool {
        size > self.part_size
    }

    pub(super) async fn begin(&self, id: &str) -> Result<String, StorageError> {
        cloud_of(&self.storage)?.begin(&self.storage.path(id)).await
    }

    pub(super) async fn abort(&self, id: &str, multipart_id: &str) -> Result<(), StorageError> {
        cloud_of(&self.storage)?.abort(&self.storage.path(id), multipart_id).await
    }

    /// Holds memory for so many more bytes. Where there is none, what has come goes to the store
    /// first; `hash` is of that.
    pub(super) async fn make_room(
        &mut self,
        id: &str,
        bytes: u64,
        hash: &Sha256,
    ) -> Result<(), StorageError> {
        if !self.is_slow() && self.memory.try_hold(self.buffer.length + bytes) {
            return Ok(());
        }
        self.put_tail(id, hash).await?;
        self.memory.hold(bytes).await
    }

    /// Takes bytes for which there is room; `hash` is of these too.
    pub(super) async fn push(
        &mut self,
        start: &UploadStart,
        bytes: &[u8],
        hash: &Sha256,
    ) -> Result<(), StorageError> {
        self.filling_since.get_or_insert_with(Instant::now);
        self.buffer.extend(bytes);
        if self.length() < self.part_size { Ok(()) } else { self.put_part(start, hash).await }
    }

    fn is_slow(&self) -> bool {
        self.filling_since.is_some_and(|since| since.elapsed() >= self.memory.turn())
    }

    /// Puts what is in memory into the store, where it has been there for long.
    pub(super) async fn keep_slow(&mut self, id: &str, hash: &Sha256) -> Result<(), StorageError> {
        if self.is_slow() { self.put_tail(id, hash).await } else { Ok(()) }
    }

    /// Puts all that has come into the store.
    pub(super) async fn keep_all(
        &mut self,
        start: &UploadStart,
        position: u64,
        hash: &Sha256,
    ) -> Result<(), StorageError> {
        if position < start.size {
            return self.put_tail(&start.id, hash).await;
        }
        // Also a file without bytes is an object.
        if self.length() > 0 || start.size == 0 {
            self.put_part(start, hash).await?;
        }
        Ok(())
    }

    /// The part that is all there, or the whole of a file that is no longer than one.
    async fn put_part(&mut self, start: &UploadStart, hash: &Sha256) -> Result<(), StorageError> {
        let (base, length) = (self.base(), self.length());
        if !self.memory.try_hold(length) {
            self.put_tail(&start.id, hash).await?;
            self.memory.hold(length).await?;
        }
        let bytes = self.gather(&start.id).await?.into_iter().collect();
        match &start.multipart_id {
            Some(multipart_id) => {
                let number = base / self.part_size;
                let index = usize::try_from(number).unwrap_or(usize::MAX);
                let (cloud, path) = (cloud_of(&self.storage)?, self.storage.path(&start.id));
                let part = cloud.put_part(&path, multipart_id, index, bytes).await?;
                self.new_parts.push((i64::try_from(number).unwrap_or(i64::MAX), part));
            }
            None => self.storage.put(&start.id, bytes).await?,
        }
        let tails = self.tail_keys(&start.id).into_iter().map(|(key, _)| key);
        self.old_tails.extend(tails);
        self.tails.clear();
        self.is_kept_to(base + length, hash);
        Ok(())
    }

    /// What is in memory, as another tail of the part.
    async fn put_tail(&mut self, id: &str, hash: &Sha256) -> Result<(), StorageError> {
        let length = self.buffer.length;
        if length > 0 {
            let end = self.kept + length;
            let key = tail_key(id, end);
            self.storage.put(&key, self.buffer.take().into_iter().collect()).await?;
            // A request whose end nobody wrote down may have brought the same.
            self.old_tails.retain(|old| *old != key);
            self.new_tails.push(key);
            self.tails.push(length);
            self.is_kept_to(end, hash);
        }
        self.memory.release();
        if self.tails.len() > MOST_TAILS { self.join_tails(id).await } else { Ok(()) }
    }

    fn is_kept_to(&mut self, end: u64, hash: &Sha256) {
        self.kept = end;
        self.hash_at_kept = Some(hash.serialize().to_vec());
        self.filling_since = None;
        self.memory.release();
    }

    /// Puts one tail in place of all. Nobody has written the last one down, whose key it has.
    async fn join_tails(&mut self, id: &str) -> Result<(), StorageError> {
        let length = self.length();
        self.memory.hold(length).await?;
        let bytes = self.gather(id).await?.into_iter().collect();
        self.storage.put(&tail_key(id, self.kept), bytes).await?;
        self.memory.release();
        let mut keys = self.tail_keys(id);
        keys.pop();
        self.old_tails.extend(keys.into_iter().map(|(key, _)| key));
        self.tails = vec![length];
        Ok(())
    }

    /// Keys and lengths.
    fn tail_keys(&self, id: &str) -> Vec<(String, u64)> {
        let ends = self.tails.iter().scan(self.base(), |end, length| {
            *end += length;
            Some((tail_key(id, *end), *length))
        });
        ends.collect()
    }

    /// All that has come of the part, in order: its tails, and what is in memory.
    async fn gather(&mut self, id: &str) -> Result<Vec<Bytes>, StorageError> {
        let storage = self.storage.clone();
        let tails = stream::iter(self.tail_keys(id)).map(move |(key, length)| {
            let storage = storage.clone();
            async move {
                let bytes: Vec<Bytes> = storage.read(&key, 0..length).await?.try_collect().await?;
                let read = bytes.iter().map(|bytes| bytes.len() as u64).sum::<u64>();
                if read == length { Ok(bytes) } else { Err(StorageError::NotFound) }
            }
        });
        let tails: Vec<_> = tails.buffered(READ_AT_ONCE).try_collect().await?;
        let mut all = tails.concat();
        all.extend(self.buffer.take());
        Ok(all)
    }

    /// How far what is in the store goes, how much of that is in tails, and the hash's state there.
    pub(super) fn kept(&self) -> (u64, u64, Option<Vec<u8>>) {
        (self.kept, self.kept - self.base(), self.hash_at_kept.clone())
    }

    pub(super) fn new_parts(&self) -> &[(i64, String)] {
        &self.new_parts
    }

    /// All of it is written down. What that replaces is removed; where that fails, the sweep does it.
    pub(super) async fn written_down(&mut self, id: &str) {
        self.new_parts.clear();
        self.new_tails.clear();
        let old_tails = std::mem::take(&mut self.old_tails);
        self.remove(id, old_tails).await;
    }

    /// None of it is written down.
    pub(super) async fn discard(self, id: &str) {
        self.remove(id, self.new_tails.clone()).await;
    }

    async fn remove(&self, id: &str, tails: Vec<String>) {
        if let Err(error) = self.storage.delete_all(tails).await {
            tracing::warn!(event = "tail_not_removed", file = id, %error);
        }
    }
}

/// Bytes in blocks, so that they take as much memory as is held for them.
#[derive(Debug, Default)]
struct Buffer {
    full: Vec<Bytes>,
    last: BytesMut,
    length: u64,
}

impl Buffer {
    fn extend(&mut self, mut bytes: &[u8]) {
        let block = usize::try_from(UNIT).unwrap_or_default().max(1);
        self.length += bytes.len() as u64;
        while !bytes.is_empty() {
            if self.last.capacity() == self.last.len() {
                let full = std::mem::replace(&mut self.last, BytesMut::with_capacity(block));
                self.full.push(full.freeze());
            }
            let room = self.last.capacity() - self.last.len();
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.last.extend_from_slice(now);
            bytes = later;
        }
    }

    fn take(&mut self) -> Vec<Bytes> {
        let Self { mut full, last, .. } = std::mem::take(self);
        full.push(last.freeze());
        full.retain(|block| !block.is_empty());
        full
    }
}

fn cloud_of(storage: &FileStorage) -> Result<&Cloud, StorageError> {
    match &*storage.0 {
        Store::Cloud(cloud) => Ok(cloud),
        Store::Folder(_) => Err(StorageError::Unavailable("no object store".to_owned())),
    }
}

fn part_size(size: u64) -> u64 {
    size.div_ceil(MOST_PARTS).next_multiple_of(MIB).max(SHORTEST_PART)
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
    fn a_buffer_gives_back_what_it_took() {
        let bytes: Vec<u8> = (0..300_000_u32).map(|index| (index % 251) as u8).collect();
        let mut buffer = Buffer::default();
        for chunk in bytes.chunks(70_001) {
            buffer.extend(chunk);
        }
        assert_eq!(buffer.length, 300_000);
        assert_eq!(buffer.take().concat(), bytes);
        assert!(buffer.take().is_empty());
    }
}
