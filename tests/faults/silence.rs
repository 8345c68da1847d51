//! Connections to Redis go silent, as with a lost route: bytes are swallowed, and new connections
//! work.

use std::time::{Duration, Instant};

use crate::support::app::{App, Plan};
use crate::support::eventually;
use crate::support::operators::operators_client;
use crate::support::tcp_proxy::TcpProxy;

const HEALTHY_WITHIN: Duration = Duration::from_secs(5);

/// The time until somebody signs in again from the beginning to the end.
async fn healthy_after(app: &mut App, since: Instant, number: &str) -> Duration {
    eventually(HEALTHY_WITHIN, "an API that works again", async || {
        (app.client().ask("Asha", number).await.status == 200).then_some(())
    })
    .await;
    let sms =
        app.twilio.wait_for_sms(number, 1, HEALTHY_WITHIN.saturating_sub(since.elapsed())).await;
    app.client().verify(number, &sms[0].code()).await.expect(200);
    let after = since.elapsed();
    assert_eq!(app.client().get("/readyz", None).await.body["degraded"], false);
    assert_eq!(operators_client(&mut app.workers[0]).await.get("/readyz", None).await.status, 200);
    after
}

#[async_test]
async fn all_connections_of_the_api_go_silent() {
    let mut app = Plan::new().apis(0).start().await;
    let proxy = TcpProxy::start(app.redis.port()).await;
    app.behind(&proxy, App::start_api).await;
    app.sign_in("Ravi", "+919876543219").await;
    proxy.silence();
    let after = healthy_after(&mut app, Instant::now(), "+919876543210").await;
    println!("the API's connections go silent: healthy after {after:.2?}");
}

#[async_test]
async fn all_connections_of_the_worker_go_silent() {
    let mut app = Plan::new().workers(0).start().await;
    let proxy = TcpProxy::start(app.redis.port()).await;
    app.behind(&proxy, App::start_worker).await;
    app.sign_in("Ravi", "+919876543219").await;
    proxy.silence();
    let after = healthy_after(&mut app, Instant::now(), "+919876543210").await;
    println!("the worker's connections go silent: healthy after {after:.2?}");
}
