//! A provider in trouble is left alone, by all workers, and those who wait come through when it
//! works again.

use std::time::{Duration, Instant};

use futures_util::{StreamExt, stream};

use crate::support::app::{App, Plan, SOON};
use crate::support::eventually;
use crate::support::fake_twilio::Reply;
use crate::support::numbers::numbers;

/// Asks for an SMS to each number; returns the deliveries' ids.
async fn ask_all(app: &App, numbers: &[String]) -> Vec<String> {
    let client = app.keep_alive(0);
    let asks = stream::iter(numbers).map(|number| client.ask("Asha", number)).buffered(16);
    asks.map(|asked| asked.expect(200).body["delivery_id"].as_str().unwrap().to_owned())
        .collect()
        .await
}

#[async_test]
async fn a_run_of_failures_stops_the_calls_until_a_probe_succeeds() {
    let app = Plan::new().workers(2).start().await;
    app.twilio.otherwise(Reply::error(503, 20503));
    let numbers = numbers(500);
    let ids = ask_all(&app, &numbers).await;
    eventually(SOON, "an open breaker", async || {
        (!app.worker_events("breaker_opened").is_empty()).then_some(())
    })
    .await;

    // Two seconds after the first failure only probes are left: after 1 s, 2 s, 4 s, 8 s and then
    // every 15 s, each a moment late, because those who wait do not all come at once.
    let first = app.twilio.instants()[0];
    tokio::time::sleep_until((first + Duration::from_secs(8)).into()).await;
    let instants = app.twilio.instants();
    let probes = instants.iter().filter(|at| **at > first + Duration::from_secs(2)).count();
    assert!((1..=3).contains(&probes), "{probes} calls in six seconds, with 500 jobs waiting");
    assert!(instants.len() < 100, "{} calls before the breaker was heard of", instants.len());
    assert_eq!(app.delivery(&ids[499]).await["status"], "queued");
    assert_eq!(app.worker_events("breaker_opened").len(), 1, "over both workers");

    app.twilio.otherwise(Reply::Accept);
    let all = "all SMS: a pause, a probe and the spread of those who wait";
    eventually(Duration::from_secs(30), all, async || {
        (app.twilio.accepted_in_all() >= 500).then_some(())
    })
    .await;
    app.no_job_is_left(SOON).await;
    let counts = app.twilio.counts();
    assert!(counts.values().all(|(_, accepted)| *accepted == 1), "each once");
    assert_eq!(app.worker_events("breaker_closed").len(), 1, "by one probe");
    for id in [&ids[0], &ids[250], &ids[499]] {
        assert_eq!(app.delivery(id).await["status"], "sent");
    }
    assert!(app.dead_letters().await.is_empty());
}

#[async_test]
async fn a_misconfiguration_is_one_error_for_the_operator() {
    let app = Plan::new().workers(2).append_only().set("OTP_TTL_SECONDS", "60").start().await;
    app.twilio.otherwise(Reply::error(401, 20003));
    let numbers = numbers(100);
    let ids = ask_all(&app, &numbers).await;
    // Long enough for more than one probe.
    eventually(SOON, "a probe that fails", async || {
        (app.worker_events("breaker_reopened").len() >= 2).then_some(())
    })
    .await;
    let errors: Vec<_> =
        app.workers.iter().flat_map(|worker| worker.lines_of_level("ERROR")).collect();
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert_eq!(errors[0]["event"], "breaker_opened");
    assert_eq!(errors[0]["provider"], "twilio");
    assert_eq!(errors[0]["reason"], "misconfigured");
    let warnings: Vec<_> =
        app.workers.iter().flat_map(|worker| worker.lines_of_level("WARN")).collect();
    assert!(warnings.is_empty(), "nothing for each SMS: {warnings:?}");
    assert!(app.twilio.instants().len() < 100, "it opens at once");

    // The operator mends it in time.
    app.twilio.otherwise(Reply::Accept);
    let window = Duration::from_secs(30);
    eventually(window, "all SMS", async || (app.twilio.accepted_in_all() >= 100).then_some(()))
        .await;
    app.delivery_is(&ids[99], "sent", SOON).await;
    app.no_job_is_left(SOON).await;
    assert!(app.twilio.counts().values().all(|(_, accepted)| *accepted == 1), "each once");
}

#[async_test]
async fn a_provider_that_never_answers_does_not_take_all_slots_for_long() {
    let app = Plan::new()
        .set("PROVIDER_TIMEOUT_SECONDS", "2")
        .set("WORKER_CONCURRENCY", "20")
        .start()
        .await;
    app.twilio.otherwise(Reply::Never);
    let numbers = numbers(60);
    let ids = ask_all(&app, &numbers).await;
    eventually(SOON, "an open breaker", async || {
        (!app.worker_events("breaker_opened").is_empty()).then_some(())
    })
    .await;
    app.twilio.otherwise(Reply::Accept);
    let asked = Instant::now();
    eventually(Duration::from_secs(30), "an end of all", async || {
        let tries = app.twilio.counts();
        (tries.len() == numbers.len()).then_some(())
    })
    .await;
    println!("all called {:?} after the provider answers again", asked.elapsed());
    app.no_job_is_left(SOON).await;
    let mut lost = 0;
    for (id, number) in ids.iter().zip(&numbers) {
        let told = app.delivery(id).await;
        let accepted = app.twilio.accepted(number).len();
        match told["status"].as_str() {
            Some("sent") => assert_eq!(accepted, 1, "{number}"),
            Some("failed") => {
                assert_eq!((&told["reason"], accepted), (&"no_answer".into(), 0), "{number}");
                lost += 1;
            }
            _ => panic!("{told}"),
        }
        assert_eq!(
            app.twilio.tries(number).len(),
            1,
            "nobody sends what may have been sent: {number}"
        );
    }
    // The 20 slots, those that four failures freed before the fifth opened the breaker, a probe,
    // and on a busy machine another one that begins before the test has seen the breaker open.
    assert!((5..=26).contains(&lost), "those whose calls were open, and the probes: {lost}");
}
