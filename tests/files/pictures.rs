//! Pictures of users, from what they put to what everybody sees.

use common::domain::ids::PictureId;
use http::Method;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::stored::{Got, Owner, get, plan};
use crate::support::app::App;
use crate::support::durations::SECOND;
use crate::support::eventually;
use crate::support::numbers::NUMBER;
use crate::support::pictures::{chunk, picture, png_head};

const PUBLIC_URL: &str = "https://signin.example.com";

async fn start(workers: usize) -> App {
    plan().workers(workers).set("PUBLIC_URL", PUBLIC_URL).start().await
}

impl Owner<'_> {
    async fn put(&self, bytes: &[u8], content_type: &str) -> Got {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let url = format!("http://{}/me/picture", self.app.client().address());
        let request = http.put(url).header("authorization", self.authorization());
        let response = request.header("content-type", content_type).body(bytes.to_vec()).send();
        let response = response.await.unwrap();
        let status = response.status().as_u16();
        Got { status, headers: Default::default(), bytes: response.bytes().await.unwrap().to_vec() }
    }

    /// What the user sees once nothing is being made any more.
    async fn made(&self) -> Value {
        eventually(30 * SECOND, "an end of the job", async || {
            let own = self.call(Method::GET, "/me/picture", None).await.expect(200).body;
            (own["being_made"] == false).then_some(own)
        })
        .await
    }

    async fn me(&self) -> Value {
        self.call(Method::GET, "/me", None).await.expect(200).body
    }
}

/// The path of the picture that somebody has.
fn path_of(url: &Value) -> String {
    let path = url.as_str().unwrap().strip_prefix(PUBLIC_URL).unwrap();
    assert!(path.starts_with("/pictures/") && path.len() == "/pictures/".len() + 26, "{path}");
    path.to_owned()
}

