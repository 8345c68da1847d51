//! Uploading by tus 1.0, and in one request.

use std::time::Duration;

use common::runtime::clock::Clock;
use data_encoding::{BASE64, HEXLOWER};
use http::{HeaderMap, HeaderName, Method};
use serde_json::json;
use sha1::Sha1;
use sha2::{Digest, Sha256};
use time::OffsetDateTime;

use super::stored::{Owner, plan};
use crate::support::app::{App, Plan};
use crate::support::client::Answer;
use crate::support::durations::SECOND;
use crate::support::eventually;
use crate::support::numbers::{NUMBER, OTHER_NUMBER};
use crate::support::pictures::picture;
use crate::support::raw::Connection;

pub(super) const PIECE: (&str, &str) = ("content-type", "application/offset+octet-stream");

/// `filename` in `Upload-Metadata`.
pub(super) fn named(name: &str) -> String {
    format!("filename {}", BASE64.encode(name.as_bytes()))
}

/// So many bytes, that are not the same everywhere.
pub(super) fn bytes(length: usize) -> Vec<u8> {
    (0..length).map(|index| (index % 251) as u8).collect()
}

impl Owner<'_> {
    /// A request with the token and these headers.
    pub(super) async fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<reqwest::Body>,
    ) -> Answer {
        let mut map = HeaderMap::new();
        map.insert("authorization", self.authorization().parse().unwrap());
        for (name, value) in headers {
            map.insert(HeaderName::try_from(*name).unwrap(), value.parse().unwrap());
        }
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        self.app.client().send(method, path, map, body).await
    }

    /// The same, by tus.
    pub(super) async fn tus(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<reqwest::Body>,
    ) -> Answer {
        let headers = [headers, &[("tus-resumable", "1.0.0")]].concat();
        let answer = self.ask(method, path, &headers, body).await;
        assert_eq!(answer.header("tus-resumable"), "1.0.0", "{answer:?}");
        answer
    }

    /// Announces a file of so many bytes; where it is.
    pub(super) async fn announce(&self, name: &str, size: usize) -> String {
        let size = size.to_string();
        let headers = [("upload-length", size.as_str()), ("upload-metadata", &named(name))];
        let answer = self.tus("POST", "/files", &headers, "").await.expect(201);
        answer.header("location").to_owned()
    }

    /// Sends a piece of a file.
    pub(super) async fn piece(&self, path: &str, offset: usize, bytes: Vec<u8>) -> Answer {
        let offset = offset.to_string();
        self.tus("PATCH", path, &[PIECE, ("upload-offset", &offset)], bytes).await
    }

    /// How many bytes are there.
    pub(super) async fn offset(&self, path: &str) -> usize {
        let answer = self.tus("HEAD", path, &[], "").await.expect(200);
        assert_eq!(answer.header("cache-control"), "no-store");
        answer.header("upload-offset").parse().unwrap()
    }

    /// What comes back of a file.
    pub(super) async fn whole(&self, path: &str) -> Vec<u8> {
        self.get(Method::GET, path, &[]).await.expect(200).bytes
    }

    /// The names of all files of the user.
    async fn names(&self) -> Vec<String> {
        let list = self.call(Method::GET, "/files", None).await.expect(200).body;
        let names = list["data"].as_array().unwrap().iter();
        names.map(|file| file["name"].as_str().unwrap().to_owned()).collect()
    }
}

