//! The worker tidies up after uploads that were given up, accounts that were deleted, and crashes.

use std::path::PathBuf;

use common::domain::ids::FileId;
use http::Method;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::stored::{Owner, plan};
use crate::support::app::{App, Plan};
use crate::support::durations::SECOND;
use crate::support::eventually;
use crate::support::numbers::NUMBER;

fn sweeping() -> Plan {
    plan().workers(2).set("FILE_SWEEP_SECONDS", "1")
}

fn folder(app: &App) -> PathBuf {
    app.folder().join("data/files")
}

fn kept(app: &App) -> Vec<String> {
    let names = std::fs::read_dir(folder(app)).unwrap();
    let mut names: Vec<String> =
        names.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

async fn rows(app: &App) -> Vec<String> {
    app.database.column("SELECT id FROM files ORDER BY id").await
}

#[async_test]
async fn an_upload_that_was_given_up_goes_with_its_bytes() {
    let app = sweeping().start().await;
    let owner = Owner::sign_in(&app, NUMBER).await;
    let (given_up, other) = (owner.announce("a", 100).await, owner.announce("b", 100).await);
    let whole = owner.announce("c", 5).await;
    for (path, bytes) in [(&given_up, 50), (&other, 50), (&whole, 5)] {
        owner.piece(path, 0, vec![b'x'; bytes]).await.expect(204);
    }
    let id = given_up.trim_start_matches("/files/");
    let expire = |id: &str| {
        format!("UPDATE files SET expires_at = '2026-01-01T00:00:00Z' WHERE id = '{id}'")
    };
    app.database.execute(&expire(id)).await;
    app.database.execute(&expire(whole.trim_start_matches("/files/"))).await;
    eventually(10 * SECOND, "the end of what was given up", async || {
        (rows(&app).await.len() == 2 && kept(&app).len() == 2).then_some(())
    })
    .await;
    owner.tus("HEAD", &given_up, &[], "").await.expect(404);
    // One that moves lives on, and so does what is complete.
    assert_eq!(owner.offset(&other).await, 50);
    assert_eq!(owner.whole(&whole).await, b"xxxxx");
    assert_eq!(rows(&app).await, kept(&app));
}

/// No byte has to come for it, so none ever does where its user goes away.
#[async_test]
async fn an_empty_file_that_was_only_announced_expires() {
    let app = sweeping().start().await;
    let owner = Owner::sign_in(&app, NUMBER).await;
    let path = owner.announce("a", 10).await;
    let id = path.trim_start_matches("/files/");
    app.database
        .execute(&format!(
            "UPDATE files SET size = 0, expires_at = '2026-01-01T00:00:00Z' WHERE id = '{id}'"
        ))
        .await;
    eventually(10 * SECOND, "its end", async || rows(&app).await.is_empty().then_some(())).await;
}

#[async_test]
async fn an_expired_upload_takes_nothing_even_before_the_sweep() {
    let app = plan().start().await;
    let owner = Owner::sign_in(&app, NUMBER).await;
    let path = owner.announce("a", 100).await;
    app.database.execute("UPDATE files SET expires_at = '2026-01-01T00:00:00Z'").await;
    owner.piece(&path, 0, vec![0; 10]).await.expect_code(410, "upload_expired");
    owner.tus("HEAD", &path, &[], "").await.expect(410);
}

#[async_test]
async fn the_bytes_of_a_deleted_account_go() {
    let app = sweeping().start().await;
    let owner = Owner::sign_in(&app, NUMBER).await;
    let (whole, part) = (owner.announce("a", 5).await, owner.announce("b", 100).await);
    owner.piece(&whole, 0, b"whole".to_vec()).await.expect(204);
    owner.piece(&part, 0, b"part".to_vec()).await.expect(204);
    assert_eq!(kept(&app).len(), 2);
    let deletion = async |body: serde_json::Value| {
        owner.call(Method::POST, "/me/deletion", Some(&body)).await.expect(200)
    };
    deletion(json!({})).await;
    deletion(json!({ "otp": "471147" })).await;
    eventually(10 * SECOND, "the end of all files", async || {
        (rows(&app).await.is_empty() && kept(&app).is_empty()).then_some(())
    })
    .await;
}

#[async_test]
async fn what_a_crash_left_out_or_behind_is_made_up_for() {
    let app = plan().workers(0).start().await;
    let owner = Owner::sign_in(&app, NUMBER).await;
    let path = owner.announce("a", 5).await;
    owner.piece(&path, 0, b"whole".to_vec()).await.expect(204);
    // The last step is missing, and there are bytes that nobody knows.
    app.database.execute("UPDATE files SET completed_at = NULL").await;
    let unknown = FileId::random();
    std::fs::write(folder(&app).join(unknown.as_str()), "unknown").unwrap();
    std::fs::create_dir(folder(&app).join("pictures")).unwrap();
    std::fs::write(folder(&app).join("pictures").join(unknown.as_str()), "not a file").unwrap();
    owner.call(Method::GET, &path, None).await.expect(404);

    let mut app = app;
    app.start_worker().await;
    eventually(10 * SECOND, "a complete file", async || {
        let complete: Vec<Option<String>> =
            app.database.column("SELECT CAST(completed_at AS text) FROM files").await;
        complete[0].is_some().then_some(())
    })
    .await;
    eventually(10 * SECOND, "the end of unknown bytes", async || {
        (!kept(&app).contains(&unknown.to_string())).then_some(())
    })
    .await;
    let other = std::fs::read(folder(&app).join("pictures").join(unknown.as_str())).unwrap();
    assert_eq!(other, b"not a file", "what is no file of a user is let alone");
    let hash: Vec<Vec<u8>> = app.database.column("SELECT sha256 FROM files").await;
    assert_eq!(hash, [Sha256::digest("whole").to_vec()]);
}
