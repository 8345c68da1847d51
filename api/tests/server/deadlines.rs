//! Clients that are slow, silent, or do not read.

use std::time::{Duration, Instant};

use api::server::ConnectionLimits;
use tokio::io::AsyncReadExt;

use crate::support::{GREET_HEAD, HALT, LARGE, PIECE, QUICK, Server, WAIT, limits, pass};

const SHORT: Duration = Duration::from_millis(400);
const DRIP: Duration = Duration::from_millis(20);

/// A limit may be overrun by a busy machine, but by far less than it would take without it.
const MARGIN: Duration = Duration::from_secs(4);

/// A limit for what has two parts, and how long the first one takes.
const SHARED: Duration = Duration::from_millis(2000);
const MOST_OF_SHARED: Duration = Duration::from_millis(1700);

fn assert_at(limit: Duration, elapsed: Duration) {
    assert_within(limit, MARGIN, elapsed);
}

fn assert_within(limit: Duration, margin: Duration, elapsed: Duration) {
    assert!(elapsed >= limit, "cut after {elapsed:?}, before {limit:?}");
    assert!(elapsed < limit + margin, "cut only after {elapsed:?}, not after {limit:?}");
}

async fn reading_within(read: Duration) -> Server {
    Server::start(ConnectionLimits { request: read, ..limits() }).await
}

#[tokio::test]
async fn a_dripped_head_is_cut() {
    let server = reading_within(SHORT).await;
    let (elapsed, received) = server.connect().await.drip(DRIP).await;
    assert_at(SHORT, elapsed);
    assert_eq!(received, "");
}

#[tokio::test]
async fn a_silent_newcomer_is_cut() {
    let server = reading_within(SHORT).await;
    let (elapsed, _) = server.connect().await.closed().await;
    assert_at(SHORT, elapsed);
}

/// A server that counted from the first byte would cut this client after 3.7 s.
#[tokio::test]
async fn a_first_byte_that_comes_late_gains_no_time() {
    let server = reading_within(SHARED).await;
    let began = Instant::now();
    let client = server.connect().await;
    tokio::time::sleep(MOST_OF_SHARED).await;
    client.drip(DRIP).await;
    assert_within(SHARED, MOST_OF_SHARED, began.elapsed());
}

#[tokio::test]
async fn a_half_head_followed_by_silence_is_cut_on_a_connection_that_was_used() {
    let server = reading_within(SHORT).await;
    let mut client = server.connect().await;
    client.send(QUICK).await;
    assert_eq!(client.answer().await.status, 200);
    tokio::time::sleep(SHORT * 2).await;
    client.send("GET /quick HT").await;
    let (elapsed, received) = client.closed().await;
    assert_at(SHORT - DRIP, elapsed);
    assert!(received.is_empty());
}

/// A whole request and a half head in one packet: hyper keeps the half, and reads nothing more that
/// could tell of it.
#[tokio::test]
async fn a_half_head_that_came_with_the_request_before_it_is_cut() {
    let server = reading_within(SHORT).await;
    let body = r#"{"name":"Zo"}"#;
    let length = format!("{GREET_HEAD}Content-Length: {}\r\n\r\n{body}", body.len());
    let chunked = format!(
        "{GREET_HEAD}Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n",
        body.len()
    );
    for (whole, answers) in
        [(QUICK, 1), (&length, 1), (&chunked, 1), (&format!("{QUICK}{length}{QUICK}"), 3)]
    {
        let mut client = server.connect().await;
        client.send(format!("{whole}GET /quick HTTP/1.1\r\nHos")).await;
        for _ in 0..answers {
            assert_eq!(client.answer().await.status, 200);
        }
        let (elapsed, received) = client.closed().await;
        assert_at(SHORT - DRIP, elapsed);
        assert!(received.is_empty());
    }
}

/// The rest of a head that came in two packets is in time, and so is silence after it.
#[tokio::test]
async fn a_head_in_two_packets_is_answered_and_its_connection_kept() {
    let server = reading_within(SHORT).await;
    let mut client = server.connect().await;
    client.send(format!("{QUICK}{}", &QUICK[..20])).await;
    client.answer().await;
    client.send(&QUICK[20..]).await;
    client.answer().await;
    tokio::time::sleep(SHORT * 2).await;
    client.send(QUICK).await;
    assert_eq!(client.answer().await.body, "quick");
}

#[tokio::test]
async fn a_dripped_body_is_answered_with_408_and_cut() {
    for framing in ["Content-Length: 1000\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n3e8\r\n"] {
        let server = reading_within(SHORT).await;
        let mut client = server.connect().await;
        client.send(format!("{GREET_HEAD}{framing}")).await;
        let (elapsed, received) = client.drip(DRIP).await;
        assert_at(SHORT - DRIP, elapsed);
        assert!(received.starts_with("HTTP/1.1 408 "), "{received}");
        assert!(received.to_lowercase().contains("\r\nconnection: close\r\n"), "{received}");
    }
}