#[async_test]
async fn a_file_comes_in_pieces_by_tus() {
    let app = plan().start().await;
    let owner = Owner::sign_in(&app, NUMBER).await;
    let other = Owner::sign_in(&app, OTHER_NUMBER).await;
    let told = app.client().send(Method::OPTIONS, "/files", HeaderMap::new(), "").await.expect(204);
    assert_eq!(told.header("tus-version"), "1.0.0");
    assert_eq!(told.header("tus-max-size"), "5368709120");
    assert_eq!(told.header("tus-checksum-algorithm"), "sha1,sha256");
    let extensions = "creation,creation-with-upload,termination,checksum,expiration";
    assert_eq!(told.header("tus-extension"), extensions);

    let photo = picture("plain.jpg");
    let size = photo.len().to_string();
    let metadata = format!("{},filetype {}", named("/tmp/../Zoë.jpg"), BASE64.encode(b"text/html"));
    let headers = [("upload-length", size.as_str()), ("upload-metadata", &metadata)];
    let created = owner.tus("POST", "/files", &headers, "").await.expect(201);
    let path = created.header("location").to_owned();
    assert!(path.starts_with("/files/") && path.len() == 33, "{path}");
    assert_eq!(created.header("upload-offset"), "0");
    let expires = httpdate::parse_http_date(created.header("upload-expires")).unwrap();
    let left = OffsetDateTime::from(expires) - Clock::default().now();
    assert!((23 * 3600..=24 * 3600).contains(&left.whole_seconds()), "{left:?}");
    assert_eq!(created.body["name"], "Zoë.jpg");
    assert_eq!(created.body["complete"], false);

    assert_eq!(owner.offset(&path).await, 0);
    let first = owner.piece(&path, 0, photo[..100].to_vec()).await.expect(204);
    assert_eq!(first.header("upload-offset"), "100");
    assert!(!first.header("upload-expires").is_empty());
    let head = owner.tus("HEAD", &path, &[], "").await.expect(200);
    assert_eq!((head.header("upload-offset"), head.header("upload-length")), ("100", &*size));
    let told = format!("{},filetype {}", named("Zoë.jpg"), BASE64.encode(b"text/html"));
    assert_eq!(head.header("upload-metadata"), told);
    assert!(!head.header("upload-expires").is_empty());
    for offset in [0, 99, 101, photo.len()] {
        let lied = owner.piece(&path, offset, vec![0; 10]).await;
        lied.expect_code(409, "wrong_upload_offset");
    }
    other.piece(&path, 100, vec![0; 10]).await.expect_code(404, "not_found");
    other.tus("HEAD", &path, &[], "").await.expect(404);
    owner.call(Method::GET, &path, None).await.expect_code(404, "not_found");

    let last = owner.piece(&path, 100, photo[100..].to_vec()).await.expect(204);
    assert_eq!((last.header("upload-offset"), last.header("upload-expires")), (&*size, ""));
    assert_eq!(owner.whole(&path).await, photo);
    let file = owner.call(Method::GET, "/files", None).await.expect(200).body["data"][0].clone();
    assert_eq!(file["media_type"], "image/jpeg");
    assert_eq!(file["sha256"], HEXLOWER.encode(&Sha256::digest(&photo)));
    assert_eq!(owner.offset(&path).await, photo.len());
    // Nothing is added to a file that is complete, and nothing changes by adding nothing.
    owner.piece(&path, photo.len(), vec![]).await.expect(204);
    owner.piece(&path, photo.len(), vec![1]).await.expect_code(413, "too_many_bytes");
    assert_eq!(owner.whole(&path).await, photo);
    owner.tus("DELETE", &path, &[], "").await.expect(204);
    owner.tus("HEAD", &path, &[], "").await.expect(404);

    // One that ends at once, and one that begins with its announcement.
    let empty = owner.announce("empty.txt", 0).await;
    assert!(owner.whole(&empty).await.is_empty());
    let headers = [PIECE, ("upload-length", "10"), ("upload-metadata", &named("ten"))];
    let begun = owner.tus("POST", "/files", &headers, "01234").await.expect(201);
    assert_eq!(begun.header("upload-offset"), "5");
    let path = begun.header("location").to_owned();
    owner.piece(&path, 5, b"56789".to_vec()).await.expect(204);
    assert_eq!(owner.whole(&path).await, b"0123456789");
    // Where a network lets no PATCH through.
    let path = owner.announce("abc", 3).await;
    let headers = [PIECE, ("upload-offset", "0"), ("x-http-method-override", "PATCH")];
    owner.tus("POST", &path, &headers, "abc").await.expect(204);
    let headers = [("x-http-method-override", "DELETE")];
    owner.tus("POST", &path, &headers, "").await.expect(204);
    owner.tus("HEAD", &path, &[], "").await.expect(404);
}

