//! The queue when workers die, wait long, start late, or lose Redis for a while.

use std::time::{Duration, Instant};

use common::queue::NAMES;
use futures_util::future::join_all;
use futures_util::{StreamExt, stream};
use redis::Commands;

use crate::support::app::{App, Plan, SOON};
use crate::support::client::Client;
use crate::support::eventually;
use crate::support::fake_twilio::Reply;
use crate::support::numbers::NUMBER;

fn numbers(count: usize) -> Vec<String> {
    (0..count).map(|last| format!("+9198765{last:05}")).collect()
}

async fn ask_all(app: &App, numbers: &[String]) {
    let asks = numbers.iter().map(|number| app.client().ask("Asha", number));
    for asked in join_all(asks).await {
        asked.expect(200);
    }
}

/// Waits until so many requests have reached the provider.
async fn tries_in_all(app: &App, count: usize) {
    eventually(SOON, "requests to the provider", async || {
        let tries: usize = app.twilio.counts().values().map(|(tries, _)| tries).sum();
        (tries >= count).then_some(())
    })
    .await;
}

#[async_test]
async fn every_otp_of_a_killed_worker_still_arrives() {
    let mut app = Plan::new().workers(2).set("WORKER_CONCURRENCY", "10").start().await;
    app.twilio.otherwise(Reply::accept_after(Duration::from_secs(5)));
    let numbers = numbers(40);
    let asked = Instant::now();
    ask_all(&app, &numbers).await;
    // Twenty open calls are ten of each worker: neither has more slots.
    tries_in_all(&app, 20).await;
    assert_eq!(app.twilio.accepted_in_all(), 0, "the worker is killed while it sends");
    app.workers[0].signal("KILL");
    app.workers[0].ended(SOON).await;
    app.twilio.otherwise(Reply::Accept);

    let window = Duration::from_secs(20).saturating_sub(asked.elapsed());
    // The provider accepts what the dead worker sent, and nobody hears of it: those SMS are sent
    // once more.
    let repeated = || app.twilio.counts().values().filter(|(tries, _)| *tries == 2).count();
    eventually(window, "all OTPs from a live worker, 20 s after they were asked for", async || {
        let all = numbers.iter().all(|number| !app.twilio.accepted(number).is_empty());
        (all && repeated() >= 10).then_some(())
    })
    .await;
    assert_eq!(
        repeated(),
        10,
        "the jobs that the dead worker had, and no others: {:?}",
        app.twilio.counts()
    );
    assert!(app.workers[1].is_running());
    app.no_job_is_left(SOON).await;
}

#[async_test]
async fn jobs_that_outlast_the_heartbeat_window_are_sent_once() {
    // A worker that is not heard of for 10 s is taken for dead; here a provider may take longer
    // than that.
    let plan =
        Plan::new().workers(2).set("WORKER_CONCURRENCY", "3").set("PROVIDER_TIMEOUT_SECONDS", "20");
    let mut app = plan.start().await;
    app.twilio.otherwise(Reply::accept_after(Duration::from_secs(12)));
    let numbers = numbers(12);
    ask_all(&app, &numbers).await;
    // Six open calls are three of each worker: neither has more slots.
    tries_in_all(&app, 6).await;
    // A third one has slots enough to look around all the time, and takes the jobs of those that it
    // finds dead.
    app.settings.insert("WORKER_CONCURRENCY".to_owned(), "100".to_owned());
    app.start_worker().await;
    eventually(Duration::from_secs(45), "all OTPs", async || {
        (app.twilio.accepted_in_all() >= 12).then_some(())
    })
    .await;
    app.no_job_is_left(SOON).await;
    let counts = app.twilio.counts();
    assert!(counts.values().all(|counts| *counts == (1, 1)), "{counts:?}");
    assert!(app.workers.iter_mut().all(|worker| worker.is_running()), "no worker dies");
    for worker in &app.workers {
        assert!(worker.events("worker_ended").is_empty(), "no worker has to start over");
    }
}