/// A server that counted the body alone would cut this client after 3.7 s.
#[tokio::test]
async fn head_and_body_share_one_limit() {
    let server = reading_within(SHARED).await;
    let began = Instant::now();
    let mut client = server.connect().await;
    client.send(&GREET_HEAD[..20]).await;
    tokio::time::sleep(MOST_OF_SHARED).await;
    client.send(&GREET_HEAD[20..]).await;
    client.send("Content-Length: 1000\r\n\r\n").await;
    client.drip(DRIP).await;
    assert_within(SHARED, MOST_OF_SHARED, began.elapsed());
}

#[tokio::test]
async fn an_idle_connection_outlives_the_read_limit_but_not_its_own() {
    let idle = SHORT * 4;
    let server = Server::start(ConnectionLimits { idle, request: SHORT, ..limits() }).await;
    let mut client = server.connect().await;
    for _ in 0..2 {
        client.send(QUICK).await;
        assert_eq!(client.answer().await.body, "quick");
        tokio::time::sleep(SHORT * 2).await;
    }
    client.send(QUICK).await;
    client.answer().await;
    let (elapsed, _) = client.closed().await;
    assert_at(idle - DRIP, elapsed);
}

#[tokio::test]
async fn a_handler_may_take_longer_than_every_limit() {
    let server =
        Server::start(ConnectionLimits { idle: SHORT, request: SHORT, answer: SHORT, ..limits() })
            .await;
    let mut client = server.connect().await;
    client.send(WAIT).await;
    pass(&server.gate.entered).await;
    tokio::time::sleep(SHORT * 2).await;
    server.gate.open.add_permits(1);
    assert_eq!(client.answer().await.body, "waited");
}

#[tokio::test]
async fn a_client_that_reads_too_slowly_is_cut() {
    let server = Server::start(ConnectionLimits { answer: SHORT, ..limits() }).await;
    let mut client = server.connect().await;
    client.send("GET /large HTTP/1.1\r\nHost: test\r\n\r\n").await;
    let began = Instant::now();
    let mut buffer = vec![0; 64 * 1024];
    let mut received = 0;
    // 64 KiB every 20 ms would take 20 s for the whole.
    while let Ok(count @ 1..) = client.0.read(&mut buffer).await {
        received += count;
        tokio::time::sleep(DRIP).await;
    }
    assert!(received < LARGE, "all of it was sent");
    assert!(began.elapsed() >= SHORT);
}

#[tokio::test]
async fn a_client_that_reads_gets_all_of_a_large_answer() {
    let server = Server::start(limits()).await;
    let mut client = server.connect().await;
    client.send("GET /large HTTP/1.1\r\nHost: test\r\n\r\n").await;
    assert_eq!(client.answer().await.body.len(), LARGE);
    client.send(QUICK).await;
    assert_eq!(client.answer().await.body, "quick");
}

/// In 3 s this one reads some 8 of 64 MB, and then the rest at once.
#[tokio::test]
async fn a_paced_answer_is_not_cut_while_it_moves() {
    const LIMIT: Duration = Duration::from_secs(1);
    let server = Server::start(ConnectionLimits { answer: LIMIT, ..limits() }).await;
    let mut client = server.connect().await;
    client.send("GET /paced HTTP/1.1\r\nHost: test\r\n\r\n").await;
    let began = Instant::now();
    let mut buffer = vec![0; 64 * 1024];
    let mut received = client.0.read(&mut buffer).await.unwrap();
    let head = buffer.windows(4).position(|end| end == b"\r\n\r\n").unwrap() + 4;
    while received < head + LARGE {
        if began.elapsed() < LIMIT * 3 {
            tokio::time::sleep(DRIP).await;
            assert!(received < LARGE / 2, "too quick for this test");
        }
        match client.0.read(&mut buffer).await {
            Ok(count @ 1..) => received += count,
            ended => panic!("cut after {:?} and {received} bytes: {ended:?}", began.elapsed()),
        }
    }
    client.send(QUICK).await;
    assert_eq!(client.answer().await.body, "quick");
}

#[tokio::test]
async fn a_paced_answer_is_cut_where_nobody_reads() {
    const LIMIT: Duration = Duration::from_secs(2);
    let server = Server::start(ConnectionLimits { answer: LIMIT, ..limits() }).await;
    let mut client = server.connect().await;
    client.send("GET /paced HTTP/1.1\r\nHost: test\r\n\r\n").await;
    tokio::time::sleep(LIMIT * 2 + Duration::from_secs(1)).await;
    let (_, received) = client.closed().await;
    assert!(received.len() < LARGE, "{}", received.len());
}

/// The time for an answer is the client's: what the app waits for does not count, nor is the
/// connection idle meanwhile.
#[tokio::test]
async fn a_paced_answer_may_come_in_pieces_with_long_pauses() {
    let short = HALT / 2;
    let limits = ConnectionLimits { answer: short, idle: short, ..limits() };
    let server = Server::start(limits).await;
    let mut client = server.connect().await;
    client.send("GET /halting HTTP/1.1\r\nHost: test\r\n\r\n").await;
    assert_eq!(client.answer().await.body.len(), 10 * PIECE);
    client.send(QUICK).await;
    assert_eq!(client.answer().await.body, "quick");
    let (elapsed, _) = client.closed().await;
    assert_at(short - DRIP, elapsed);
}
