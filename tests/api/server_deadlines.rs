//! Slow clients: 10 s for reading a request, 60 s for a connection of the API that is idle.

use std::time::Duration;

use crate::support::app::Plan;
use crate::support::raw::Connection;

const REQUEST: &[u8] = b"GET /healthz HTTP/1.1\r\nHost: test\r\n\r\n";

/// Reading a request takes 10 s at most; what is more is for a busy machine.
const READING: std::ops::Range<Duration> = Duration::from_secs(8)..Duration::from_secs(15);

/// Sends a byte every so often, until the server closes; returns how long that took.
fn drip(mut connection: Connection, every: Duration, limit: Duration) -> Duration {
    let start = std::time::Instant::now();
    while start.elapsed() < limit {
        if connection.closed_within(every) || connection.try_write(b"a").is_err() {
            return start.elapsed();
        }
    }
    panic!("a client that drips was still connected after {limit:?}");
}

/// Half requests, each left alone or dripped on; returns how long each lasted.
fn slow_clients(address: &str) -> Vec<std::thread::JoinHandle<Duration>> {
    let beginnings: [&[u8]; 4] = [
        b"GET /healthz HTTP/1.1\r\nHost: te",
        b"GET /healthz HTTP/1.1\r\nX-Slow: ",
        b"POST /signup HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n",
        b"POST /signup HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{",
    ];
    let clients = beginnings.into_iter().enumerate().map(|(index, beginning)| {
        let mut connection = Connection::open(address);
        connection.write(beginning);
        std::thread::spawn(move || {
            if index % 2 == 0 {
                connection.closed(READING.end)
            } else {
                drip(connection, Duration::from_secs(1), READING.end)
            }
        })
    });
    clients.collect()
}

#[async_test]
async fn a_request_that_does_not_arrive_is_cut_off() {
    let app = Plan::new().workers(0).start().await;
    let address = app.client().address().to_owned();
    let clients = slow_clients(&address);
    let mut idle = Connection::open(&address);
    idle.write(REQUEST);
    idle.read_until(Duration::from_secs(5), "\r\n\r\n");

    for client in clients {
        let lasted = client.join().unwrap();
        assert!(READING.contains(&lasted), "cut off after {lasted:?}");
    }
    let answered = idle.received().len();
    idle.write(REQUEST);
    while idle.received().len() == answered {
        assert!(
            !idle.closed_within(Duration::from_millis(50)),
            "an idle connection lasts longer than that"
        );
    }
    assert_eq!(idle.received().matches("HTTP/1.1 200 ").count(), 2);
    app.client().get("/healthz", None).await.expect(200);
}

/// Where a worker is asked for its metrics and its health, each connection brings one request,
/// which may be answered before it has all arrived.
#[async_test]
async fn a_worker_s_operations_are_not_held_up_by_slow_clients() {
    let mut app = Plan::new().apis(0).start().await;
    let listening =
        app.workers[0].wait_for_event("metrics_listening", Duration::from_secs(5)).await;
    let address = listening["address"].as_str().unwrap();
    let clients = slow_clients(address);
    let silent: Vec<_> = (0..30).map(|_| Connection::open(address)).collect();
    for client in clients {
        let lasted = client.join().unwrap();
        assert!(lasted < READING.end, "cut off after {lasted:?}");
    }
    for mut connection in silent {
        connection.closed(READING.end);
    }
    let mut prompt = Connection::open(address);
    prompt.write(REQUEST);
    let answer = prompt.read_until(Duration::from_secs(5), "{\"status\":\"ok\"}");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    prompt.closed(Duration::from_secs(5));
}
