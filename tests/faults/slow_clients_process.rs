//! A crowd of slow clients, in a process of its own: `slow_clients ADDRESS COUNT`. Prints as JSON
//! how they ended, when all have.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a tool of the tests"
)]

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Each client is of one kind: what it sends at once, and whether a byte a second follows.
const KINDS: [(&str, &[u8], bool); 6] = [
    ("silent", b"", false),
    ("half a head", b"GET /healthz HTTP/1.1\r\nHost: te", false),
    ("a dripped head", b"GET /healthz HTTP/1.1\r\nX-Slow: ", true),
    ("a head from its first byte", b"G", true),
    ("half a body", BODY, false),
    ("a dripped body", BODY, true),
];
const BODY: &[u8] =
    b"POST /signup HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{";

/// Nobody is waited for any longer.
const PATIENCE: Duration = Duration::from_secs(60);
/// Clients that begin together, and how long after them the next ones do.
const WAVE: usize = 100;
const BETWEEN_WAVES: Duration = Duration::from_millis(40);

/// From the beginning of a connection to its end, or why there was none.
type End = Result<Duration, String>;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let address: SocketAddr = arguments[1].parse().unwrap();
    let count: usize = arguments[2].parse().unwrap();
    rlimit::increase_nofile_limit(count as u64 + 100).unwrap();

    let start = Instant::now();
    let mut clients = Vec::new();
    for index in 0..count {
        if index % WAVE == 0 && index > 0 {
            tokio::time::sleep(BETWEEN_WAVES).await;
        }
        let (kind, beginning, drips) = KINDS[index % KINDS.len()];
        clients.push((kind, tokio::spawn(connect(address, beginning, drips))));
    }
    let began_within = start.elapsed();

    let mut failures = Vec::new();
    let mut lasted: Vec<(Duration, &str)> = Vec::new();
    for (kind, client) in clients {
        match client.await.unwrap() {
            Ok(time) => lasted.push((time, kind)),
            Err(error) => failures.push(format!("{kind}: {error}")),
        }
    }
    lasted.sort();
    let told = |end: Option<&(Duration, &str)>| {
        end.map(|(time, kind)| json!({"ms": time.as_millis(), "kind": kind}))
    };
    failures.truncate(10);
    println!(
        "{}",
        json!({
            "began_within_ms": began_within.as_millis(),
            "cut": lasted.len(),
            "shortest": told(lasted.first()),
            "longest": told(lasted.last()),
            "failures": failures,
        })
    );
}

async fn connect(address: SocketAddr, beginning: &[u8], drips: bool) -> End {
    let start = Instant::now();
    let mut stream =
        TcpStream::connect(address).await.map_err(|error| format!("not connected: {error}"))?;
    stream.write_all(beginning).await.map_err(|error| format!("nothing sent: {error}"))?;
    let (mut from, mut to) = stream.split();
    let cut = async {
        let mut answer = [0; 4096];
        loop {
            match from.read(&mut answer).await {
                Ok(0) => return,
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return,
            }
        }
    };
    let drip = async {
        if !drips {
            return std::future::pending().await;
        }
        loop {
            tokio::time::sleep(Duration::from_secs(1)).await;
            if to.write_all(b"a").await.is_err() {
                return;
            }
        }
    };
    let ended = async {
        tokio::select! { () = cut => {}, () = drip => {} }
    };
    tokio::time::timeout(PATIENCE, ended)
        .await
        .map_err(|_| format!("still connected after {PATIENCE:?}"))?;
    Ok(start.elapsed())
}
