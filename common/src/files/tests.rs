use futures_util::TryStreamExt;
use sha2::{Digest, Sha256};
use tokio::time::sleep;

use super::memory::{PartMemory, Terms};
use super::parts::SHORTEST_PART;
use super::*;
use crate::accounts::Progress;
use crate::domain::ids::FileId;

fn start(id: &FileId, size: u64) -> UploadStart {
    UploadStart::new(id.as_str().to_owned(), 1, size)
}

async fn read(storage: &FileStorage, key: &str, range: Range<u64>) -> Vec<u8> {
    let chunks: Vec<_> = storage.read(key, range).await.unwrap().try_collect().await.unwrap();
    chunks.concat()
}

#[tokio::test]
async fn an_upload_goes_on_from_what_is_written_down_and_not_from_what_is_on_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let storage = FileStorage::folder(folder.path().join("files")).unwrap();
    let bytes: Vec<u8> = (0..700_000_u32).map(|index| (index % 251) as u8).collect();
    let id = FileId::random();
    let mut upload = storage.upload(start(&id, 700_000)).await.unwrap();
    upload.push(&bytes[..100]).await.unwrap();
    let first = upload.checkpoint(true).await.unwrap();
    assert_eq!((first.received, first.sniffed_type.as_deref()), (100, None));
    upload.kept(&first).await;
    // Written, and never written down.
    upload.push(&[b'x'; 300_000]).await.unwrap();
    upload.checkpoint(false).await.unwrap();
    drop(upload);

    let again = UploadStart { received: 100, hash_state: first.hash_state, ..start(&id, 700_000) };
    let mut upload = storage.upload(again.clone()).await.unwrap();
    for chunk in bytes[100..].chunks(1_000) {
        upload.push(chunk).await.unwrap();
    }
    assert_eq!((upload.position(), upload.missing()), (700_000, 0));
    let last = upload.checkpoint(true).await.unwrap();
    assert_eq!(last.sha256.unwrap(), Sha256::digest(&bytes).to_vec());
    assert_eq!(last.sniffed_type.as_deref(), Some("application/octet-stream"));
    storage.complete(id.as_str(), 700_000, None, Vec::new()).await.unwrap();
    assert!(read(&storage, id.as_str(), 0..700_000).await == bytes);
    assert_eq!(read(&storage, id.as_str(), 262_143..262_146).await, bytes[262_143..262_146]);
    assert!(read(&storage, id.as_str(), 5..5).await.is_empty());

    // Nobody else writes meanwhile.
    let other = storage.upload(again.clone()).await;
    assert!(matches!(other, Err(StorageError::Locked)), "{other:?}");
    drop(upload);
    // What is discarded takes no room.
    let mut upload = storage.upload(again).await.unwrap();
    upload.push(&bytes[100..400_000]).await.unwrap();
    upload.discard().await;
    assert_eq!(storage.size(id.as_str()).await.unwrap(), Some(100));
}

#[tokio::test]
async fn what_is_put_is_listed_read_and_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let storage = FileStorage::folder(folder.path().to_owned()).unwrap();
    storage.put("pictures/a", PutPayload::from_static(b"small")).await.unwrap();
    let mut empty = storage.upload(start(&FileId::random(), 0)).await.unwrap();
    assert_eq!(empty.checkpoint(true).await.unwrap().received, 0);
    let mut listed: Vec<_> = storage.list().try_collect().await.unwrap();
    listed.sort_by_key(|stored| stored.size);
    assert_eq!(listed.len(), 2);
    assert_eq!((listed[1].key.as_str(), listed[1].size), ("pictures/a", 5));
    assert_eq!(storage.read_whole("pictures/a", 5).await.unwrap(), "small");
    assert!(storage.read_whole("pictures/a", 4).await.is_err());
    for _ in 0..2 {
        storage.delete("pictures/a").await.unwrap();
        assert_eq!(storage.size("pictures/a").await.unwrap(), None);
    }
    let gone = storage.read("pictures/a", 0..5).await.err();
    assert!(matches!(gone, Some(StorageError::NotFound)), "{gone:?}");
    let signed = storage.presigned_get("x", Duration::from_secs(1), "a/b", "inline").await;
    assert_eq!(signed.unwrap(), None);
}

/// Long pieces cost less, and whoever is slow keeps only a short one.
#[tokio::test]
async fn who_reads_fast_gets_long_pieces() {
    let folder = tempfile::tempdir().unwrap();
    let storage = FileStorage::folder(folder.path().to_owned()).unwrap();
    let content = bytes(2_000_000);
    storage.put("film", PutPayload::from(content.clone())).await.unwrap();
    let mut pieces = storage.read("film", 0..2_000_000).await.unwrap();
    let mut read = Vec::new();
    for (wait, length) in [(0, 64), (0, 256), (300, 64), (0, 256)] {
        sleep(Duration::from_millis(wait)).await;
        let piece = pieces.try_next().await.unwrap().unwrap();
        assert_eq!(piece.len(), length * 1024, "after {wait} ms");
        read.extend_from_slice(&piece);
    }
    while let Some(piece) = pieces.try_next().await.unwrap() {
        read.extend_from_slice(&piece);
    }
    assert!(read == content);
}

