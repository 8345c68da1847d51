//! 5,000 slow clients at once, from a process of their own, against an API with its usual settings.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::app::Plan;
use crate::support::client::Client;
use crate::support::numbers::NUMBER;
use crate::support::process::Process;
use crate::support::raw::Connection;
use crate::support::settings::Settings;

const CLIENTS: usize = 5_000;
/// After it nobody slow is connected any more.
const CUT_WITHIN: Duration = Duration::from_secs(15);
/// For an ordinary request, all the time.
const ANSWERED_WITHIN: Duration = Duration::from_secs(1);
const BETWEEN_REQUESTS: Duration = Duration::from_millis(20);

const PROBE: &[u8] = b"GET /healthz HTTP/1.1\r\nHost: test\r\n\r\n";

/// One ordinary request of each kind: what a load balancer asks, a sign-up, a bearer token. Returns
/// how long the longest took.
async fn ordinary_requests(client: &Client, token: &str, number: &str) -> Duration {
    let mut longest = Duration::ZERO;
    for kind in ["health", "sign-up", "token"] {
        let start = Instant::now();
        match kind {
            "health" => client.get("/readyz", None).await.expect(200),
            "sign-up" => client.ask("Asha", number).await.expect(200),
            _ => client.protected(token).await.expect(200),
        };
        longest = longest.max(start.elapsed());
    }
    longest
}

#[async_test]
async fn five_thousand_slow_clients_are_cut_and_hold_nobody_up() {
    let app = Plan::new().start().await;
    let token = app.sign_in("Ravi", NUMBER).await.token().to_owned();
    let mut idle = Connection::open(app.client().address());
    idle.write(PROBE);
    idle.read_until(ANSWERED_WITHIN, "\r\n\r\n");
    // Opens a connection for every request, as a new client does, and keeps them, as a proxy does.
    let clients = [app.client().clone(), app.keep_alive(0)];

    let arguments = [app.client().address(), &CLIENTS.to_string()];
    let mut crowd =
        Process::spawn("slow", "examples/slow_clients", &arguments, &Settings::new(), app.folder());
    let (mut requests, mut longest) = (0, Duration::ZERO);
    let start = Instant::now();
    while crowd.is_running() {
        assert!(start.elapsed() < Duration::from_secs(90), "the crowd goes on: {}", crowd.log());
        let number = format!("+9198765{:05}", 50_000 + requests % 40_000);
        longest = longest.max(ordinary_requests(&clients[requests % 2], &token, &number).await);
        requests += 1;
        tokio::time::sleep(BETWEEN_REQUESTS).await;
    }

    println!(
        "slow clients: {}ordinary: 3 x {requests}, the longest took {longest:?}",
        crowd.stdout()
    );
    let told: Value =
        serde_json::from_str(&crowd.stdout()).unwrap_or_else(|_| panic!("{}", crowd.log()));
    assert_eq!(told["cut"], CLIENTS, "{told}");
    let last = told["longest"]["ms"].as_u64().unwrap();
    assert!(u128::from(last) < CUT_WITHIN.as_millis(), "{told}");
    let first = told["shortest"]["ms"].as_u64().unwrap();
    assert!(first > 5_000, "they had their time, and held on together: {told}");
    assert!(
        told["began_within_ms"].as_u64().unwrap() < first,
        "all of them were connected at once: {told}"
    );
    assert!(longest < ANSWERED_WITHIN, "an ordinary request took {longest:?}");
    assert!(requests > 50, "only {requests} rounds");

    let answered = idle.received().len();
    idle.write(PROBE);
    let asked = Instant::now();
    while idle.received().len() == answered {
        assert!(
            !idle.closed_within(Duration::from_millis(20)),
            "an idle connection lasts longer than that"
        );
        assert!(asked.elapsed() < ANSWERED_WITHIN, "no answer on the idle connection");
    }
    assert_eq!(idle.received().matches("HTTP/1.1 200 ").count(), 2);
}