#[async_test]
async fn a_job_that_two_workers_have_is_sent_once() {
    // A claim lasts as long as the provider may take; within it the first worker is only frozen,
    // not dead.
    let plan = Plan::new().set("PROVIDER_TIMEOUT_SECONDS", "20").set("LOG", "info,worker=debug");
    let mut app = plan.start().await;
    app.twilio.otherwise(Reply::accept_after(Duration::from_secs(1)));
    let numbers = numbers(5);
    ask_all(&app, &numbers).await;
    tries_in_all(&app, 5).await;
    app.workers[0].signal("STOP");
    app.start_worker().await;
    let mut redis = app.redis.connection();
    eventually(SOON, "the second worker to put off all jobs of the first", async || {
        let waiting: usize = redis.zcard(&NAMES.retry).unwrap();
        (waiting == 5).then_some(())
    })
    .await;
    app.workers[0].signal("CONT");
    app.no_job_is_left(Duration::from_secs(40)).await;
    let counts = app.twilio.counts();
    assert_eq!(counts.len(), 5);
    assert!(counts.values().all(|counts| *counts == (1, 1)), "{counts:?}");
    for number in &numbers {
        let code = app.twilio.accepted(number)[0].code();
        app.client().verify(number, &code).await.expect(200);
    }
}

/// More than a script of Redis can unpack, and than one fetch may take.
const MANY: usize = 20_000;

#[async_test]
async fn twenty_thousand_jobs_wait_before_the_first_worker_starts() {
    let mut app = Plan::new().workers(0).set("OTP_TTL_SECONDS", "600").start().await;
    let client = Client::keep_alive(app.client().address());
    let numbers = numbers(MANY);
    let start = Instant::now();
    stream::iter(&numbers)
        .map(|number| client.ask("Asha", number))
        .buffer_unordered(32)
        .for_each(async |asked| {
            asked.expect(200);
        })
        .await;
    println!("{MANY} asked for in {:?}", start.elapsed());
    assert!(app.twilio.counts().is_empty(), "nobody sends yet");
    assert!(app.job_records().len() >= MANY, "the jobs wait");

    let start = Instant::now();
    app.start_worker().await;
    eventually(Duration::from_secs(150), "20,000 SMS", async || {
        (app.twilio.accepted_in_all() >= MANY).then_some(())
    })
    .await;
    println!("{MANY} sent in {:?}", start.elapsed());
    app.no_job_is_left(Duration::from_secs(60)).await;
    let counts = app.twilio.counts();
    assert_eq!(counts.len(), MANY);
    assert!(counts.values().all(|counts| *counts == (1, 1)), "each once");
    assert!(app.workers[0].is_running());
    assert!(app.twilio.refusals().is_empty());
}

#[async_test]
async fn both_processes_go_on_after_redis_was_restarted() {
    let mut app = Plan::new().append_only().start().await;
    let early = NUMBER;
    let code = app.code_for("Asha", early).await;
    for round in 0..2 {
        // A job of before the restart waits for its second try, another is being sent.
        let [waiting, open] = [1, 2].map(|last| format!("+91987654321{}", 2 * round + last));
        app.twilio.script(&waiting, [Reply::error(503, 20503)]);
        app.twilio.script(&open, [Reply::accept_after(Duration::from_secs(1))]);
        ask_all(&app, &[waiting.clone(), open.clone()]).await;
        app.twilio.wait_for_tries(&waiting, 1, SOON).await;
        app.twilio.wait_for_tries(&open, 1, SOON).await;

        app.redis.restart();
        app.code_after_outage("Ravi", &format!("+91987654320{round}")).await;
        for number in [&waiting, &open] {
            let code = app.twilio.wait_for_sms(number, 1, SOON).await[0].code();
            app.client().verify(number, &code).await.expect(200);
        }
    }
    app.client().verify(early, &code).await.expect(200);
    app.no_job_is_left(SOON).await;
    assert!(app.apis[0].is_running() && app.workers[0].is_running());
}