/// An object store in memory, with so much memory for parts, and of one user.
fn cloud(most: u64, share: u64, turn: Duration) -> FileStorage {
    let terms = Terms { most, share, turn, patience: Duration::from_secs(20) };
    FileStorage(Arc::new(Store::Cloud(Cloud::in_memory(PartMemory::new(terms)))))
}

const NEVER: Duration = Duration::MAX;
const TURN: Duration = Duration::from_secs(1);

/// What is kept, by its key.
async fn kept(storage: &FileStorage) -> Vec<(String, u64)> {
    let all: Vec<_> = storage.list().try_collect().await.unwrap();
    let mut all: Vec<_> = all.into_iter().map(|stored| (stored.key, stored.size)).collect();
    all.sort_by_key(|(key, _)| (key.len(), key.clone()));
    all
}

/// A file that comes in requests, as the database knows it.
struct Coming {
    storage: FileStorage,
    at: UploadStart,
    parts: Vec<(i64, String)>,
}

impl Coming {
    fn new(storage: &FileStorage, user_id: i64, size: u64) -> Self {
        let at = UploadStart::new(FileId::random().as_str().to_owned(), user_id, size);
        Self { storage: storage.clone(), at, parts: Vec::new() }
    }

    async fn open(&self) -> Upload {
        self.storage.upload(self.at.clone()).await.unwrap()
    }

    /// Writes down what an upload keeps.
    async fn keep(&mut self, upload: &mut Upload, is_end: bool) -> Progress {
        let progress = upload.checkpoint(is_end).await.unwrap();
        self.parts.extend(progress.parts.clone());
        self.at.size = progress.size as u64;
        self.at.received = progress.received as u64;
        self.at.tail = progress.tail as u64;
        self.at.hash_state.clone_from(&progress.hash_state);
        self.at.sniffed_type.clone_from(&progress.sniffed_type);
        self.at.multipart_id.clone_from(&progress.multipart_id);
        upload.kept(&progress).await;
        progress
    }

    /// One request with these bytes.
    async fn request(&mut self, bytes: &[u8]) -> Progress {
        let mut upload = self.open().await;
        if upload.begin().await.unwrap() {
            self.keep(&mut upload, false).await;
        }
        upload.push(bytes).await.unwrap();
        self.keep(&mut upload, true).await
    }

    /// All bytes, once they are complete.
    async fn whole(&mut self) -> Vec<u8> {
        self.parts.sort();
        let parts = self.parts.iter().map(|(_, part)| part.clone()).collect();
        let UploadStart { id, size, multipart_id, .. } = &self.at;
        self.storage.complete(id, *size, multipart_id.as_deref(), parts).await.unwrap();
        assert_eq!(kept(&self.storage).await, [(id.clone(), *size)], "nothing else is left");
        read(&self.storage, id, 0..*size).await
    }
}

fn bytes(length: u64) -> Vec<u8> {
    (0..length).map(|index| (index % 251) as u8).collect()
}

/// Small requests cost the store what they bring, however much has come of their part before.
#[tokio::test]
async fn small_requests_are_kept_once_and_become_parts() {
    let storage = cloud(2 * SHORTEST_PART, 2 * SHORTEST_PART, NEVER);
    let content = bytes(2 * SHORTEST_PART + 7);
    let mut film = Coming::new(&storage, 1, content.len() as u64);
    for piece in content[..1_000_000].chunks(10_000) {
        film.request(piece).await;
    }
    let tails = kept(&storage).await;
    assert_eq!(tails.len(), 100);
    assert!(tails.iter().all(|(_, size)| *size == 10_000), "{tails:?}");
    assert_eq!((film.at.received, film.at.tail), (1_000_000, 1_000_000));
    // One more, and they are put together, so that no part is made of too many.
    film.request(&content[1_000_000..1_000_001]).await;
    let joined = (format!("tails/{}/1000001", film.at.id), 1_000_001);
    assert_eq!(kept(&storage).await, [joined]);
    film.request(&content[1_000_001..3_000_000]).await;
    // What a process put, and never wrote down, goes when the upload goes on,
    let mut lost = film.open().await;
    lost.push(b"lost").await.unwrap();
    lost.checkpoint(true).await.unwrap();
    drop(lost);
    assert_eq!(kept(&storage).await.len(), 3);
    // but not what its client sends once more.
    film.request(&content[3_000_000..3_000_004]).await;
    assert_eq!(kept(&storage).await.len(), 3);
    let middle = film.request(&content[3_000_004..6_000_000]).await;
    assert_eq!((middle.parts.len(), middle.tail as u64), (1, 6_000_000 - SHORTEST_PART));
    assert_eq!(kept(&storage).await.len(), 1);
    let last = film.request(&content[6_000_000..]).await;
    assert_eq!(last.sha256.unwrap(), Sha256::digest(&content).to_vec());
    assert!(film.whole().await == content);

    // A file that is no longer than a part is put as it is.
    let storage = cloud(SHORTEST_PART, SHORTEST_PART, NEVER);
    let mut small = Coming::new(&storage, 1, 9_000);
    for piece in content[..9_000].chunks(1_000) {
        small.request(piece).await;
    }
    assert_eq!(small.at.sniffed_type.as_deref(), Some("application/octet-stream"));
    assert!(small.whole().await == content[..9_000]);
}

