//! What the tests stand on, in layers: `stores`, the `service` over them, and the `clients` of
//! that; beside them the `fakes` of what others run and the `network` between all.

pub(crate) mod durations;
pub(crate) mod markdown;
pub(crate) mod numbers;
pub(crate) mod pictures;

mod clients;
mod fakes;
mod network;
mod service;
mod stores;

use std::net::TcpListener;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

pub(crate) use self::clients::{client, operators, raw};
pub(crate) use self::fakes::{
    collector, fake_receiver, fake_site_verify, fake_twilio, fake_webhook, http_server,
};
pub(crate) use self::network::{load_balancer, tcp_proxy, tls};
pub(crate) use self::service::{app, in_process, process, settings};
pub(crate) use self::stores::{
    accounts, database, ledger, pgbouncer, postgres_server, queue, records, redis_server, sentinel,
};

/// Asks again, every few milliseconds, until there is an answer.
///
/// # Panics
/// There is still none when `within` has passed: then the test fails, and says that it waited for
/// `what`.
pub(crate) async fn eventually<T>(
    within: Duration,
    what: &str,
    mut answer: impl AsyncFnMut() -> Option<T>,
) -> T {
    let deadline = Instant::now() + within;
    loop {
        if let Some(answer) = answer().await {
            return answer;
        }
        assert!(Instant::now() < deadline, "waited {within:?} in vain for {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A port of 127.0.0.1 that nobody listens on.
///
/// It lies below the range from which Linux takes the ports of outgoing connections: a server that
/// is stopped for a while gets it back, and a client that connects to it meanwhile cannot meet
/// itself.
pub(crate) fn free_port() -> u16 {
    const FIRST: u16 = 12_000;
    const COUNT: u16 = 20_000;
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = std::process::id().wrapping_mul(61);
    for _ in 0..COUNT {
        let step = u32::from(NEXT.fetch_add(1, Ordering::Relaxed));
        let offset = start.wrapping_add(step) % u32::from(COUNT);
        let port = FIRST + u16::try_from(offset).unwrap();
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no free port on 127.0.0.1");
}

/// Sends `signal` (`TERM`, `KILL`, `STOP`, …) to one process.
pub(crate) fn signal(pid: u32, signal: &str) {
    // The shell has it built in; not every system has it as a program.
    let status = std::process::Command::new("sh")
        .args(["-c", &format!("kill -{signal} {pid}")])
        .status()
        .expect("sh");
    assert!(status.success(), "kill -{signal} {pid} failed");
}
