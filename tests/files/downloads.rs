//! What a user gets of their own files, and nobody else of them.

use std::time::Duration;

use data_encoding::HEXLOWER;
use http::Method;
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::stored::{Owner, get, plan};
use crate::support::app::App;
use crate::support::durations::SECOND;
use crate::support::eventually;
use crate::support::numbers::{NUMBER, OTHER_NUMBER};
use crate::support::pictures::picture;
use crate::support::process::resident_kilobytes;

async fn start() -> App {
    plan().start().await
}

#[async_test]
async fn a_file_comes_back_as_it_is() {
    let app = start().await;
    let owner = Owner::sign_in(&app, NUMBER).await;
    let bytes = picture("plain.jpg");
    let id = owner.keep("Zoë's \"holiday\".jpg", &bytes).await;
    let path = format!("/files/{id}");
    let got = owner.get(Method::GET, &path, &[]).await.expect(200);
    assert_eq!(got.bytes, bytes);
    let etag = format!("\"{}\"", HEXLOWER.encode(&Sha256::digest(&bytes)));
    for (name, value) in [
        ("content-type", "image/jpeg"),
        ("content-length", &bytes.len().to_string()),
        ("etag", &etag),
        ("accept-ranges", "bytes"),
        ("cache-control", "private, no-cache"),
        ("x-content-type-options", "nosniff"),
        (
            "content-disposition",
            "attachment; filename=\"Zo_'s _holiday_.jpg\"; \
             filename*=UTF-8''Zo%C3%AB%27s%20%22holiday%22.jpg",
        ),
        (
            "content-security-policy",
            "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox",
        ),
    ] {
        assert_eq!(got.header(name), value, "{name}");
    }
    assert!(got.header("last-modified").ends_with(" GMT"));
    let inline = owner.get(Method::GET, &format!("{path}?inline=true"), &[]).await.expect(200);
    assert!(inline.header("content-disposition").starts_with("inline; "));

    // Without the bytes, and by halves.
    let head = owner.get(Method::HEAD, &path, &[]).await.expect(200);
    assert!(head.bytes.is_empty());
    for name in ["content-length", "etag", "content-type", "content-disposition"] {
        assert_eq!(head.header(name), got.header(name), "{name}");
    }
    for (range, part) in [
        ("bytes=0-99", &bytes[..100]),
        ("bytes=100-", &bytes[100..]),
        ("bytes=-7", &bytes[bytes.len() - 7..]),
    ] {
        let got = owner.get(Method::GET, &path, &[("range", range)]).await.expect(206);
        assert_eq!(got.bytes, part, "{range}");
        let ending = format!("/{}", bytes.len());
        assert!(got.header("content-range").ends_with(&ending), "{got:?}");
    }
    let several = owner.get(Method::GET, &path, &[("range", "bytes=0-1,3-4")]).await.expect(200);
    assert_eq!(several.bytes, bytes);
    let beyond = owner.get(Method::GET, &path, &[("range", "bytes=9999-")]).await.expect(416);
    assert_eq!(beyond.header("content-range"), format!("bytes */{}", bytes.len()));
    assert_eq!(beyond.code(), "range_not_satisfiable");
    let changed = [("range", "bytes=0-9"), ("if-range", "\"another\"")];
    assert_eq!(owner.get(Method::GET, &path, &changed).await.expect(200).bytes, bytes);
    let known = owner.get(Method::GET, &path, &[("if-none-match", &etag)]).await.expect(304);
    assert!(known.bytes.is_empty() && known.header("etag") == etag);
    let another = owner.get(Method::GET, &path, &[("if-match", "\"another\"")]).await.expect(412);
    assert_eq!(another.code(), "precondition_failed");
}

#[async_test]
async fn the_type_is_what_the_bytes_say_and_nothing_runs() {
    let app = start().await;
    let owner = Owner::sign_in(&app, NUMBER).await;
    let html = b"<!DOCTYPE html><script>document.title = 'ran'</script>";
    let svg = b"<?xml version=\"1.0\"?><svg xmlns=\"http://www.w3.org/2000/svg\" onload=\"x()\"/>";
    let polyglot = [&picture("plain.jpg")[..], html].concat();
    for (name, bytes, told, shown) in [
        ("page.png", &html[..], "application/octet-stream", false),
        ("page.svg", svg, "application/octet-stream", false),
        ("page.html", &polyglot, "image/jpeg", true),
        ("empty.html", b"", "application/octet-stream", false),
    ] {
        let id = owner.keep(name, bytes).await;
        let got =
            owner.get(Method::GET, &format!("/files/{id}?inline=true"), &[]).await.expect(200);
        assert_eq!(got.bytes, bytes);
        assert_eq!(got.header("content-type"), told, "{name}");
        assert_eq!(got.header("content-disposition").starts_with("inline"), shown, "{name}");
        assert!(got.header("content-security-policy").ends_with("; sandbox"));
    }
}

