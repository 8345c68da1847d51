//! Long bodies hold few places.

use std::io::Write;
use std::net::TcpStream;

use http::{HeaderMap, Method};

use crate::api::sessions::{NUMBER, plan};
use crate::support::app::SOON;
use crate::support::eventually;

/// Who sends a long body slowly holds one of few places, and whoever finds none is told so.
#[async_test]
async fn a_long_body_past_the_last_place_is_answered_503() {
    let app = plan(1).start().await;
    let slow = "POST /signup HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n\
        Content-Length: 104856\r\n\r\n{";
    let clients: Vec<_> = (0..100)
        .map(|_| {
            let mut client = TcpStream::connect(app.client().address()).unwrap();
            client.write_all(slow.as_bytes()).unwrap();
            client
        })
        .collect();
    let mut headers = HeaderMap::new();
    headers.insert("content-type", "application/json".parse().unwrap());
    let long = format!("{{\"name\": \"{}\"}}", "a".repeat(5_000));
    let ask = || app.client().send(Method::POST, "/signup", headers.clone(), long.clone());
    let refused = eventually(SOON, "a refusal", async || {
        Some(ask().await).filter(|answer| answer.status == 503)
    })
    .await;
    assert_eq!((refused.header("retry-after"), refused.header("connection")), ("1", "close"));
    refused.expect_code(503, "overloaded");
    app.client().ask("Asha", NUMBER).await.expect(200);
    drop(clients);
    eventually(SOON, "a place", async || (ask().await.status == 400).then_some(())).await;
}
