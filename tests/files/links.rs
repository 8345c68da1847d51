//! Links by which anybody gets a file.

use http::Method;
use serde_json::json;

use super::stored::{Owner, get, plan};
use crate::support::app::App;
use crate::support::durations::SECOND;
use crate::support::eventually;
use crate::support::numbers::{NUMBER, OTHER_NUMBER};
use crate::support::pictures::picture;

/// The path of a URL that a link was told as.
fn path_of(url: &str) -> String {
    assert!(url.starts_with("https://signin.example.com/shared/"), "{url}");
    url.trim_start_matches("https://signin.example.com").to_owned()
}

async fn start() -> App {
    plan().set("PUBLIC_URL", "https://signin.example.com").start().await
}

impl Owner<'_> {
    /// Makes a link; its id, and where it leads.
    async fn share(&self, file: &str, terms: serde_json::Value) -> (String, String) {
        let made = self.call(Method::POST, &format!("/files/{file}/links"), Some(&terms)).await;
        let made = made.expect(200).body;
        let id = made["data"]["id"].as_str().unwrap().to_owned();
        (id, path_of(made["url"].as_str().unwrap()))
    }
}

#[async_test]
async fn a_link_gives_the_file_to_anybody_until_it_ends() {
    let app = start().await;
    let owner = Owner::sign_in(&app, NUMBER).await;
    let other = Owner::sign_in(&app, OTHER_NUMBER).await;
    let bytes = picture("plain.jpg");
    let file = owner.keep("holiday.jpg", &bytes).await;
    let (id, path) = owner.share(&file, json!({})).await;
    let got = get(&app, Method::GET, &path, &[]).await.expect(200);
    assert_eq!(got.bytes, bytes);
    assert_eq!(got.header("content-disposition"), "attachment; filename=\"holiday.jpg\"");
    assert!(got.header("content-security-policy").ends_with("; sandbox"));
    assert_eq!(got.header("referrer-policy"), "no-referrer");
    assert!(get(&app, Method::HEAD, &path, &[]).await.expect(200).bytes.is_empty());
    let known = [("if-none-match", got.header("etag"))];
    get(&app, Method::GET, &path, &known).await.expect(304);
    let part = get(&app, Method::GET, &path, &[("range", "bytes=10-19")]).await.expect(206);
    assert_eq!(part.bytes, bytes[10..20]);

    // Counted is what begins with the first byte.
    let links = format!("/files/{file}/links");
    let listed = owner.call(Method::GET, &links, None).await.expect(200).body;
    assert_eq!(listed["data"][0]["downloads"], 1, "{listed}");
    assert_eq!(listed["data"][0]["id"], id.as_str());
    assert!(!listed.to_string().contains(path.trim_start_matches("/shared/")));

    // It is nobody else's to see or to end.
    let end = format!("{links}/{id}");
    other.call(Method::GET, &links, None).await.expect_code(404, "not_found");
    other.call(Method::POST, &links, Some(&json!({}))).await.expect_code(404, "not_found");
    other.call(Method::DELETE, &end, None).await.expect_code(404, "not_found");
    get(&app, Method::GET, &links, &[]).await.expect(401);
    owner.call(Method::DELETE, &end, None).await.expect(204);
    owner.call(Method::DELETE, &end, None).await.expect_code(404, "not_found");
    assert_eq!(get(&app, Method::GET, &path, &[]).await.expect(404).code(), "not_found");

    // With its file it goes too.
    let (_, path) = owner.share(&file, json!({})).await;
    get(&app, Method::GET, &path, &[]).await.expect(200);
    owner.call(Method::DELETE, &format!("/files/{file}"), None).await.expect(204);
    get(&app, Method::GET, &path, &[]).await.expect(404);
    for wrong in ["/shared/x", "/shared/aaaaaaaaaaaaaaaaaaaaaaaaaa", "/shared/..%2fhealthz"] {
        get(&app, Method::GET, wrong, &[]).await.expect(404);
    }
    let events = owner.call(Method::GET, "/me/events", None).await.expect(200).body;
    assert_eq!(events["data"][0]["kind"], "file_link_made");

    let secret = path.trim_start_matches("/shared/");
    assert!(!app.logs().contains(secret), "the link is in a log");
    let kept = app.database.everything().await;
    let is_kept = kept.windows(secret.len()).any(|bytes| bytes == secret.as_bytes());
    assert!(!is_kept, "the link is in the database");
}

