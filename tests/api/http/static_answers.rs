//! Answers that never change: what a browser knows is not sent again, and who reads nothing costs
//! nothing.

use std::io::Write;
use std::net::TcpStream;

use http::{HeaderMap, HeaderValue, Method};

use crate::support::app::{App, Plan};
use crate::support::client::Answer;
#[cfg(target_os = "linux")]
use crate::support::process::resident_kilobytes;

const PATHS: [&str; 4] = ["/", "/dev/inbox", "/docs", "/openapi.json"];

async fn get(app: &App, path: &str, headers: &[(&'static str, &str)]) -> Answer {
    let headers: HeaderMap = headers
        .iter()
        .map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_str(value).unwrap()))
        .collect();
    app.client().send(Method::GET, path, headers, "").await
}

fn without_providers() -> Plan {
    ["TWILIO_SID", "TWILIO_API_KEY", "TWILIO_PHONE_NUMBER"]
        .into_iter()
        .fold(Plan::new(), Plan::without)
}

#[async_test]
async fn they_are_compressed_as_the_client_likes() {
    let app = without_providers().workers(0).start().await;
    for path in PATHS {
        let plain = get(&app, path, &[]).await.expect(200);
        assert_eq!(plain.header("content-encoding"), "", "{path}");
        let mut tags = vec![plain.header("etag").to_owned()];
        for (accepted, coding) in
            [("gzip, deflate, br", "br"), ("gzip", "gzip"), ("br;q=0, gzip;q=0.5", "gzip")]
        {
            let answer = get(&app, path, &[("accept-encoding", accepted)]).await.expect(200);
            assert_eq!(answer.header("content-encoding"), coding, "{path} for {accepted}");
            let length: usize = answer.header("content-length").parse().unwrap();
            assert!(
                length * 2 < plain.text.len(),
                "{path} for {accepted}: {length} of {}",
                plain.text.len()
            );
            tags.push(answer.header("etag").to_owned());
        }
        for answer in [&plain, &get(&app, path, &[("if-none-match", "*")]).await.expect(304)] {
            let vary: Vec<_> = answer.headers.get_all("vary").iter().collect();
            assert_eq!(vary, ["Authorization", "Accept-Encoding"], "{path}");
        }
        tags.dedup();
        assert_eq!(tags.len(), 3, "each form has its tag: {tags:?}");
    }
}

#[async_test]
async fn what_the_client_has_is_not_sent_again() {
    let app = without_providers().workers(0).start().await;
    for path in PATHS {
        let plain = get(&app, path, &[]).await.expect(200);
        let tag = plain.header("etag");
        for known in [tag.to_owned(), format!("W/{tag}"), format!("\"other\", {tag}")] {
            let answer = get(&app, path, &[("if-none-match", &known)]).await.expect(304);
            assert_eq!(
                (answer.text.as_str(), answer.header("etag")),
                ("", tag),
                "{path} for {known}"
            );
            assert_eq!(answer.header("cache-control"), "no-store", "{path}");
            let policy = "content-security-policy";
            assert_eq!(answer.header(policy), plain.header(policy), "{path}");
        }
        get(&app, path, &[("if-none-match", "\"other\"")]).await.expect(200);
        get(&app, path, &[("if-none-match", tag), ("accept-encoding", "gzip")]).await.expect(200);
    }
}

#[cfg(target_os = "linux")]
#[async_test]
async fn two_thousand_who_read_nothing_cost_less_than_100_megabytes() {
    let app = without_providers().workers(0).start().await;
    assert!(get(&app, "/docs", &[]).await.expect(200).text.len() > 1_000_000);
    let before = resident_kilobytes(app.apis[0].id());
    let clients: Vec<_> = (0..2_000)
        .map(|_| {
            let mut client = TcpStream::connect(app.client().address()).unwrap();
            client.write_all(b"GET /docs HTTP/1.1\r\nHost: test\r\n\r\n").unwrap();
            client
        })
        .collect();
    // Whose answer has begun holds what it will hold.
    for client in &clients {
        assert_eq!(client.peek(&mut [0]).unwrap(), 1);
    }
    let with_all = resident_kilobytes(app.apis[0].id());
    println!("2,000 unread answers: {with_all} kB, {before} kB before");
    assert!(with_all < 100_000, "{with_all} kB, {before} kB before");
}
