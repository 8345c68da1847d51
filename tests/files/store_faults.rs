//! A file store that is away: who needs it is told so, and what is kept stays.

use std::fs;
use std::time::Instant;

use http::Method;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::fake_s3::FakeS3;
use super::stored::{Owner, get, plan};
use super::uploads::bytes;
use crate::support::app::App;
use crate::support::durations::SECOND;
use crate::support::eventually;
use crate::support::numbers::{NUMBER, OTHER_NUMBER};
use crate::support::operators::scrape;

const SIZE: usize = 10_000;

/// What the API says of its file store that failed.
async fn failures(app: &mut App, error: &str) -> f64 {
    let metrics = scrape(&mut app.apis[0]).await;
    metrics.value("cheershare_file_store_errors_total", &[("error", error)])
}

impl Owner<'_> {
    /// Whoever brings bytes is told which store is away, and all else works.
    async fn is_told_that_the_store_is_away(&self, upload: &str) {
        let away = |answer: crate::support::client::Answer| {
            answer.expect_error(503, "The file store is unavailable", "unavailable");
        };
        let begun = Instant::now();
        away(self.piece(upload, 4_000, bytes(SIZE)[4_000..].to_vec()).await);
        assert!(begun.elapsed() < 20 * SECOND, "{:?}", begun.elapsed());
        away(self.ask("POST", "/files?name=other", &[], "hello").await);
        assert_eq!(self.offset(upload).await, 4_000, "what is kept stays");
        self.call(Method::GET, "/me", None).await.expect(200);
        let ready = self.app.client().get("/readyz", None).await.expect(200).body;
        assert_eq!(ready["degraded"], false);
        Owner::sign_in(self.app, OTHER_NUMBER).await;
    }

    /// The upload goes on where it was, and nothing is there that nobody knows.
    async fn goes_on(&self, upload: &str) {
        let content = bytes(SIZE);
        self.piece(upload, 4_000, content[4_000..].to_vec()).await.expect(204);
        let list = self.call(Method::GET, "/files", None).await.expect(200).body;
        let hash = data_encoding::HEXLOWER.encode(&Sha256::digest(&content));
        let file = list["data"].as_array().unwrap().iter().find(|file| {
            let id = file["id"].as_str().unwrap();
            upload.ends_with(id)
        });
        assert_eq!(file.unwrap()["sha256"], hash.as_str());
    }
}

/// Nobody can write there, as where a disk was not mounted and something else stands in its place.
#[async_test]
async fn a_folder_that_cannot_be_used_is_told_and_nothing_is_lost() {
    let mut app = plan().start().await;
    let (folder, away) = (app.folder().join("data/files"), app.folder().join("data/away"));
    {
        let owner = Owner::sign_in(&app, NUMBER).await;
        let whole = owner.keep("a.txt", b"hello").await;
        let upload = owner.announce("clip.mp4", SIZE).await;
        owner.piece(&upload, 0, bytes(SIZE)[..4_000].to_vec()).await.expect(204);
        fs::rename(&folder, &away).unwrap();
        fs::write(&folder, "no folder").unwrap();
        owner.is_told_that_the_store_is_away(&upload).await;
        let path = format!("/files/{whole}");
        owner.call(Method::GET, &path, None).await.expect_code(503, "unavailable");
        fs::remove_file(&folder).unwrap();
        fs::rename(&away, &folder).unwrap();
        owner.goes_on(&upload).await;
        assert_eq!(owner.whole(&path).await, b"hello");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 2, "what was refused is gone");
    }
    assert!(failures(&mut app, "unavailable").await >= 3.0);
    assert!(!app.apis[0].events("file_store_unavailable").is_empty());
}

#[async_test]
async fn an_object_store_that_is_away_is_told_and_nothing_is_lost() {
    let store = FakeS3::start().await;
    let mut app = store.hold(plan()).start().await;
    {
        let owner = Owner::sign_in(&app, NUMBER).await;
        let whole = owner.ask("POST", "/files?name=a.txt", &[], "hello").await.expect(201);
        let whole = whole.header("location").to_owned();
        let once = json!({ "max_downloads": 1 });
        let link = owner.call(Method::POST, &format!("{whole}/links"), Some(&once)).await;
        let link = link.expect(200).body["url"].as_str().unwrap().to_owned();
        let upload = owner.announce("clip.mp4", SIZE).await;
        for (offset, end) in [(0, 1_000), (1_000, 4_000)] {
            let piece = bytes(SIZE)[offset..end].to_vec();
            owner.piece(&upload, offset, piece).await.expect(204);
        }
        assert_eq!(store.keys().len(), 3, "{:?}", store.keys());

        store.way.close();
        owner.is_told_that_the_store_is_away(&upload).await;
        // A link that is good once is so still.
        let refused = get(&app, Method::GET, &link, &[]).await.expect(503);
        assert_eq!(refused.code(), "unavailable");
        store.way.open();
        get(&app, Method::GET, &link, &[]).await.expect(302);
        get(&app, Method::GET, &link, &[]).await.expect(404);
        owner.goes_on(&upload).await;
        let ids = [&whole, &upload].map(|path| path.trim_start_matches("/files/").to_owned());
        let mut keys = store.keys();
        keys.retain(|key| !ids.contains(key));
        assert!(keys.is_empty(), "{keys:?}");
    }
    assert!(failures(&mut app, "unavailable").await >= 3.0);
}

/// A piece that a process put and ended before it said so does not stay for as long as its file.
#[async_test]
async fn what_uploads_leave_behind_in_an_object_store_is_removed() {
    let store = FakeS3::start().await;
    let mut app = store.hold(plan().set("FILE_SWEEP_SECONDS", "1")).start().await;
    let (whole, part) = {
        let owner = Owner::sign_in(&app, NUMBER).await;
        let (whole, part) = (owner.announce("a", 5).await, owner.announce("b", 100).await);
        owner.piece(&whole, 0, b"whole".to_vec()).await.expect(204);
        owner.piece(&part, 0, b"pa".to_vec()).await.expect(204);
        owner.piece(&part, 2, b"rt".to_vec()).await.expect(204);
        let id = |path: &str| path.trim_start_matches("/files/").to_owned();
        (id(&whole), id(&part))
    };
    let mut expected =
        [whole.clone(), format!("tails/{part}/2"), format!("tails/{part}/4")].to_vec();
    expected.sort();
    assert_eq!(store.keys(), expected);
    store.put(&format!("tails/{whole}/3"), b"who");
    store.put(&format!("tails/{part}/3"), b"par");
    store.put("pictures/other", b"not a file");
    app.start_worker().await;
    eventually(10 * SECOND, "the end of what is of no use", async || {
        let mut keys = store.keys();
        keys.retain(|key| key != "pictures/other");
        (keys == expected).then_some(())
    })
    .await;
    eventually(5 * SECOND, "files that nobody holds", async || {
        let leases: Vec<Option<String>> = app.database.column("SELECT lease FROM files").await;
        (leases == [None, None]).then_some(())
    })
    .await;
}
