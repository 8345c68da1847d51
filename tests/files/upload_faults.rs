//! Uploads while processes end and the disk is full.

use http::Method;
use sha2::{Digest, Sha256};

use super::stored::{Owner, plan};
use super::uploads::bytes;
use crate::support::app::App;
use crate::support::durations::SECOND;
use crate::support::eventually;
use crate::support::numbers::NUMBER;
use crate::support::raw::Connection;

/// Begins to send a file of so many bytes to the first API process.
fn begin(app: &App, owner: &Owner<'_>, path: &str, size: usize) -> Connection {
    let mut connection = Connection::open(app.client_of(0).address());
    let authorization = owner.authorization();
    let head = format!(
        "PATCH {path} HTTP/1.1\r\nHost: a\r\nAuthorization: {authorization}\r\n\
         Tus-Resumable: 1.0.0\r\nUpload-Offset: 0\r\nContent-Length: {size}\r\n\
         Content-Type: application/offset+octet-stream\r\n\r\n"
    );
    connection.write(head.as_bytes());
    connection
}

/// So many bytes are written down of the file in the database, which the first API process knows.
async fn received(app: &App) -> i64 {
    app.database.column::<i64>("SELECT received FROM files").await[0]
}

/// Of the one file that there is.
fn bytes_in_folder(app: &App) -> u64 {
    let mut folder = std::fs::read_dir(app.folder().join("data/files")).unwrap();
    folder.next().unwrap().unwrap().metadata().unwrap().len()
}

#[async_test]
async fn an_upload_goes_on_at_another_process_after_one_was_killed() {
    const SIZE: usize = 3_000_000;
    let mut app = plan().apis(2).start().await;
    let content = bytes(SIZE);
    let (path, authorization) = {
        let owner = Owner::sign_in(&app, NUMBER).await;
        let path = owner.announce("clip.mp4", SIZE).await;
        let mut connection = begin(&app, &owner, &path, SIZE);
        connection.write(&content[..1_000_000]);
        // What came is written down every five seconds, and what follows is not yet.
        eventually(10 * SECOND, "a checkpoint", async || (received(&app).await > 0).then_some(()))
            .await;
        connection.write(&content[1_000_000..2_000_000]);
        (path, owner.authorization())
    };
    app.apis[0].signal("KILL");
    app.apis[0].ended(5 * SECOND).await;
    let kept = usize::try_from(received(&app).await).unwrap();
    assert_eq!(kept, 1_000_000);

    // The one that is gone holds the upload for some seconds.
    let client = app.client_of(1).clone();
    let send = async |method: Method, headers: &[(&'static str, &str)], body: Vec<u8>| {
        let all = [headers, &[("authorization", &authorization), ("tus-resumable", "1.0.0")]];
        let headers = all
            .concat()
            .into_iter()
            .map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap()));
        client.send(method, &path, headers.collect(), body).await
    };
    let head = send(Method::HEAD, &[], vec![]).await.expect(200);
    assert_eq!(head.header("upload-offset"), "1000000");
    let offset = kept.to_string();
    let piece = ("content-type", "application/offset+octet-stream");
    let headers = [piece, ("upload-offset", offset.as_str())];
    let done = eventually(15 * SECOND, "the end of the lease", async || {
        let answer = send(Method::PATCH, &headers, content[kept..].to_vec()).await;
        if answer.status == 423 {
            return None;
        }
        Some(answer)
    })
    .await;
    done.expect(204);
    let hash: Vec<Vec<u8>> = app.database.column("SELECT sha256 FROM files").await;
    assert_eq!(hash, [Sha256::digest(&content).to_vec()]);
}