#[async_test]
async fn what_is_not_tus_is_told_so() {
    let app = plan().start().await;
    let owner = Owner::sign_in(&app, NUMBER).await;
    let path = owner.announce("a", 10).await;
    for version in [None, Some("0.2.2"), Some("1.0.1"), Some("")] {
        let version = version.map(|version| ("tus-resumable", version));
        let mut headers = vec![PIECE, ("upload-offset", "0")];
        headers.extend(version);
        let refused = owner.ask("PATCH", &path, &headers, "a").await;
        if version.is_some() {
            assert_eq!(refused.header("tus-version"), "1.0.0");
        }
        refused.expect_code(412, "unsupported_tus_version");
    }
    let none = owner.ask("POST", "/files", &[("upload-length", "3")], "").await;
    none.expect_code(412, "unsupported_tus_version");
    for (headers, status, code) in [
        (vec![], 400, "invalid_upload"),
        (vec![("upload-length", "-1")], 400, "invalid_parameter"),
        (vec![("upload-length", "1e3")], 400, "invalid_parameter"),
        (vec![("upload-length", "99999999999999999999")], 400, "invalid_parameter"),
        (vec![("upload-length", "18446744073709551615")], 413, "file_too_large"),
        (vec![("upload-length", "5368709121")], 413, "file_too_large"),
        (vec![("upload-defer-length", "1")], 400, "invalid_upload"),
        (vec![("upload-length", "1"), ("upload-concat", "partial")], 400, "invalid_upload"),
        (vec![("upload-length", "1"), ("upload-metadata", "filename ?")], 400, "invalid_upload"),
        (
            vec![("upload-length", "1"), ("upload-metadata", "filename Li4=")],
            400,
            "invalid_file_name",
        ),
        (
            vec![("upload-length", "1"), ("upload-metadata", "filename YQBi")],
            400,
            "invalid_file_name",
        ),
        // A name that is shown as `photoexe.png`.
        (
            vec![("upload-length", "1"), ("upload-metadata", "filename cGhvdG/igK5nbnAuZXhl")],
            400,
            "invalid_file_name",
        ),
    ] {
        owner.tus("POST", "/files", &headers, "").await.expect_code(status, code);
    }
    for (headers, status, code) in [
        (vec![PIECE], 400, "invalid_upload"),
        (vec![PIECE, ("upload-offset", "-1")], 400, "invalid_parameter"),
        (vec![("upload-offset", "0")], 415, "unsupported_media_type"),
        (
            vec![("upload-offset", "0"), ("content-type", "application/octet-stream")],
            415,
            "unsupported_media_type",
        ),
        (vec![PIECE, ("upload-offset", "0"), ("upload-checksum", "md5 x")], 400, "invalid_upload"),
    ] {
        owner.tus("PATCH", &path, &headers, "a").await.expect_code(status, code);
    }
    let headers = [PIECE, ("upload-offset", "18446744073709551615")];
    owner.tus("PATCH", &path, &headers, "").await.expect_code(409, "wrong_upload_offset");
    owner.piece(&path, 0, vec![0; 11]).await.expect_code(413, "too_many_bytes");
    owner.tus("PATCH", "/files/x", &[PIECE, ("upload-offset", "0")], "a").await.expect(404);
    assert_eq!(owner.offset(&path).await, 0);
    // Whoever does not say how many bytes come is found out by them.
    let long = futures_util::stream::iter(["01234", "5678901"].map(Ok::<_, std::io::Error>));
    let headers = [PIECE, ("upload-offset", "0")];
    let long = owner.tus("PATCH", &path, &headers, reqwest::Body::wrap_stream(long)).await;
    long.expect_code(413, "too_many_bytes");
    assert!(owner.offset(&path).await <= 5);
    assert_eq!(owner.names().await, ["a"]);

    // Without a token there is nothing.
    let mut tus = HeaderMap::new();
    tus.insert("tus-resumable", "1.0.0".parse().unwrap());
    for method in [Method::POST, Method::PATCH, Method::HEAD, Method::DELETE] {
        let at = if method == Method::POST { "/files" } else { &path };
        app.client().send(method, at, tus.clone(), "").await.expect(401);
    }
}