#[async_test]
async fn files_are_their_owner_s_alone_and_go_when_they_say_so() {
    let app = start().await;
    let owner = Owner::sign_in(&app, NUMBER).await;
    let other = Owner::sign_in(&app, OTHER_NUMBER).await;
    let mut ids = Vec::new();
    for number in 0..5 {
        ids.push(owner.keep(&format!("{number}.txt"), format!("file {number}").as_bytes()).await);
    }
    let unfinished = owner.keep_part("clip.mp4", &[0; 1000], 300).await;
    ids.push(unfinished.clone());

    // The list has pages, newest first.
    let mut listed = Vec::new();
    let mut path = "/files?limit=4".to_owned();
    loop {
        let page = owner.call(Method::GET, &path, None).await.expect(200).body;
        listed.extend(page["data"].as_array().unwrap().clone());
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("/files?limit=4&cursor={cursor}");
    }
    let names: Vec<_> = listed.iter().map(|file| file["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["clip.mp4", "4.txt", "3.txt", "2.txt", "1.txt", "0.txt"]);
    assert_eq!(listed[0]["complete"], false);
    assert_eq!((&listed[0]["received"], &listed[0]["size"]), (&300.into(), &1000.into()));
    assert_eq!(listed[1]["sha256"], HEXLOWER.encode(&Sha256::digest("file 4")));

    let path = |id: &str| format!("/files/{id}");
    owner.call(Method::GET, &path(&unfinished), None).await.expect_code(404, "not_found");
    for id in &ids {
        for method in [Method::GET, Method::DELETE] {
            other.call(method, &path(id), None).await.expect_code(404, "not_found");
        }
        get(&app, Method::GET, &path(id), &[]).await.expect(401);
    }
    let none = other.call(Method::GET, "/files", None).await.expect(200).body;
    assert_eq!(none["data"], serde_json::json!([]));
    for bad in ["/files/x", "/files/..%2f..%2fetc", "/files/aaaaaaaaaaaaaaaaaaaaaaaaaa"] {
        owner.call(Method::GET, bad, None).await.expect_code(404, "not_found");
    }
    owner.call(Method::GET, "/files?limit=0", None).await.expect_code(400, "invalid_parameter");

    for id in &ids {
        owner.call(Method::DELETE, &path(id), None).await.expect(204);
        owner.call(Method::GET, &path(id), None).await.expect_code(404, "not_found");
        owner.call(Method::DELETE, &path(id), None).await.expect_code(404, "not_found");
    }
    let none = owner.call(Method::GET, "/files", None).await.expect(200).body;
    assert_eq!(none["data"], serde_json::json!([]));
    let folder = app.folder().join("data/files");
    eventually(10 * SECOND, "an end of the bytes", async || {
        let left = std::fs::read_dir(&folder).unwrap().count();
        (left == 0).then_some(())
    })
    .await;
}

/// Whoever downloads slowly does not keep the room of what was deleted.
#[async_test]
async fn a_download_ends_with_its_file() {
    const SIZE: usize = 50 * 1024 * 1024;
    let app = start().await;
    let owner = Owner::sign_in(&app, NUMBER).await;
    let id = owner.keep("film.bin", &vec![b'x'; SIZE]).await;
    let path = format!("/files/{id}");
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: a\r\nAuthorization: {}\r\nConnection: close\r\n\r\n",
        owner.authorization()
    );
    let mut stream = TcpStream::connect(app.client().address()).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut first = vec![0; 100_000];
    stream.read_exact(&mut first).await.unwrap();
    owner.call(Method::DELETE, &path, None).await.expect(204);
    let folder = app.folder().join("data/files");
    eventually(10 * SECOND, "an end of the bytes", async || {
        (std::fs::read_dir(&folder).unwrap().count() == 0).then_some(())
    })
    .await;
    let (mut received, mut buffer) = (first.len(), vec![0; 1024 * 1024]);
    while let Ok(count @ 1..) = stream.read(&mut buffer).await {
        received += count;
    }
    assert!(received < SIZE, "{received}");
}

/// A hundred megabytes go through a process that keeps next to nothing of them; whoever reads them
/// slowly gets all, and whoever stops reading is cut.
#[async_test]
async fn a_long_download_takes_no_memory_and_as_long_as_it_moves() {
    const SIZE: usize = 100 * 1024 * 1024;
    let app = start().await;
    let owner = Owner::sign_in(&app, NUMBER).await;
    let bytes: Vec<u8> = (0..SIZE).map(|index| (index / 1000) as u8).collect();
    let id = owner.keep("film.bin", &bytes).await;
    let path = format!("/files/{id}");
    owner.get(Method::GET, &path, &[("range", "bytes=0-9")]).await.expect(206);
    let before = resident_kilobytes(app.apis[0].id());
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: a\r\nAuthorization: {}\r\nConnection: close\r\n\r\n",
        owner.authorization()
    );
    let read = async || {
        let mut stream = TcpStream::connect(app.client().address()).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let (mut received, mut buffer) = (Vec::with_capacity(SIZE + 4096), vec![0; 1024 * 1024]);
        while let Ok(count @ 1..) = stream.read(&mut buffer).await {
            received.extend_from_slice(&buffer[..count]);
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let head = received.windows(4).position(|end| end == b"\r\n\r\n").unwrap() + 4;
        assert!(received[head..] == bytes, "{} bytes", received.len() - head);
    };
    tokio::join!(read(), read(), read());
    let grown = resident_kilobytes(app.apis[0].id()).saturating_sub(before);
    assert!(grown < 8 * 1024, "{grown} kB");
}
