//! `PROVIDER_RATE`: calls a second to one provider, over all workers.

use std::time::{Duration, Instant};

use common::domain::delivery::{DeliveryStatus, Reason};
use common::ledger::deliveries::{Claim, DeliveryStore};
use common::ledger::outcome::{Outcome, ProviderState};
use common::queue::job::SendOtp;
use ulid::Ulid;

use crate::support::app::{Plan, SOON};
use crate::support::eventually;
use crate::support::ledger::Ledger;
use crate::support::numbers::numbers;

/// When the calls begin of those of `jobs` whose turn it is.
async fn begin(worker: &DeliveryStore, jobs: &[SendOtp]) -> Vec<i64> {
    let mut starts = Vec::new();
    for job in jobs {
        if let Claim::Send(this_try) = worker.claim(job, Ulid::generate()).await.unwrap() {
            starts.push(this_try.start_at);
        }
    }
    starts
}

/// The most of `starts`, sorted, that lie within one second.
fn most_in_a_second(starts: &[i64]) -> usize {
    let within = |first: &i64| {
        starts.iter().filter(|start| (*first..*first + 1_000).contains(*start)).count()
    };
    starts.iter().map(within).max().unwrap_or(0)
}

#[tokio::test]
async fn who_comes_late_for_a_call_keeps_to_the_rate_all_the_same() {
    let ledger = Ledger::new(300, &["twilio"], 10);
    let mut jobs = Vec::new();
    for last in 0..100 {
        jobs.push(ledger.ask(last).await);
    }
    let mut starts = begin(&ledger.worker, &jobs).await;
    // All wait behind a breaker, or for a worker, until the instants of half of them are past.
    ledger.advance(Duration::from_secs(5));
    for _ in 0..100 {
        starts.extend(begin(&ledger.worker, &ledger.take_due().await).await);
        ledger.advance(Duration::from_millis(200));
    }
    assert_eq!(starts.len(), 100, "all were called for within 25 s");
    starts.sort_unstable();
    assert!(most_in_a_second(&starts) <= 10, "{starts:?}");
    assert!(
        starts.last().unwrap() - starts[0] < 17_000,
        "no call of the rate is lost for long: {starts:?}"
    );
}

#[tokio::test]
async fn two_providers_have_a_rate_each() {
    let ledger = Ledger::new(300, &["twilio", "webhook"], 1);
    let mut jobs = Vec::new();
    for last in 0..10 {
        jobs.push(ledger.ask(last).await);
    }
    begin(&ledger.worker, &jobs).await;
    ledger.open_breaker("twilio").await;
    let (probe, claimant) = (ledger.ask(20).await, Ulid::generate());
    ledger.advance(Duration::from_secs(2));
    let twilio = ledger.worker(&["twilio"], 0);
    assert!(matches!(twilio.claim(&probe, claimant).await.unwrap(), Claim::Send(_)));
    let failed = Outcome::failed("twilio", Reason::Throttled);
    let failed =
        failed.with_provider_state(ProviderState::Fails, None, Some(Duration::from_secs(60)));
    twilio.record(&probe, claimant, &failed).await.unwrap();

    let mut starts = Vec::new();
    for last in 30..50 {
        let job = ledger.ask_beside(last).await;
        starts.extend(begin(&ledger.worker, &[job]).await);
        starts.extend(begin(&ledger.worker, &ledger.take_due().await).await);
        ledger.advance(Duration::from_millis(500));
    }
    starts.sort_unstable();
    assert!(starts.len() >= 5, "the webhook is called meanwhile: {starts:?}");
    assert!(most_in_a_second(&starts) <= 1, "{starts:?}");
}

#[tokio::test]
async fn too_much_to_send_does_not_keep_everything_from_being_sent() {
    let ledger = Ledger::new(30, &["twilio"], 1);
    let mut jobs = Vec::new();
    for last in 0..200 {
        jobs.push(ledger.ask(last).await);
    }
    begin(&ledger.worker, &jobs).await;
    let refused = ledger.status(&jobs[199]).await;
    assert_eq!(
        refused,
        (DeliveryStatus::Failed, Some(Reason::Throttled)),
        "the client is told at once"
    );
    // The codes have expired, and nothing was asked for since.
    ledger.advance(Duration::from_secs(31));
    ledger.take_due().await;
    let fresh = ledger.ask(500).await;
    assert_eq!(
        begin(&ledger.worker, &[fresh]).await.len(),
        1,
        "its call is not behind those of the dead"
    );
}

#[async_test]
async fn two_workers_keep_to_one_rate() {
    const RATE: usize = 20;
    const JOBS: usize = 120;
    let app = Plan::new().workers(2).set("PROVIDER_RATE", &RATE.to_string()).start().await;
    for number in numbers(JOBS) {
        app.ask(&number).await;
    }
    eventually(SOON, "all SMS", async || (app.twilio.accepted_in_all() == JOBS).then_some(()))
        .await;
    let instants = app.twilio.instants();
    let took = instants[JOBS - 1] - instants[0];
    println!("{JOBS} calls in {took:?}");
    // A call is on its way for a while: on a busy machine it may be read a quarter of a second
    // after its instant.
    let within = |first: &Instant| {
        instants.iter().filter(|at| (*first..*first + Duration::from_secs(1)).contains(*at)).count()
    };
    let most = instants.iter().map(within).max().unwrap();
    assert!(most <= RATE + RATE / 4, "{most} calls in a second");
    assert!(took < Duration::from_secs(8), "the rate is used: 120 calls in 6 s");
    app.no_job_is_left(SOON).await;
    assert!(app.twilio.counts().values().all(|counts| *counts == (1, 1)), "each once");
}