#[async_test]
async fn a_checksum_makes_a_piece_count_as_a_whole_or_not_at_all() {
    let app = plan().start().await;
    let owner = Owner::sign_in(&app, NUMBER).await;
    let content = bytes(300_000);
    let path = owner.announce("a.bin", content.len()).await;
    let (first, rest) = content.split_at(200_000);
    let sha1 = format!("sha1 {}", BASE64.encode(&Sha1::digest(first)));
    let send = async |offset: &str, checksum: &str, bytes: &[u8]| {
        let headers = [PIECE, ("upload-offset", offset), ("upload-checksum", checksum)];
        owner.tus("PATCH", &path, &headers, bytes.to_vec()).await
    };
    let wrong = send("0", &sha1, &content[1..200_001]).await;
    assert_eq!(wrong.body["code"], "checksum_mismatch");
    assert_eq!(wrong.status, 460);
    assert_eq!(owner.offset(&path).await, 0);
    send("0", &sha1, first).await.expect(204);
    let sha256 = format!("sha256 {}", BASE64.encode(&Sha256::digest(rest)));
    assert_eq!(send("200000", &sha256, first).await.status, 413);
    send("200000", &sha256, rest).await.expect(204);
    assert!(owner.whole(&path).await == content);

    // A file that nobody knows yet goes with its first bytes.
    let headers = [PIECE, ("upload-length", "3"), ("upload-checksum", &sha1)];
    assert_eq!(owner.tus("POST", "/files", &headers, "abc").await.status, 460);
    assert_eq!(owner.names().await.len(), 1);
}

#[async_test]
async fn a_small_file_comes_in_one_request() {
    let app = plan().start().await;
    let owner = Owner::sign_in(&app, NUMBER).await;
    let photo = picture("plain.jpg");
    let disposition = "attachment; filename=\"_.jpg\"; filename*=UTF-8''Zo%C3%AB.jpg";
    let headers = [("content-type", "image/png"), ("content-disposition", disposition)];
    let kept = owner.ask("POST", "/files", &headers, photo.clone()).await.expect(201);
    let path = kept.header("location").to_owned();
    assert_eq!((kept.header("upload-offset"), kept.header("tus-resumable")), ("", ""));
    assert_eq!(kept.body["media_type"], "image/jpeg");
    assert_eq!((&kept.body["name"], &kept.body["complete"]), (&json!("Zoë.jpg"), &json!(true)));
    assert_eq!(kept.body["sha256"], HEXLOWER.encode(&Sha256::digest(&photo)));
    assert_eq!(owner.whole(&path).await, photo);

    // By its address, by a form, or not at all.
    let kept = owner.ask("POST", "/files?name=a%2Fb.txt", &[], "hello").await.expect(201);
    assert_eq!((&kept.body["name"], &kept.body["size"]), (&json!("b.txt"), &json!(5)));
    let form = |field: &str| {
        format!(
            "--x\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\nbefore\r\n\
             --x\r\nContent-Disposition: form-data; {field}\r\nContent-Type: text/plain\r\n\r\n\
             hello\r\nform\r\n\
             --x\r\nContent-Disposition: form-data; name=\"after\"\r\n\r\nafter\r\n--x--\r\n"
        )
    };
    let type_ = [("content-type", "multipart/form-data; boundary=x")];
    for (field, name) in [
        ("name=\"file\"; filename=\"form.txt\"", "form.txt"),
        ("name=\"file\"", "file"),
        ("name=\"upload\"; filename=\"other.txt\"", "other.txt"),
    ] {
        let kept = owner.ask("POST", "/files", &type_, form(field)).await.expect(201);
        assert_eq!((&kept.body["name"], &kept.body["size"]), (&json!(name), &json!(11)));
        assert_eq!(owner.whole(kept.header("location")).await, b"hello\r\nform");
    }
    let count = owner.names().await.len();
    let whole = form("name=\"file\"");
    let broken_off = whole.split("\r\nform").next().unwrap().to_owned();
    for (headers, body, status, code) in [
        (&type_[..], form("name=\"other\""), 400, "invalid_upload"),
        (&type_, "nonsense".to_owned(), 400, "invalid_upload"),
        (&type_, form("name=\"file\"; filename=\"..\""), 400, "invalid_file_name"),
        (&type_, broken_off, 400, "invalid_payload"),
        (&[("content-type", "multipart/form-data")], form(""), 415, "unsupported_media_type"),
        (&[("content-disposition", "a; filename=\"..\"")], form(""), 400, "invalid_file_name"),
    ] {
        let refused = owner.ask("POST", "/files", headers, body.clone()).await;
        assert_eq!(refused.status, status, "{body}: {refused:?}");
        refused.expect_code(status, code);
    }
    // What breaks off is gone.
    let mut connection = Connection::open(app.client().address());
    let authorization = owner.authorization();
    connection.write(
        format!(
            "POST /files HTTP/1.1\r\nHost: a\r\nAuthorization: {authorization}\r\n\
             Content-Length: 100000\r\n\r\nhello"
        )
        .as_bytes(),
    );
    eventually(5 * SECOND, "the announcement", async || {
        (owner.names().await.len() == count + 1).then_some(())
    })
    .await;
    drop(connection);
    eventually(5 * SECOND, "the end of what broke off", async || {
        (owner.names().await.len() == count).then_some(())
    })
    .await;
    // What is around the file is kept in memory until its end is there, so it has a bound.
    for begin in ["--x\r\nA: ", "", "--x\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\n"]
    {
        let mut connection = Connection::open(app.client().address());
        connection.write(
            format!(
                "POST /files HTTP/1.1\r\nHost: a\r\nAuthorization: {authorization}\r\n\
                 Content-Type: multipart/form-data; boundary=x\r\n\
                 Content-Length: 100000000\r\n\r\n{begin}"
            )
            .as_bytes(),
        );
        let _ = connection.try_write(&vec![b'a'; 1_000_000]);
        connection.read_until(5 * SECOND, "invalid_upload");
    }
    let chunked =
        reqwest::Body::wrap_stream(futures_util::stream::iter([Ok::<_, std::io::Error>("hello")]));
    owner.ask("POST", "/files", &[], chunked).await.expect_code(411, "length_required");
}

