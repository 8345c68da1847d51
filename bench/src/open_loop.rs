//! A load that comes when it comes, as people do: each request has its instant, whether the answers
//! before it are there or not. How late an answer is counts from that instant, so what waits behind
//! a slow one is not left out ("coordinated omission").

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::Value;

/// So many requests may wait for their answers at once; more wait for a connection, and that
/// counts.
const CONNECTIONS: usize = 64;

/// How late the answers were, the earliest first.
#[derive(Debug)]
pub(crate) struct Latencies(Vec<Duration>);

impl Latencies {
    /// In ms; `part` is 0.99 for the 99th percentile.
    pub(crate) fn at(&self, part: f64) -> f64 {
        let at = (self.0.len() as f64 * part) as usize;
        self.0.get(at).map_or(f64::NAN, |latency| latency.as_secs_f64() * 1e3)
    }
}

/// Posts `bodies` to a port of this machine, as [`send`] does.
pub(crate) async fn post(
    port: u16,
    path: &str,
    bodies: &[Value],
    a_second: f64,
) -> anyhow::Result<Latencies> {
    let request = |body: &Value| {
        let body = body.to_string();
        let length = body.len();
        format!(
            "POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        )
    };
    send(port, bodies.iter().map(request).collect(), a_second).await
}

/// Sends `requests`, each whole, to a port of this machine, so many a second, in a thread for each
/// connection. Not one may fail.
pub(crate) async fn send(
    port: u16,
    requests: Vec<String>,
    a_second: f64,
) -> anyhow::Result<Latencies> {
    tokio::task::spawn_blocking(move || run(port, &requests, a_second)).await?
}

fn run(port: u16, requests: &[String], a_second: f64) -> anyhow::Result<Latencies> {
    let (next, start) = (AtomicUsize::new(0), Instant::now() + Duration::from_millis(50));
    let one_connection = || -> anyhow::Result<Vec<Duration>> {
        let mut connection = BufReader::new(TcpStream::connect(("127.0.0.1", port))?);
        connection.get_ref().set_nodelay(true)?;
        let mut latencies = Vec::new();
        loop {
            let turn = next.fetch_add(1, Ordering::Relaxed);
            let Some(request) = requests.get(turn) else { return Ok(latencies) };
            let due = start + Duration::from_secs_f64(turn as f64 / a_second);
            thread::sleep(due.saturating_duration_since(Instant::now()));
            connection.get_mut().write_all(request.as_bytes())?;
            read_answer(&mut connection).with_context(|| request.clone())?;
            latencies.push(due.elapsed());
        }
    };
    let mut all = Vec::with_capacity(requests.len());
    thread::scope(|scope| {
        let threads: Vec<_> = (0..CONNECTIONS).map(|_| scope.spawn(one_connection)).collect();
        for thread in threads {
            all.extend(thread.join().map_err(|_| anyhow::anyhow!("a thread panicked"))??);
        }
        anyhow::Ok(())
    })?;
    all.sort();
    Ok(Latencies(all))
}

/// Reads one answer to its end, which has to be a success.
fn read_answer(connection: &mut BufReader<TcpStream>) -> anyhow::Result<()> {
    let mut line = String::new();
    connection.read_line(&mut line)?;
    ensure!(line.starts_with("HTTP/1.1 200"), "{line}");
    let mut length = 0;
    while line != "\r\n" {
        line.clear();
        ensure!(connection.read_line(&mut line)? > 0, "the connection ended");
        let (name, value) = line.split_once(':').unwrap_or_default();
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse()?;
        }
    }
    let mut body = vec![0; length];
    connection.read_exact(&mut body)?;
    Ok(())
}