/// Slow clients hold the memory for what they bring within some seconds, and no more.
#[tokio::test]
async fn slow_uploads_leave_memory_to_others() {
    // Two parts, of which a user may have one.
    let storage = cloud(2 * SHORTEST_PART, SHORTEST_PART, TURN);
    let size = 3 * SHORTEST_PART;
    let mut standing = Vec::new();
    for user in 0..40 {
        let film = Coming::new(&storage, user, size);
        let mut upload = film.open().await;
        upload.begin().await.unwrap();
        upload.push(&[b'x'; 1_000]).await.unwrap();
        standing.push(upload);
    }
    // More uploads than there are parts do not keep another one from its own.
    let content = bytes(size);
    let mut film = Coming::new(&storage, 100, size);
    film.request(&content).await;
    let parts = film.parts.iter().map(|(_, part)| part.clone()).collect();
    storage.complete(&film.at.id, size, film.at.multipart_id.as_deref(), parts).await.unwrap();
    assert!(read(&storage, &film.at.id, 0..size).await == content);
    drop(standing);

    // Two that have filled nearly all of it, and stop there.
    let mut hogs = [Coming::new(&storage, 201, size), Coming::new(&storage, 202, size)];
    let mut uploads = Vec::new();
    for hog in &hogs {
        let mut upload = hog.open().await;
        upload.begin().await.unwrap();
        upload.push(&content[..4_900_000]).await.unwrap();
        uploads.push(upload);
    }
    let (other, begin) = (Coming::new(&storage, 203, size), content[..2_000_000].to_vec());
    let waits = tokio::spawn(async move {
        let mut upload = other.open().await;
        upload.begin().await.unwrap();
        upload.push(&begin).await.map(|()| upload.position())
    });
    sleep(TURN).await;
    assert!(!waits.is_finished());
    for (hog, upload) in hogs.iter_mut().zip(&mut uploads) {
        let progress = hog.keep(upload, false).await;
        assert_eq!((progress.received, progress.tail), (4_900_000, 4_900_000));
    }
    assert_eq!(waits.await.unwrap().unwrap(), 2_000_000);
    // They go on where they were, by another request too.
    uploads[0].push(&content[4_900_000..]).await.unwrap();
    let last = hogs[0].keep(&mut uploads[0], true).await;
    assert_eq!(last.sha256.unwrap(), Sha256::digest(&content).to_vec());
    let last = hogs[1].request(&content[4_900_000..]).await;
    assert_eq!(last.sha256.unwrap(), Sha256::digest(&content).to_vec());

    // Also of bytes that come slowly, and count as a whole or not at all.
    let mut upload = Coming::new(&storage, 300, size).open().await;
    upload.begin().await.unwrap();
    for _ in 0..3 {
        upload.push(&content[..1_000_000]).await.unwrap();
        sleep(TURN).await;
    }
    let tails = kept(&storage).await.into_iter().filter(|(key, _)| key.starts_with("tails/"));
    assert_eq!(tails.count(), 2, "the last one is in memory");
    upload.discard().await;
    let tails = kept(&storage).await.into_iter().filter(|(key, _)| key.starts_with("tails/"));
    assert_eq!(tails.count(), 0, "what does not count is gone");
}

#[tokio::test]
async fn a_file_that_shrinks_to_nothing_leaves_no_multipart_upload() {
    let storage = cloud(SHORTEST_PART, SHORTEST_PART, NEVER);
    let mut form = Coming::new(&storage, 1, 2 * SHORTEST_PART);
    let mut upload = form.open().await;
    assert!(upload.begin().await.unwrap());
    let begun = form.keep(&mut upload, false).await.multipart_id.unwrap();
    upload.shorten().await.unwrap();
    let empty = form.keep(&mut upload, true).await;
    assert_eq!((empty.size, empty.received, empty.multipart_id), (0, 0, None));
    assert!(form.whole().await.is_empty());
    let Store::Cloud(cloud) = &*storage.0 else { panic!("it is an object store") };
    let path = storage.path(&form.at.id);
    assert!(cloud.put_part(&path, &begun, 0, PutPayload::new()).await.is_err(), "it is aborted");
}