#[async_test]
async fn a_client_that_tells_no_type_is_judged_by_the_bytes() {
    let app = plan().set("FILE_TYPES", "image/*").start().await;
    let owner = Owner::sign_in(&app, NUMBER).await;
    for told in ["application/octet-stream", "application/x-www-form-urlencoded", "image/png"] {
        let headers = [("content-type", told)];
        owner.ask("POST", "/files", &headers, picture("plain.jpg")).await.expect(201);
        let refused = owner.ask("POST", "/files", &headers, "plain text").await;
        refused.expect_code(415, "file_type_not_allowed");
    }
}

fn limited() -> Plan {
    plan()
        .set("FILE_MAX_BYTES", "1000")
        .set("FILES_PER_USER", "3")
        .set("FILE_BYTES_PER_USER", "2500")
        .set("UPLOADS_PER_USER", "1")
        .set("FILE_TYPES", "image/*,application/pdf")
}

#[async_test]
async fn limits_refuse_before_the_body_is_read() {
    let app = limited().start().await;
    let owner = Owner::sign_in(&app, NUMBER).await;
    let other = Owner::sign_in(&app, OTHER_NUMBER).await;
    let told = app.client().send(Method::OPTIONS, "/files", HeaderMap::new(), "").await;
    assert_eq!(told.header("tus-max-size"), "1000");

    // Neither body ever comes; a client that asks first is not asked for it.
    let authorization = owner.authorization();
    let refused = |line: &str, headers: &str, code: &str| {
        let mut connection = Connection::open(app.client().address());
        connection.write(
            format!(
                "{line} HTTP/1.1\r\nHost: a\r\nAuthorization: {authorization}\r\n{headers}\r\n\r\n"
            )
            .as_bytes(),
        );
        let answer = connection.read_until(5 * SECOND, code);
        assert!(answer.starts_with("HTTP/1.1 4"), "{answer}");
        assert!(!answer.contains("100 Continue"), "{answer}");
        assert!(answer.to_lowercase().contains("\r\nconnection: close\r\n"), "{answer}");
        assert!(connection.closed(5 * SECOND) < 3 * SECOND);
    };
    for expect in ["", "Expect: 100-continue\r\n"] {
        let with = |headers: &str| format!("{expect}{headers}");
        refused("POST /files", &with("Content-Length: 100000"), "file_too_large");
        let html = with("Content-Type: text/html\r\nContent-Length: 999999");
        refused("POST /files", &html, "file_too_large");
        let unknown = with(
            "Tus-Resumable: 1.0.0\r\nUpload-Offset: 0\r\n\
             Content-Type: application/offset+octet-stream\r\nContent-Length: 100000",
        );
        refused("PATCH /files/aaaaaaaaaaaaaaaaaaaaaaaaaa", &unknown, "not_found");
    }
    let html = [("content-type", "text/html")];
    let kind = owner.ask("POST", "/files", &html, "<p>").await;
    kind.expect_code(415, "file_type_not_allowed");
    let metadata = format!("filetype {}", BASE64.encode(b"text/html"));
    let headers = [("upload-length", "10"), ("upload-metadata", metadata.as_str())];
    let kind = owner.tus("POST", "/files", &headers, "").await;
    kind.expect_code(415, "file_type_not_allowed");

    // What lies about its type is found out by its first bytes, and is gone.
    let png = [("content-type", "image/png")];
    let kind = owner.ask("POST", "/files", &png, "<!DOCTYPE html><p>").await;
    kind.expect_code(415, "file_type_not_allowed");
    let path = owner.announce("a.png", 900).await;
    owner.piece(&path, 0, b"hello".to_vec()).await.expect(204);
    owner.piece(&path, 5, vec![b'a'; 895]).await.expect_code(415, "file_type_not_allowed");
    assert!(owner.names().await.is_empty());

    // 2,500 bytes, as they were announced, and three files.
    let big = owner.announce("a.png", 1_000).await;
    owner.announce("b.png", 1_000).await;
    let headers = [("upload-length", "501")];
    let full = owner.tus("POST", "/files", &headers, "").await;
    full.expect_code(403, "no_file_room");
    owner.announce("c.png", 500).await;
    let headers = [("upload-length", "0")];
    owner.tus("POST", "/files", &headers, "").await.expect_code(403, "too_many_files");
    other.announce("a.png", 1_000).await;
    owner.call(Method::DELETE, &big, None).await.expect(204);
    owner.announce("d.png", 1_000).await;
}

