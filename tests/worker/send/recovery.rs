//! Redis pauses, is replaced or is cut off, the provider is down: live OTPs arrive, once.
//! `tests/faults` has the long runs.

use std::time::{Duration, Instant};

use crate::support::app::{App, Plan, SOON};
use crate::support::eventually;
use crate::support::fake_twilio::Reply;
use crate::support::numbers::numbers;
use crate::support::redis_server::Redis;
use crate::support::tcp_proxy::TcpProxy;

/// One job in each state: sent, being sent, waiting for its second try.
struct Jobs {
    sent: (String, String),
    open: (String, String),
    waiting: (String, String),
}

impl Jobs {
    async fn begin(app: &App) -> Self {
        let [sent, open, waiting] = [0, 1, 2].map(|last| format!("+91987654321{last}"));
        app.twilio.script(&open, [Reply::accept_after(Duration::from_secs(2))]);
        app.twilio.script(&waiting, [Reply::Error(503, 20503, Some(1))]);
        let sent = (app.ask(&sent).await, sent);
        app.delivery_is(&sent.0, "sent", SOON).await;
        let open = (app.ask(&open).await, open);
        let waiting = (app.ask(&waiting).await, waiting);
        app.twilio.wait_for_tries(&open.1, 1, SOON).await;
        app.delivery_is(&waiting.0, "queued", SOON).await;
        app.twilio.wait_for_tries(&waiting.1, 1, SOON).await;
        Self { sent, open, waiting }
    }

    fn all(&self) -> [&(String, String); 3] {
        [&self.sent, &self.open, &self.waiting]
    }

    async fn arrive(&self, app: &App, within: Duration) {
        for (id, number) in self.all() {
            app.twilio.wait_for_sms(number, 1, within).await;
            app.delivery_is(id, "sent", SOON).await;
        }
        app.no_job_is_left(SOON).await;
        for (_, number) in self.all() {
            assert_eq!(app.twilio.accepted(number).len(), 1, "{number} once");
        }
    }
}

#[async_test]
async fn a_redis_that_pauses_for_eight_seconds_loses_and_repeats_nothing() {
    let mut app = Plan::new().workers(2).start().await;
    let jobs = Jobs::begin(&app).await;
    app.redis.pause();
    tokio::time::sleep(Duration::from_secs(8)).await;
    app.redis.resume();
    jobs.arrive(&app, SOON).await;
    app.code_after_outage("Ravi", "+919876543219").await;
    assert!(app.worker_events("sms_may_repeat").is_empty());
    assert!(app.workers.iter_mut().all(|worker| worker.is_running()));
    assert!(app.worker_events("worker_ended").is_empty(), "no worker had to start over");
}

#[async_test]
async fn what_was_replicated_arrives_from_the_promoted_replica() {
    let mut app = Plan::new().apis(0).workers(0).start().await;
    let proxy = TcpProxy::start(app.redis.port()).await;
    app.behind(&proxy, App::start_api).await;
    app.behind(&proxy, App::start_worker).await;
    let replica = Redis::start_replica_of(&app.redis);
    let jobs = Jobs::begin(&app).await;
    let code = app.twilio.accepted(&jobs.sent.1)[0].code();

    app.redis.wait_for_replica();
    app.redis.kill();
    replica.promote();
    proxy.redirect(replica.port());
    app.redis = replica;

    jobs.arrive(&app, SOON).await;
    app.client().verify(&jobs.sent.1, &code).await.expect(200);
    app.code_after_outage("Ravi", "+919876543219").await;
    assert!(app.apis[0].is_running() && app.workers[0].is_running());
}

#[async_test]
async fn a_worker_that_loses_its_way_to_redis_finds_it_again() {
    for stalled in [true, false] {
        let mut app = Plan::new().workers(0).start().await;
        let proxy = TcpProxy::start(app.redis.port()).await;
        app.behind(&proxy, App::start_worker).await;
        let jobs = Jobs::begin(&app).await;
        if stalled {
            proxy.stall()
        } else {
            proxy.close()
        }
        let cut = Instant::now();
        app.twilio.wait_for_sms(&jobs.open.1, 1, SOON).await;
        let asked_meanwhile = app.ask("+919876543215").await;
        tokio::time::sleep_until((cut + Duration::from_secs(8)).into()).await;
        assert_eq!(app.delivery(&asked_meanwhile).await["status"], "queued");
        if stalled {
            proxy.go_on()
        } else {
            proxy.open()
        }

        jobs.arrive(&app, SOON).await;
        app.delivery_is(&asked_meanwhile, "sent", SOON).await;
        assert!(app.workers[0].is_running());
        assert!(app.worker_events("sms_may_repeat").is_empty(), "no other worker took over");
    }
}

#[async_test]
async fn another_worker_takes_over_from_one_that_is_cut_off() {
    let mut app = Plan::new().workers(0).set("PROVIDER_TIMEOUT_SECONDS", "3").start().await;
    let proxy = TcpProxy::start(app.redis.port()).await;
    app.behind(&proxy, App::start_worker).await;
    let jobs = Jobs::begin(&app).await;
    // Cut before its outcome can be recorded, for longer than the claim and the heartbeats last.
    proxy.stall();
    app.start_worker().await;
    app.twilio.wait_for_sms(&jobs.open.1, 2, Duration::from_secs(30)).await;
    let repeats = app.worker_events("sms_may_repeat");
    assert_eq!(repeats.len(), 1, "the call whose outcome could not be recorded: {repeats:?}");
    assert_eq!(repeats[0]["delivery_id"], jobs.open.0.as_str());
    app.delivery_is(&jobs.waiting.0, "sent", SOON).await;
    proxy.go_on();
    app.delivery_is(&jobs.open.0, "sent", SOON).await;
    app.no_job_is_left(Duration::from_secs(40)).await;
    assert_eq!(app.twilio.tries(&jobs.open.1).len(), 2);
    assert_eq!(app.twilio.accepted(&jobs.waiting.1).len(), 1);
    assert_eq!(app.twilio.accepted(&jobs.sent.1).len(), 1);
    // The first one works again.
    app.workers[1].signal("TERM");
    app.workers[1].ended(SOON).await;
    app.delivery_is(&app.ask("+919876543219").await, "sent", SOON).await;
}

#[async_test]
async fn sms_wait_for_a_provider_that_is_down() {
    let mut app = Plan::new().workers(2).start().await;
    app.twilio.close().await;
    let numbers = numbers(200);
    let mut ids = Vec::new();
    for number in &numbers {
        ids.push(app.ask(number).await);
    }
    eventually(SOON, "a second probe", async || {
        (app.worker_events("breaker_reopened").len() >= 2).then_some(())
    })
    .await;
    app.twilio.open().await;
    let window = Duration::from_secs(30);
    eventually(window, "all SMS", async || {
        (app.twilio.accepted_in_all() >= numbers.len()).then_some(())
    })
    .await;
    app.no_job_is_left(SOON).await;
    assert!(app.twilio.counts().values().all(|counts| *counts == (1, 1)), "each once");
    for id in &ids {
        assert_eq!(app.delivery(id).await["status"], "sent");
    }
}