/// Nobody can go on with a file that was to come in one request, so it does not stay for a day, nor
/// does its user's room.
#[async_test]
async fn a_file_in_one_request_ends_soon_after_the_process_that_had_it() {
    let plan = plan().apis(2).set("FILES_PER_USER", "1").set("FILE_SWEEP_SECONDS", "1");
    let mut app = plan.start().await;
    let (token, id) = {
        let owner = Owner::sign_in(&app, NUMBER).await;
        let mut connection = Connection::open(app.client_of(0).address());
        let authorization = owner.authorization();
        let head = format!(
            "POST /files HTTP/1.1\r\nHost: a\r\nAuthorization: {authorization}\r\n\
             Content-Length: 1000\r\n\r\nhello"
        );
        connection.write(head.as_bytes());
        eventually(5 * SECOND, "the announcement", async || {
            let rows: Vec<i64> = app.database.column("SELECT serial FROM files").await;
            (rows.len() == 1).then_some(())
        })
        .await;
        (owner.token.clone(), owner.id)
    };
    app.apis[0].signal("KILL");
    app.apis[0].ended(5 * SECOND).await;
    let mut headers = http::HeaderMap::new();
    headers.insert("authorization", format!("Bearer {token}").parse().unwrap());
    let client = app.client_of(1).clone();
    let send = async || client.send(Method::POST, "/files", headers.clone(), "other").await;
    send().await.expect_code(403, "too_many_files");
    app.start_worker().await;
    eventually(30 * SECOND, "room for another one", async || {
        (send().await.status == 201).then_some(())
    })
    .await;
    // The row of the other one goes with its bytes.
    let users = "SELECT user_id FROM files WHERE user_id IS NOT NULL";
    assert_eq!(app.database.column::<i64>(users).await, [id]);
}

#[async_test]
async fn a_process_that_stops_tells_uploads_to_go_on_elsewhere() {
    const SIZE: usize = 2_000_000;
    let mut app = plan().apis(2).start().await;
    let content = bytes(SIZE);
    let mut connection = {
        let owner = Owner::sign_in(&app, NUMBER).await;
        let path = owner.announce("clip.mp4", SIZE).await;
        let mut connection = begin(&app, &owner, &path, SIZE);
        connection.write(&content[..300_000]);
        eventually(10 * SECOND, "a checkpoint", async || {
            (received(&app).await == 300_000).then_some(())
        })
        .await;
        // So much more that some of it is in the file before it is written down.
        connection.write(&content[300_000..900_000]);
        eventually(5 * SECOND, "more bytes", async || {
            (bytes_in_folder(&app) > 300_000).then_some(())
        })
        .await;
        connection
    };
    app.apis[0].signal("TERM");
    let answer = connection.read_until(5 * SECOND, "go on with the upload");
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    assert!(app.apis[0].ended(10 * SECOND).await.success());
    assert!(received(&app).await > 300_000, "the stop writes down what came");
    let held: Vec<Option<String>> = app.database.column("SELECT lease FROM files").await;
    assert_eq!(held, [None], "another process may go on at once");
}

/// With a limit on what files may grow to, a write fails as it does on a full disk.
#[async_test]
async fn a_full_disk_is_told_and_what_is_kept_stays() {
    const SIZE: usize = 4_000_000;
    // In units of 512 or 1,024 bytes, as the shell has them: more than what SQLite writes.
    const BLOCKS: u32 = 2_048;
    let mut app = plan().apis(0).start().await;
    app.file_limit = Some(BLOCKS);
    app.start_api().await;
    let owner = Owner::sign_in(&app, NUMBER).await;
    let content = bytes(SIZE);
    let path = owner.announce("clip.mp4", SIZE).await;
    owner.piece(&path, 0, content[..500_000].to_vec()).await.expect(204);
    for _ in 0..2 {
        let full = owner.piece(&path, 500_000, content[500_000..].to_vec()).await;
        full.expect_code(507, "file_store_full");
        assert_eq!(owner.offset(&path).await, 500_000);
    }
    let whole = owner.ask("POST", "/files", &[], content.clone()).await;
    whole.expect_code(507, "file_store_full");
    let list = owner.call(Method::GET, "/files", None).await.expect(200).body;
    assert_eq!(list["data"].as_array().unwrap().len(), 1, "what did not fit is gone");
    let folder = std::fs::read_dir(app.folder().join("data/files")).unwrap();
    let left: u64 = folder.map(|file| file.unwrap().metadata().unwrap().len()).sum();
    assert_eq!(left, 500_000, "and takes no room");
}