#[async_test]
async fn one_request_writes_to_an_upload_and_few_of_a_user() {
    let app = plan().apis(2).set("UPLOADS_PER_USER", "2").start().await;
    let owner = Owner::sign_in(&app, NUMBER).await;
    let (first, second, third) = (
        owner.announce("a", 100).await,
        owner.announce("b", 100).await,
        owner.announce("c", 9).await,
    );
    let begin = |path: &str| {
        let mut connection = Connection::open(app.client().address());
        let authorization = owner.authorization();
        let head = format!(
            "PATCH {path} HTTP/1.1\r\nHost: a\r\nAuthorization: {authorization}\r\n\
             Tus-Resumable: 1.0.0\r\nUpload-Offset: 0\r\nContent-Length: 100\r\n\
             Content-Type: application/offset+octet-stream\r\nExpect: 100-continue\r\n\r\n"
        );
        connection.write(head.as_bytes());
        connection.read_until(5 * SECOND, "100 Continue");
        connection.write(b"0123456789");
        connection
    };
    let mut one = begin(&first);
    // At the other process too.
    for api in 0..2 {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("authorization", owner.authorization().as_str()),
            ("tus-resumable", "1.0.0"),
            ("upload-offset", "0"),
            PIECE,
        ] {
            headers.insert(HeaderName::try_from(name).unwrap(), value.parse().unwrap());
        }
        let client = app.client_of(api);
        let locked = client.send(Method::PATCH, &first, headers, "abc").await;
        assert_eq!(locked.retry_after(), 1);
        locked.expect_code(423, "upload_locked");
    }
    let two = begin(&second);
    owner.piece(&third, 0, vec![0; 9]).await.expect_code(429, "too_many_uploads");

    // One goes on to its end, the other breaks off and leaves what came.
    one.write(&[b'x'; 90]);
    one.read_until(5 * SECOND, "204 No Content");
    assert_eq!(owner.whole(&first).await[..12], *b"0123456789xx");
    drop(two);
    eventually(5 * SECOND, "what came", async || (owner.offset(&second).await == 10).then_some(()))
        .await;
    owner.piece(&third, 0, vec![0; 9]).await.expect(204);
    owner.piece(&second, 10, vec![b'y'; 90]).await.expect(204);
    assert_eq!(owner.whole(&second).await[..12], *b"0123456789yy");
}

