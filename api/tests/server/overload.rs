//! More connections than there may be.

use std::time::{Duration, Instant};

use api::server::ConnectionLimits;

use crate::support::{Client, GREET_HEAD, QUICK, Server, WAIT_WITH_BODY, limits, pass, soon};

async fn with_at_most(max_connections: usize) -> Server {
    Server::start(ConnectionLimits { max_connections, ..limits() }).await
}

/// Connections whose handlers run until the gate opens.
async fn busy(server: &Server, count: usize) -> Vec<Client> {
    let mut clients = Vec::new();
    for _ in 0..count {
        let mut client = server.connect().await;
        client.send(WAIT_WITH_BODY).await;
        pass(&server.gate.entered).await;
        client.send("{}").await;
        pass(&server.gate.entered).await;
        clients.push(client);
    }
    clients
}

#[tokio::test]
async fn a_full_server_refuses_at_once_and_recovers() {
    let server = with_at_most(20).await;
    let mut clients = busy(&server, 20).await;

    let began = Instant::now();
    for _ in 0..150 {
        let mut refused = server.connect().await;
        let answer = refused.answer().await;
        assert_eq!(answer.status, 503);
        assert!(answer.head.contains("\r\nretry-after: 1\r\n"), "{}", answer.head);
        assert!(answer.head.contains("\r\nconnection: close\r\n"), "{}", answer.head);
        assert!(answer.head.contains("\r\ncontent-type: application/json"), "{}", answer.head);
        let body: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!(body["code"], "overloaded");
        assert!(body["error"].is_string());
    }
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());

    server.gate.open.add_permits(20);
    for client in &mut clients {
        assert_eq!(client.answer().await.body, "waited");
    }
    drop(clients);
    soon("room for a connection", async { while server.quick().await.status != 200 {} }).await;
}

#[tokio::test]
async fn a_refused_client_may_finish_its_request_without_an_error() {
    let server = with_at_most(1).await;
    let _busy = busy(&server, 1).await;
    for _ in 0..20 {
        let mut refused = server.connect().await;
        assert_eq!(refused.answer().await.status, 503);
        for part in QUICK.as_bytes().chunks(10) {
            refused.send(part).await;
        }
    }
}

#[tokio::test]
async fn slow_clients_make_room_for_others_the_slowest_first() {
    let server = with_at_most(20).await;
    let mut busy = busy(&server, 2).await;
    let slow_body = format!("{GREET_HEAD}Content-Length: 12\r\n\r\n{{");
    let mut slow = Vec::new();
    for request in [&slow_body, &QUICK[..20]].repeat(30) {
        let mut client = server.connect().await;
        client.send(request).await;
        slow.push(client);
        let began = Instant::now();
        assert_eq!(server.quick().await.status, 200);
        let elapsed = began.elapsed();
        assert!(elapsed < Duration::from_secs(1), "{elapsed:?}");
    }
    for client in slow.drain(..2) {
        client.closed().await;
    }
    let mut latest = slow.pop().unwrap();
    latest.send(&QUICK[20..]).await;
    assert_eq!(latest.answer().await.body, "quick");

    // Those that work are left alone.
    server.gate.open.add_permits(2);
    for client in &mut busy {
        assert_eq!(client.answer().await.body, "waited");
    }
}

#[tokio::test]
async fn an_idle_connection_stays_while_there_is_room() {
    let server = with_at_most(20).await;
    let mut idle = server.connect().await;
    idle.send(QUICK).await;
    idle.answer().await;
    for _ in 0..40 {
        assert_eq!(server.quick().await.status, 200);
    }
    idle.send(QUICK).await;
    assert_eq!(idle.answer().await.body, "quick");
}
