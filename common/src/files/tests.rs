use futures_util::TryStreamExt;
use sha2::{Digest, Sha256};

use super::*;
use crate::domain::ids::FileId;

fn start(id: &FileId, size: u64) -> UploadStart {
    UploadStart {
        id: id.as_str().to_owned(),
        size,
        received: 0,
        hash_state: None,
        sniffed_type: None,
        multipart_id: None,
        tail: 0,
    }
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
    storage.put("pictures/a", Bytes::from_static(b"small")).await.unwrap();
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
