//! The end of the server.

use std::time::{Duration, Instant};

use api::server::{Drain, bind};
use tokio::net::TcpStream;

use crate::support::{QUICK, Server, WAIT, limits, pass, soon};

#[tokio::test]
async fn a_running_request_is_answered_and_told_to_close() {
    let mut server = Server::start(limits()).await;
    let mut client = server.connect().await;
    client.send(WAIT).await;
    pass(&server.gate.entered).await;
    server.stop();
    // Once nothing is accepted any more, the server knows.
    soon("the listener's end", async {
        while TcpStream::connect(server.addr).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    server.gate.open.add_permits(1);
    let answer = client.answer().await;
    assert_eq!(answer.body, "waited");
    assert!(answer.head.contains("\r\nconnection: close\r\n"), "{}", answer.head);
    client.closed().await;
    server.ended().await;
}

#[tokio::test]
async fn half_heads_and_silent_connections_do_not_hold_it_up() {
    let mut server = Server::start(limits()).await;
    let _silent = server.connect().await;
    let mut half = server.connect().await;
    half.send("GET /quick HTTP/1.1\r\nHo").await;
    let mut idle = server.connect().await;
    idle.send(QUICK).await;
    idle.answer().await;
    server.stop();
    let began = Instant::now();
    server.ended().await;
    // All limits of this server are a minute and its grace is 10 s.
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_request_that_was_on_its_way_is_still_answered() {
    let mut server = Server::start(limits()).await;
    let mut idle = server.connect().await;
    idle.send(QUICK).await;
    idle.answer().await;
    server.stop();
    idle.send(QUICK).await;
    let answer = idle.answer().await;
    assert_eq!(answer.body, "quick");
    idle.closed().await;
    server.ended().await;
}

#[tokio::test]
async fn until_the_delay_is_over_newcomers_are_served_and_everybody_is_sent_elsewhere() {
    let delay = Duration::from_millis(700);
    let mut server =
        Server::start_with(limits(), Drain { delay, grace: Duration::from_secs(10) }).await;
    let mut before = server.connect().await;
    before.send(QUICK).await;
    assert!(!before.answer().await.head.contains("connection: close"));
    let idle = server.connect().await;
    let began = Instant::now();
    server.stop();
    // Its next answer is the last one of a connection, as soon as the server knows.
    soon("an answer that closes", async {
        loop {
            before.send(QUICK).await;
            if before.answer().await.head.contains("\r\nconnection: close\r\n") {
                break;
            }
        }
    })
    .await;
    before.closed().await;
    let mut newcomer = server.connect().await;
    newcomer.send(QUICK).await;
    let answer = newcomer.answer().await;
    assert!(began.elapsed() < delay, "too slow to tell: {:?}", began.elapsed());
    assert_eq!((answer.status, answer.body.as_str()), (200, "quick"));
    assert!(answer.head.contains("\r\nconnection: close\r\n"), "{}", answer.head);
    idle.closed().await;
    assert!(
        began.elapsed() >= delay,
        "a silent connection stays until the end of the delay: {:?}",
        began.elapsed()
    );
    server.ended().await;
}

#[tokio::test]
async fn what_outlasts_the_grace_period_is_ended() {
    let grace = Duration::from_millis(300);
    let mut server = Server::start_with(limits(), Drain { delay: Duration::ZERO, grace }).await;
    let mut client = server.connect().await;
    client.send(WAIT).await;
    pass(&server.gate.entered).await;
    server.stop();
    let began = Instant::now();
    server.ended().await;
    assert!(began.elapsed() >= grace);
    assert_eq!(client.closed().await.1, b"");
}

#[tokio::test]
async fn its_port_can_be_taken_once_and_again_after_it() {
    let mut server = Server::start(limits()).await;
    let address = server.addr;
    let taken = bind(address).unwrap_err();
    assert_eq!(taken.kind(), std::io::ErrorKind::AddrInUse);
    assert_eq!(server.quick().await.status, 200);
    server.stop();
    server.ended().await;
    bind(address).unwrap();
}