/// Names of what is kept.
fn kept(app: &App) -> Vec<String> {
    let folder = std::fs::read_dir(app.folder().join("data/files")).unwrap();
    folder.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

async fn nothing_is_kept_but(app: &App, count: usize) {
    eventually(20 * SECOND, "an end of the bytes", async || {
        (kept(app).len() == count).then_some(())
    })
    .await;
}

#[async_test]
async fn a_picture_is_made_seen_changed_and_removed() {
    let app = start(1).await;
    let owner = Owner::sign_in(&app, NUMBER).await;
    assert_eq!(owner.me().await["picture"], Value::Null);

    // The type that the client tells does not matter.
    owner.put(&picture("turned.jpg"), "text/html").await.expect(202);
    let own = owner.made().await;
    assert!(own.get("fault").is_none_or(Value::is_null), "{own}");
    assert_eq!(owner.me().await["picture"], own["url"]);
    let first = path_of(&own["url"]);
    let seen = get(&app, Method::GET, &first, &[]).await.expect(200);
    assert_eq!(&seen.bytes[8..16], b"WEBPVP8L");
    assert!(!seen.bytes.windows(6).any(|bytes| bytes == b"Camera"));
    for (name, value) in [
        ("content-type", "image/webp"),
        ("cache-control", "public, max-age=86400"),
        ("content-disposition", "inline; filename=\"picture.webp\""),
        ("x-content-type-options", "nosniff"),
    ] {
        assert_eq!(seen.header(name), value, "{name}");
    }
    assert!(seen.header("content-security-policy").ends_with("; sandbox"));
    let known = [("if-none-match", seen.header("etag"))];
    get(&app, Method::GET, &first, &known).await.expect(304);
    assert!(get(&app, Method::HEAD, &first, &[]).await.expect(200).bytes.is_empty());
    nothing_is_kept_but(&app, 1).await;

    // Another one has another URL, and the first one is gone with its bytes.
    owner.put(&picture("plain.jpg"), "image/png").await.expect(202);
    let second = path_of(&owner.made().await["url"]);
    assert_ne!(second, first);
    get(&app, Method::GET, &first, &[]).await.expect(404);
    get(&app, Method::GET, &second, &[]).await.expect(200);
    nothing_is_kept_but(&app, 1).await;

    // What cannot be made leaves the picture as it is, and says why.
    let bomb = [png_head(30_000, 30_000), chunk(b"IDAT", b""), chunk(b"IEND", b"")].concat();
    for (bytes, fault) in
        [(picture("lossy.webp")[..60].to_vec(), "damaged"), (bomb, "too_many_pixels")]
    {
        owner.put(&bytes, "image/webp").await.expect(202);
        let own = owner.made().await;
        assert_eq!(own["fault"], fault);
        assert_eq!(path_of(&own["url"]), second);
    }
    get(&app, Method::GET, &second, &[]).await.expect(200);

    owner.call(Method::DELETE, "/me/picture", None).await.expect(204);
    owner.call(Method::DELETE, "/me/picture", None).await.expect(204);
    assert_eq!(owner.me().await["picture"], Value::Null);
    assert_eq!(owner.made().await["fault"], Value::Null);
    get(&app, Method::GET, &second, &[]).await.expect(404);
    nothing_is_kept_but(&app, 0).await;
    let events = owner.call(Method::GET, "/me/events", None).await.expect(200).body;
    let changes = events["data"].as_array().unwrap().iter();
    let changes = changes.filter(|event| event["kind"] == "picture_changed").count();
    assert_eq!(changes, 3, "two that could be seen, and the removal");

    // With the account go the bytes.
    owner.put(&picture("plain.jpg"), "image/jpeg").await.expect(202);
    let third = path_of(&owner.made().await["url"]);
    nothing_is_kept_but(&app, 1).await;
    app.database.execute("DELETE FROM users").await;
    get(&app, Method::GET, &third, &[]).await.expect(404);
    nothing_is_kept_but(&app, 0).await;
    for wrong in ["/pictures/x", "/pictures/aaaaaaaaaaaaaaaaaaaaaaaaaa"] {
        get(&app, Method::GET, wrong, &[]).await.expect(404);
    }
}

#[async_test]
async fn what_is_no_picture_or_too_large_is_refused_early() {
    let app = plan().workers(0).set("PICTURE_MAX_BYTES", "5000").start().await;
    let owner = Owner::sign_in(&app, NUMBER).await;
    let html = b"<!DOCTYPE html><script>alert(document.domain)</script>";
    for bytes in [&html[..], b"", b"GIF89a\x01\0\x01\0\0\0\0;aaaa", b"\x89PNG", b"%PDF-1.7 aaaaaaa"]
    {
        let refused = owner.put(bytes, "image/png").await.expect(415);
        assert_eq!(refused.code(), "not_a_picture");
    }
    let long = [picture("plain.jpg"), vec![0; 5_000]].concat();
    // Some clients do not read an answer while they still send.
    let head = |framing: &str| {
        let authorization = owner.authorization();
        format!(
            "PUT /me/picture HTTP/1.1\r\nHost: a\r\nAuthorization: {authorization}\r\n{framing}\r\n"
        )
    };
    let announced = head("Content-Length: 5001\r\nExpect: 100-continue\r\n");
    assert!(answer_to(&app, announced.as_bytes()).await.starts_with("HTTP/1.1 413 "));
    let mut chunked = head("Transfer-Encoding: chunked\r\n").into_bytes();
    chunked.extend(format!("{:x}\r\n", long.len()).into_bytes());
    chunked.extend(&long);
    chunked.extend(b"\r\n0\r\n\r\n");
    let answer = answer_to(&app, &chunked).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(answer.contains("\"picture_too_large\""), "{answer}");
    get(&app, Method::PUT, "/me/picture", &[]).await.expect(401);
    let own = owner.call(Method::GET, "/me/picture", None).await.expect(200).body;
    assert_eq!((&own["url"], &own["being_made"]), (&Value::Null, &Value::Bool(false)));
}

/// The head and the beginning of the body of what raw bytes are answered.
async fn answer_to(app: &App, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(app.client().address()).await.unwrap();
    stream.write_all(request).await.unwrap();
    let (mut text, mut buffer) = (String::new(), [0; 4096]);
    while !text.contains("\"code\"") {
        let count = stream.read(&mut buffer).await.unwrap();
        assert!(count > 0, "{text}");
        text.push_str(&String::from_utf8_lossy(&buffer[..count]));
    }
    text
}

#[async_test]
async fn a_user_puts_so_many_pictures_within_an_hour() {
    let app = plan().workers(0).set("PICTURES_PER_HOUR", "3").start().await;
    let owner = Owner::sign_in(&app, NUMBER).await;
    for _ in 0..2 {
        owner.put(&picture("plain.jpg"), "image/jpeg").await.expect(202);
    }
    owner.put(b"no picture, which counts too", "image/jpeg").await.expect(415);
    let refused = owner.put(&picture("plain.jpg"), "image/jpeg").await.expect(429);
    assert_eq!(refused.code(), "picture_limit");
}

/// The one that is being made when its worker is killed is made by another one.
#[async_test]
async fn a_killed_worker_s_picture_is_made_by_another() {
    use std::io::Read;
    let mut app = start(0).await;
    let owner = Owner::sign_in(&app, NUMBER).await;
    let mut large = Vec::new();
    let packed = picture("large_progressive.jpg.gz");
    flate2::read::GzDecoder::new(&packed[..]).read_to_end(&mut large).unwrap();
    owner.put(&large, "image/jpeg").await.expect(202);
    let (token, id) = (owner.token.clone(), owner.id);
    app.start_worker().await;
    eventually(20 * SECOND, "a beginning", async || {
        let begun: Vec<i32> = app.database.column("SELECT attempts FROM pictures").await;
        (begun == [1]).then_some(())
    })
    .await;
    app.workers[0].signal("KILL");
    app.start_worker().await;
    let own = Owner { app: &app, token, id }.made().await;
    let attempts: Vec<i32> = app.database.column("SELECT attempts FROM pictures").await;
    assert!(attempts[0] >= 2, "{attempts:?}");
    let seen = get(&app, Method::GET, &path_of(&own["url"]), &[]).await.expect(200);
    let seen = image::load_from_memory(&seen.bytes).unwrap();
    assert_eq!((seen.width(), seen.height()), (512, 512));
}

#[async_test]
async fn a_store_that_fails_is_no_fault_of_the_picture() {
    let mut app = start(0).await;
    let owner = Owner::sign_in(&app, NUMBER).await;
    owner.put(&picture("plain.jpg"), "image/jpeg").await.expect(202);
    let put = app.folder().join("data/files").join(&kept(&app)[0]);
    let aside = app.folder().join("aside");
    std::fs::rename(&put, &aside).unwrap();
    // What leads to itself can be found and not read.
    std::os::unix::fs::symlink(&put, &put).unwrap();
    let (token, id) = (owner.token.clone(), owner.id);
    app.start_worker().await;
    // More often than a picture is tried whose jobs end without a word.
    for count in 1..=5 {
        eventually(20 * SECOND, "a job in vain", async || {
            (app.workers[0].events("picture_not_made").len() == count).then_some(())
        })
        .await;
        eventually(SECOND, "a job that counts no more", async || {
            let attempts: Vec<i32> = app.database.column("SELECT attempts FROM pictures").await;
            (attempts == [0]).then_some(())
        })
        .await;
        app.database.execute("UPDATE pictures SET due_at = 0").await;
    }
    std::fs::remove_file(&put).unwrap();
    std::fs::rename(&aside, &put).unwrap();
    app.database.execute("UPDATE pictures SET due_at = 0").await;
    let own = Owner { app: &app, token, id }.made().await;
    assert_eq!(own["fault"], Value::Null);
    get(&app, Method::GET, &path_of(&own["url"]), &[]).await.expect(200);
}

#[async_test]
async fn a_picture_that_cannot_be_removed_is_in_no_other_s_way() {
    let app = start(1).await;
    let owner = Owner::sign_in(&app, NUMBER).await;
    owner.put(&picture("plain.jpg"), "image/jpeg").await.expect(202);
    owner.made().await;
    nothing_is_kept_but(&app, 1).await;
    let stuck = app.folder().join("data/files").join(&kept(&app)[0]);
    std::fs::remove_file(&stuck).unwrap();
    std::fs::create_dir(&stuck).unwrap();
    owner.put(&picture("turned.jpg"), "image/jpeg").await.expect(202);
    owner.made().await;
    nothing_is_kept_but(&app, 2).await;
    owner.call(Method::DELETE, "/me/picture", None).await.expect(204);
    nothing_is_kept_but(&app, 1).await;
    assert!(stuck.is_dir(), "the other one is what was removed");
}

/// As where a job ended between two steps, or came too late.
#[async_test]
async fn what_a_job_left_behind_goes_with_the_listing_of_all_bytes() {
    let mut app = plan().workers(1).set("FILE_SWEEP_SECONDS", "1").start().await;
    let owner = Owner::sign_in(&app, NUMBER).await;
    owner.put(&picture("plain.jpg"), "image/jpeg").await.expect(202);
    owner.made().await;
    nothing_is_kept_but(&app, 1).await;
    let made = kept(&app).remove(0);
    let id = made.trim_start_matches("picture-").trim_end_matches(".webp");
    let left = [format!("put-{id}"), format!("picture-{}.webp", PictureId::random())];
    app.workers[0].signal("TERM");
    app.workers[0].ended(20 * SECOND).await;
    for name in &left {
        std::fs::write(app.folder().join("data/files").join(name), "left").unwrap();
    }
    let listed = "{cheershare}:files:listed";
    let removed: u32 = redis::cmd("DEL").arg(listed).query(&mut app.redis.connection()).unwrap();
    assert_eq!(removed, 1, "the next sweep would list nothing");
    app.start_worker().await;
    nothing_is_kept_but(&app, 1).await;
    assert_eq!(kept(&app), [made]);
}
