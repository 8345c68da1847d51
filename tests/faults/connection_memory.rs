//! What connections cost the API at most, whatever their clients do with them. docs/design/http.md
//! has what was measured.

use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

use futures_util::{StreamExt, future, stream};
use http::{HeaderMap, Method};
use serde_json::json;

use crate::support::app::{App, Plan};
use crate::support::numbers::{NUMBER, OTHER_NUMBER};
use crate::support::process::resident_kilobytes;

const CONNECTIONS: usize = 2_000;
/// APIs that are measured at once: each waits nearly all of the time.
const AT_ONCE: usize = 4;

/// Signs both numbers in; no SMS is sent to them.
const OTP: &str = "471147";

/// The token of a session whose device has a long name.
async fn sign_in(app: &App) -> String {
    app.client().ask("Asha", NUMBER).await.expect(200);
    let mut headers = HeaderMap::new();
    headers.insert("content-type", "application/json".parse().unwrap());
    headers.insert("user-agent", "d".repeat(200).parse().unwrap());
    let body = json!({"phone_number": NUMBER, "otp": OTP}).to_string();
    let answer = app.client().send(Method::POST, "/signup", headers, body).await;
    answer.expect(200).token().to_owned()
}

/// In kilobytes, for one of `CONNECTIONS` clients that have sent this and read nothing.
async fn cost_of_one(app: &App, sent: &[u8]) -> f64 {
    let process = app.apis[0].id();
    let before = resident_kilobytes(process);
    let mut most = before;
    let clients: Vec<_> = (0..CONNECTIONS)
        .map(|_| {
            let mut client = TcpStream::connect(app.client().address()).unwrap();
            // One that is refused is none that costs.
            let _ = client.write_all(sent);
            most = most.max(resident_kilobytes(process));
            client
        })
        .collect();
    // What was sent is read meanwhile, and answered.
    for _ in 0..20 {
        tokio::time::sleep(Duration::from_millis(200)).await;
        most = most.max(resident_kilobytes(process));
    }
    // None waits for it in vain.
    app.client().ask("Asha", OTHER_NUMBER).await.expect(200);
    drop(clients);
    (most - before) as f64 / CONNECTIONS as f64
}

fn post(path: &str, content_type: &str, headers: &str, body: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: test\r\nContent-Type: {content_type}\r\n{headers}\r\n{body}"
    )
}

#[async_test]
async fn no_client_costs_more_than_a_connection_may() {
    let json = "application/json";
    let form = "application/x-www-form-urlencoded";
    let length = "Content-Length: 104856\r\n";
    let with_key = format!("Idempotency-Key: k\r\n{length}");
    let body = "a".repeat(104_000);
    let chunk = format!("{:x}\r\n{body}", body.len() + 1);
    let small = "a".repeat(4_000);
    let small_length = "Content-Length: 4096\r\n";
    let get = |path: &str| {
        format!("GET {path} HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer TOKEN\r\n\r\n")
    };
    let cases = [
        ("silence", String::new(), 20.0),
        ("half a head", format!("GET / HTTP/1.1\r\nX: {}", "a".repeat(16_000)), 40.0),
        ("a small body", post("/signup", json, small_length, &small), 120.0),
        ("a long body", post("/signup", json, length, &body), 40.0),
        ("a long body with a key", post("/signup", json, &with_key, &body), 40.0),
        ("a chunked body", post("/signup", json, "Transfer-Encoding: chunked\r\n", &chunk), 40.0),
        ("a report", post("/webhooks/twilio/status", form, length, &body), 40.0),
        ("a page that nobody reads", get("/docs"), 20.0),
        ("a list that nobody reads", get("/tokens?limit=100"), 120.0),
        ("many lists that nobody reads", get("/tokens?limit=100").repeat(50), 130.0),
    ];
    let measured = stream::iter(cases).map(async |(what, sent, most)| {
        let numbers = format!("{NUMBER}={OTP}@2099-12-31,{OTHER_NUMBER}={OTP}@2099-12-31");
        let plan = Plan::new().workers(0).set("TEST_NUMBERS", &numbers);
        let plan = plan.set("PUBLIC_URL", "https://a.example").set("TWILIO_AUTH_TOKEN", "x");
        let app = plan.start().await;
        let token = sign_in(&app).await;
        for _ in 1..20 {
            sign_in(&app).await;
        }
        let cost = cost_of_one(&app, sent.replace("TOKEN", &token).as_bytes()).await;
        println!("{what}: {cost:.1} kB");
        (cost >= most).then(|| format!("{what}: {cost:.1} kB, more than {most}"))
    });
    let dear: Vec<_> = measured.buffer_unordered(AT_ONCE).filter_map(future::ready).collect().await;
    assert!(dear.is_empty(), "{dear:?}");
}