#[async_test]
async fn a_link_that_is_counted_is_good_so_often_and_no_more() {
    let app = start().await;
    let owner = Owner::sign_in(&app, NUMBER).await;
    let file = owner.keep("a.txt", b"hello").await;
    let (_, path) = owner.share(&file, json!({ "max_downloads": 3 })).await;
    // A part counts as much, so none is handed out.
    get(&app, Method::HEAD, &path, &[]).await.expect(200);
    let part = get(&app, Method::GET, &path, &[("range", "bytes=1-")]).await.expect(200);
    assert_eq!((part.bytes.as_slice(), part.header("accept-ranges")), (&b"hello"[..], "none"));
    // Of many at once as many succeed as are left.
    let all = (0..10).map(|_| async { get(&app, Method::GET, &path, &[]).await.status });
    let mut statuses = futures_util::future::join_all(all).await;
    statuses.sort_unstable();
    assert_eq!(statuses[..3], [200, 200, 404], "{statuses:?}");
    get(&app, Method::HEAD, &path, &[]).await.expect(404);
    let left = owner.call(Method::GET, &format!("/files/{file}/links"), None).await.expect(200);
    assert_eq!(left.body["data"], json!([]), "one that is used up is no link any more");
}

/// A use is what hands out the file.
#[async_test]
async fn a_link_loses_no_use_where_the_file_cannot_be_had() {
    let app = start().await;
    let owner = Owner::sign_in(&app, NUMBER).await;
    let file = owner.keep("a.txt", b"hello").await;
    let (_, path) = owner.share(&file, json!({ "max_downloads": 1 })).await;
    let (here, away) = (app.folder().join("data/files").join(&file), app.folder().join("away"));
    std::fs::rename(&here, &away).unwrap();
    for _ in 0..2 {
        get(&app, Method::GET, &path, &[]).await.expect(404);
    }
    std::fs::rename(&away, &here).unwrap();
    assert_eq!(get(&app, Method::GET, &path, &[]).await.expect(200).bytes, b"hello");
    get(&app, Method::GET, &path, &[]).await.expect(404);
}

#[async_test]
async fn a_link_lives_as_long_as_it_says_and_a_file_has_few() {
    let app = plan()
        .set("PUBLIC_URL", "https://signin.example.com")
        .set("LINKS_PER_FILE", "2")
        .set("LINK_MAX_DAYS", "1")
        .start()
        .await;
    let owner = Owner::sign_in(&app, NUMBER).await;
    let file = owner.keep("a.txt", b"hello").await;
    let links = format!("/files/{file}/links");
    for bad in [
        json!({ "expires_in": 59 }),
        json!({ "expires_in": 86_401 }),
        json!({ "max_downloads": 0 }),
        json!({ "max_downloads": 1_000_001 }),
    ] {
        let answer = owner.call(Method::POST, &links, Some(&bad)).await;
        answer.expect_code(400, "invalid_link");
    }
    for bad in [json!({ "expires_in": -1 }), json!({ "expires_in": "1" }), json!({ "x": 1 })] {
        let answer = owner.call(Method::POST, &links, Some(&bad)).await;
        answer.expect_code(400, "invalid_payload");
    }
    let (_, first) = owner.share(&file, json!({ "expires_in": 60 })).await;
    let (second, _) = owner.share(&file, json!({ "expires_in": 86_400 })).await;
    let third = owner.call(Method::POST, &links, Some(&json!({}))).await;
    third.expect_code(409, "too_many_links");
    owner.call(Method::DELETE, &format!("{links}/{second}"), None).await.expect(204);
    owner.share(&file, json!({})).await;

    // A minute later the first one is good for nothing, and makes room.
    let past = "UPDATE file_links SET expires_at = created_at WHERE serial = 1";
    app.database.execute(past).await;
    get(&app, Method::GET, &first, &[]).await.expect(404);
    owner.share(&file, json!({})).await;
}

#[async_test]
async fn nobody_fills_the_database_with_links() {
    let app = plan().set("LINKS_PER_FILE", "0").start().await;
    let owner = Owner::sign_in(&app, NUMBER).await;
    let file = owner.keep("a.txt", b"hello").await;
    let links = format!("/files/{file}/links");
    for _ in 0..100 {
        let made = owner.call(Method::POST, &links, Some(&json!({}))).await.expect(200);
        assert!(made.body["url"].as_str().unwrap().starts_with("/shared/"));
    }
    let refused = owner.call(Method::POST, &links, Some(&json!({}))).await;
    assert!((3_500..=3_600).contains(&refused.retry_after()), "{refused:?}");
    refused.expect_code(429, "link_limit");
}

#[async_test]
async fn expired_links_are_removed() {
    let mut app = start().await;
    let owner = Owner::sign_in(&app, NUMBER).await;
    let file = owner.keep("a.txt", b"hello").await;
    owner.share(&file, json!({})).await;
    owner.share(&file, json!({})).await;
    app.database.execute("UPDATE file_links SET expires_at = created_at WHERE serial = 1").await;
    app.start_worker().await;
    eventually(20 * SECOND, "an end of the link", async || {
        let left: Vec<i64> = app.database.column("SELECT serial FROM file_links").await;
        (left == [2]).then_some(())
    })
    .await;
}