#[async_test]
async fn a_slow_upload_is_cut_and_keeps_what_came() {
    let app = plan().set("UPLOAD_MIN_BYTES_PER_SECOND", "100").start().await;
    let owner = Owner::sign_in(&app, NUMBER).await;
    let (path, silent) = (owner.announce("a", 100_000).await, owner.announce("b", 100_000).await);
    let authorization = owner.authorization();
    let begin = |path: &str| {
        let mut connection = Connection::open(app.client().address());
        let head = format!(
            "PATCH {path} HTTP/1.1\r\nHost: a\r\nAuthorization: {authorization}\r\n\
             Tus-Resumable: 1.0.0\r\nUpload-Offset: 0\r\nContent-Length: 100000\r\n\
             Content-Type: application/offset+octet-stream\r\n\r\na"
        );
        connection.write(head.as_bytes());
        connection
    };
    // A byte a minute: the next one comes too late.
    let mut a_byte_a_minute = begin(&silent);
    let mut connection = begin(&path);
    // Twelve seconds, longer than any other request may take, at twice the pace.
    for _ in 0..12 {
        connection.write(&[b'a'; 200]);
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let begun = std::time::Instant::now();
    let answer = loop {
        // A byte a second is too slow.
        if connection.try_write(b"b").is_err() || connection.received().contains("408") {
            break connection.received();
        }
        connection.closed_within(SECOND);
        assert!(begun.elapsed() < 20 * SECOND, "it goes on for ever");
    };
    assert!(answer.contains("request_timeout"), "{answer}");
    let offset = owner.offset(&path).await;
    assert!((2401..2431).contains(&offset), "{offset}");
    a_byte_a_minute.read_until(SECOND, "request_timeout");
    assert_eq!(owner.offset(&silent).await, 1);
    assert!(owner.tus("HEAD", &path, &[], "").await.status == 200);
}

#[async_test]
async fn pages_of_other_websites_upload_where_they_may() {
    let origin = "https://app.example.com";
    let app = plan().set("CORS_ORIGINS", origin).start().await;
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("origin", origin),
        ("access-control-request-method", "PATCH"),
        ("access-control-request-headers", "upload-offset,tus-resumable"),
    ] {
        headers.insert(HeaderName::try_from(name).unwrap(), value.parse().unwrap());
    }
    let path = "/files/aaaaaaaaaaaaaaaaaaaaaaaaaa";
    let preflight = app.client().send(Method::OPTIONS, path, headers.clone(), "").await;
    assert_eq!(preflight.status, 204);
    assert!(preflight.header("access-control-allow-methods").contains("PATCH"));
    let allowed = preflight.header("access-control-allow-headers");
    for name in ["tus-resumable", "upload-length", "upload-offset", "upload-metadata"] {
        assert!(allowed.contains(name), "{allowed}");
    }
    headers.remove("access-control-request-method");
    let told = app.client().send(Method::OPTIONS, "/files", headers, "").await;
    let exposed = told.header("access-control-expose-headers");
    for name in ["location", "upload-offset", "upload-expires", "tus-max-size"] {
        assert!(exposed.contains(name), "{exposed}");
    }
    assert_eq!(told.header("tus-version"), "1.0.0");
}

impl App {
    /// The cookie of a browser that the token's session was given to.
    async fn cookie(&self, token: &str) -> String {
        let mut headers = HeaderMap::new();
        headers.insert("authorization", format!("Bearer {token}").parse().unwrap());
        headers.insert("sec-fetch-site", "same-origin".parse().unwrap());
        let begun = self.client().send(Method::POST, "/session", headers, "").await;
        assert_eq!(begun.status, 204, "{begun:?}");
        begun.header("set-cookie").split(';').next().unwrap().to_owned()
    }
}

#[async_test]
async fn a_browser_uploads_by_its_cookie_from_our_own_pages_alone() {
    let app = plan().start().await;
    let owner = Owner::sign_in(&app, NUMBER).await;
    let cookie = app.cookie(&owner.token).await;
    let send = async |method: Method, path: &str, site: &str, cookie: &str| {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("cookie", cookie),
            ("sec-fetch-site", site),
            ("tus-resumable", "1.0.0"),
            ("upload-length", "3"),
        ] {
            headers.insert(HeaderName::try_from(name).unwrap(), value.parse().unwrap());
        }
        app.client().send(method, path, headers, "").await
    };
    let created = send(Method::POST, "/files", "same-origin", &cookie).await.expect(201);
    let path = created.header("location").to_owned();
    send(Method::HEAD, &path, "same-origin", &cookie).await.expect(200);
    for site in ["cross-site", "same-site", "none"] {
        let refused = send(Method::POST, "/files", site, &cookie).await;
        refused.expect_code(403, "foreign_page");
        send(Method::DELETE, &path, site, &cookie).await.expect_code(403, "foreign_page");
    }
    let dead = send(Method::POST, "/files", "same-origin", "cheershare=x").await;
    dead.expect_code(401, "unauthorized");
    // It opens files and nothing else.
    send(Method::GET, "/me", "same-origin", &cookie).await.expect_code(401, "unauthorized");
    send(Method::DELETE, &path, "same-origin", &cookie).await.expect(204);
}
