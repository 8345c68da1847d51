//! What HTTP/1.1 asks of the server beyond one request after the other.

use poem::http::StatusCode;
use tokio::io::AsyncWriteExt;

use crate::support::{GREET_HEAD, QUICK, Server, WAIT, limits, pass};

const BODY: &str = r#"{"name":"Zo"}"#;

fn greet(extra: &str) -> String {
    format!("{GREET_HEAD}{extra}Content-Length: {}\r\n\r\n", BODY.len())
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let server = Server::start(limits()).await;
    let mut client = server.connect().await;
    let half = QUICK.len() / 2;
    client.send(format!("{QUICK}{}{BODY}{}", greet(""), &QUICK[..half])).await;
    assert_eq!(client.answer().await.body, "quick");
    assert_eq!(client.answer().await.body, "Hello Zo");
    client.send(&QUICK[half..]).await;
    assert_eq!(client.answer().await.body, "quick");
}

#[tokio::test]
async fn a_body_is_asked_for_when_the_client_expects_it() {
    let server = Server::start(limits()).await;
    let mut client = server.connect().await;
    client.send(greet("Expect: 100-continue\r\n")).await;
    assert_eq!(client.answer().await.status, StatusCode::CONTINUE);
    client.send(BODY).await;
    assert_eq!(client.answer().await.body, "Hello Zo");

    client
        .send(format!("{GREET_HEAD}Expect: 100-continue\r\nContent-Length: 200000\r\n\r\n"))
        .await;
    let refused = client.answer().await;
    assert_eq!(refused.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert!(refused.head.contains("\r\nconnection: close\r\n"), "{}", refused.head);
    client.closed().await;
}

#[tokio::test]
async fn a_chunked_body_is_put_together() {
    let server = Server::start(limits()).await;
    let mut client = server.connect().await;
    client.send(format!("{GREET_HEAD}Transfer-Encoding: chunked\r\n\r\n")).await;
    for part in [&BODY[..5], &BODY[5..], ""] {
        client.send(format!("{:x}\r\n{part}\r\n", part.len())).await;
    }
    assert_eq!(client.answer().await.body, "Hello Zo");
    client.send(QUICK).await;
    assert_eq!(client.answer().await.body, "quick");
}

/// Many clients send everything before they read: the server has to take it, or they never see the
/// refusal.
#[tokio::test]
async fn a_client_may_finish_a_body_that_is_too_large() {
    let server = Server::start(limits()).await;
    let part = "a".repeat(110_000);
    for (framing, end) in [
        (format!("Content-Length: {}\r\n\r\n", 3 * part.len()), ""),
        (format!("Transfer-Encoding: chunked\r\n\r\n{:x}\r\n", 3 * part.len()), "\r\n0\r\n\r\n"),
    ] {
        let mut client = server.connect().await;
        client.send(format!("{GREET_HEAD}{framing}{part}")).await;
        let refused = client.answer().await;
        assert_eq!(refused.status, StatusCode::PAYLOAD_TOO_LARGE);
        for rest in [&part, &part, end] {
            client.send(rest).await;
        }
        client.closed().await;
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_is_a_bad_request() {
    let server = Server::start(limits()).await;
    let mut client = server.connect().await;
    client.send(greet("")).await;
    client.send(&BODY[..5]).await;
    client.0.shutdown().await.unwrap();
    assert_eq!(client.answer().await.status, StatusCode::BAD_REQUEST);
    client.closed().await;
}

#[tokio::test]
async fn a_client_that_hangs_up_does_not_end_its_handler() {
    let server = Server::start(limits()).await;
    let mut client = server.connect().await;
    client.send(WAIT).await;
    pass(&server.gate.entered).await;
    client.0.set_zero_linger().unwrap();
    drop(client);
    assert_eq!(server.quick().await.status, 200);
    server.gate.open.add_permits(1);
    pass(&server.gate.left).await;
}

#[tokio::test]
async fn a_client_that_only_stops_sending_gets_its_answer() {
    let server = Server::start(limits()).await;
    let mut client = server.connect().await;
    client.send(QUICK).await;
    client.0.shutdown().await.unwrap();
    assert_eq!(client.answer().await.body, "quick");
    client.closed().await;
}

#[tokio::test]
async fn http_2_by_prior_knowledge_is_closed_without_an_answer() {
    let server = Server::start(limits()).await;
    let mut client = server.connect().await;
    client.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    assert_eq!(client.closed().await.1, b"");
}

#[tokio::test]
async fn what_is_not_http_is_refused() {
    let server = Server::start(limits()).await;
    let endless = format!("GET /quick HTTP/1.1\r\nX: {}", "a".repeat(20_000));
    for (request, status, code) in [
        ("hello\r\n\r\n", 400, "bad_request"),
        ("GET /quick HTTP/1.1\r\nno colon\r\n\r\n", 400, "bad_request"),
        (&endless, 431, "request_head_too_large"),
    ] {
        let mut client = server.connect().await;
        client.send(request).await;
        let answer = client.answer().await;
        assert_eq!(answer.status, status);
        assert!(answer.head.contains("\r\nconnection: close\r\n"), "{}", answer.head);
        let body: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!(body["code"], code, "{body}");
        client.closed().await;
    }
}

#[tokio::test]
async fn a_panic_ends_its_connection_only() {
    let server = Server::start(limits()).await;
    let mut client = server.connect().await;
    client.send("GET /panics HTTP/1.1\r\nHost: test\r\n\r\n").await;
    client.closed().await;
    assert_eq!(server.quick().await.status, 200);
}
