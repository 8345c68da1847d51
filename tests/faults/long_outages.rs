//! Outages of minutes: the provider is down, a worker's way to Redis is cut.

use std::time::{Duration, Instant};

use crate::reconciliation::{Promise, Reconciliation};
use crate::support::app::{App, Plan, SOON};
use crate::support::eventually;
use crate::support::fake_twilio::Reply;
use crate::support::numbers::NUMBER;
use crate::support::tcp_proxy::TcpProxy;

const LIFE: Duration = Duration::from_secs(300);

async fn ask(app: &App, number: String) -> Promise {
    let asked = Instant::now();
    let id = app.ask(&number).await;
    Promise { number, id, asked, answered: Instant::now() }
}

async fn all_are_sent(app: &App, promises: &[Promise], within: Duration) -> Reconciliation {
    eventually(within, "all SMS", async || {
        promises
            .iter()
            .all(|promise| !app.twilio.accepted(&promise.number).is_empty())
            .then_some(())
    })
    .await;
    app.no_job_is_left(Duration::from_secs(60)).await;
    let accounts = Reconciliation::draw(app, promises, LIFE).await;
    assert_eq!(accounts.told("sent"), promises.len(), "{:?}", accounts.ends);
    accounts
}

#[async_test]
async fn a_provider_is_down_for_two_minutes() {
    let mut app = Plan::new().workers(2).start().await;
    app.twilio.close().await;
    let start = Instant::now();
    let mut promises = Vec::new();
    while start.elapsed() < Duration::from_secs(120) {
        promises.push(ask(&app, format!("+9196{:08}", promises.len())).await);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let failed = app.worker_events("sms_try_failed").len();
    app.twilio.open().await;
    let back = Instant::now();
    let accounts = all_are_sent(&app, &promises, Duration::from_secs(60)).await;
    println!(
        "provider down for 2 min: {failed} calls for {} jobs, all sent {:.0?} after it is back",
        promises.len(),
        back.elapsed()
    );
    assert_eq!(accounts.duplicates, 0);
    assert!(failed < 50, "{failed} calls");
    assert_eq!(app.worker_events("breaker_opened").len(), 1);
}

/// Two workers, of which the first loses its way to Redis for a minute, with calls open.
async fn cut_off_for_a_minute(name: &str, cut: impl Fn(&TcpProxy), mend: impl Fn(&TcpProxy)) {
    let mut app = Plan::new().workers(0).start().await;
    let proxy = TcpProxy::start(app.redis.port()).await;
    app.behind(&proxy, App::start_worker).await;
    app.twilio.otherwise(Reply::accept_after(Duration::from_millis(500)));
    let mut promises = Vec::new();
    for last in 0..20 {
        promises.push(ask(&app, format!("+9195{last:08}")).await);
    }
    let open = app.twilio.counts().values().filter(|(_, accepted)| *accepted == 0).count();
    cut(&proxy);
    let start = Instant::now();
    app.start_worker().await;
    while start.elapsed() < Duration::from_secs(60) {
        promises.push(ask(&app, format!("+9195{:08}", promises.len())).await);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    mend(&proxy);
    let accounts = all_are_sent(&app, &promises, SOON).await;
    let longest = accounts.quantile(1.0);
    println!(
        "a worker {name} from Redis for 60 s, {open} calls open: {} sent, {} twice, the longest wait {longest:.0?}",
        promises.len(),
        accounts.duplicates
    );
    assert!(accounts.duplicates <= accounts.announced);
    assert!(longest < Duration::from_secs(45), "the other worker takes over");

    // The first one is of use again.
    app.workers[1].signal("TERM");
    app.workers[1].ended(SOON).await;
    let id = app.ask(NUMBER).await;
    app.delivery_is(&id, "sent", Duration::from_secs(40)).await;
}

#[async_test]
async fn a_worker_hears_nothing_of_redis_for_a_minute() {
    cut_off_for_a_minute("stalled", TcpProxy::stall, TcpProxy::go_on).await;
}

#[async_test]
async fn a_worker_is_refused_by_redis_for_a_minute() {
    cut_off_for_a_minute("cut off", TcpProxy::close, TcpProxy::open).await;
}

#[async_test]
async fn the_only_worker_is_cut_off_for_a_minute() {
    let mut app = Plan::new().workers(0).start().await;
    let proxy = TcpProxy::start(app.redis.port()).await;
    app.behind(&proxy, App::start_worker).await;
    app.twilio.otherwise(Reply::accept_after(Duration::from_millis(500)));
    let mut promises = Vec::new();
    for last in 0..20 {
        promises.push(ask(&app, format!("+9194{last:08}")).await);
    }
    proxy.stall();
    for last in 20..40 {
        promises.push(ask(&app, format!("+9194{last:08}")).await);
    }
    tokio::time::sleep(Duration::from_secs(60)).await;
    proxy.go_on();
    let back = Instant::now();
    let accounts = all_are_sent(&app, &promises, Duration::from_secs(60)).await;
    println!(
        "the only worker cut off for 60 s: all sent {:.0?} after it is back, {} twice",
        back.elapsed(),
        accounts.duplicates
    );
    assert!(accounts.duplicates <= accounts.announced);
}
