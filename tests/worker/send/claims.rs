//! Claims and their outcomes where workers die, answers are lost, or time runs out: the scripts,
//! step by step.

use std::time::Duration;

use common::domain::delivery::{DeliveryStatus, Reason};
use common::ledger::deliveries::Claim;
use common::ledger::outcome::{BreakerEvent, Outcome, ProviderState};
use common::queue::job::SendOtp;
use ulid::Ulid;

use crate::support::durations::SECOND;
use crate::support::ledger::{CLAIM, Ledger};

#[tokio::test]
async fn a_try_that_was_never_recorded_may_have_been_sent() {
    let ledger = Ledger::new(30, &["twilio"], 0);
    let job = ledger.ask(1).await;
    ledger.claim_try(&job, Ulid::generate()).await;
    // The worker dies, and its job runs again when the code has expired.
    ledger.advance(31 * SECOND);
    let claim = ledger.claim(&job, Ulid::generate()).await;
    assert!(matches!(claim, Claim::Drop { .. }), "{claim:?}");
    let ended = ledger.status(&job).await;
    assert_eq!(
        ended,
        (DeliveryStatus::Failed, Some(Reason::NoAnswer)),
        "nobody knows whether it was sent"
    );
    ledger.report(&job, DeliveryStatus::Delivered, None).await;
    assert_eq!(ledger.status(&job).await, (DeliveryStatus::Delivered, None));
}

#[tokio::test]
async fn a_later_try_that_fails_says_nothing_of_one_that_was_never_recorded() {
    let ledger = Ledger::new(300, &["twilio"], 0);
    let (job, second) = (ledger.ask(1).await, Ulid::generate());
    ledger.claim_try(&job, Ulid::generate()).await;
    ledger.advance(CLAIM + SECOND);
    ledger.claim_try(&job, second).await;
    let refused = Outcome::failed("twilio", Reason::ProviderUnavailable).with_provider_state(
        ProviderState::Fails,
        Some(20503),
        None,
    );
    ledger.worker.record(&job, second, &refused).await.unwrap();
    assert_eq!(ledger.status(&job).await, (DeliveryStatus::Failed, Some(Reason::NoAnswer)));
}

#[tokio::test]
async fn what_expires_first_comes_first_behind_a_breaker() {
    let (short, long) = (Ledger::new(30, &["twilio"], 0), Ledger::new(300, &["twilio"], 0));
    let mut waits = Vec::new();
    for ledger in [&short, &long] {
        ledger.open_breaker("twilio").await;
        for last in 0..50 {
            ledger.claim(&ledger.ask(last).await, Ulid::generate()).await;
        }
        let all = ledger.waits();
        assert!(
            all.iter().all(|wait| *wait >= 1_000),
            "not before the breaker's pause is over: {all:?}"
        );
        assert!(all.last().unwrap() - all[0] > 500, "not all at once: {all:?}");
        waits.push(all);
    }
    assert!(waits[0].last() < waits[1].first(), "{waits:?}");
}

#[tokio::test]
async fn a_worker_that_is_only_slow_may_say_that_it_sent() {
    let ledger = Ledger::new(30, &["twilio"], 0);
    let (job, slow) = (ledger.ask(1).await, Ulid::generate());
    ledger.claim_try(&job, slow).await;
    ledger.advance(31 * SECOND);
    ledger.claim(&job, Ulid::generate()).await;
    ledger.worker.record(&job, slow, &Outcome::sent("twilio", "SM1".to_owned())).await.unwrap();
    assert_eq!(ledger.status(&job).await, (DeliveryStatus::Sent, None));
}

#[tokio::test]
async fn a_try_that_may_repeat_one_says_so_however_often_it_is_claimed() {
    let ledger = Ledger::new(300, &["twilio"], 0);
    let job = ledger.ask(1).await;
    ledger.claim_try(&job, Ulid::generate()).await;
    ledger.advance(CLAIM + SECOND);
    let second = Ulid::generate();
    assert!(ledger.claim_try(&job, second).await.after_unrecorded);
    // The answer to that claim is lost.
    let again = ledger.claim_try(&job, second).await;
    assert!(again.after_unrecorded, "the first worker's try is still unrecorded");
    assert_eq!(again.number, 2, "the same try");
}

#[tokio::test]
async fn a_report_tells_why_what_nobody_answered_for_has_failed() {
    let ledger = Ledger::new(300, &["twilio"], 0);
    let (job, claimant) = (ledger.ask(1).await, Ulid::generate());
    ledger.claim_try(&job, claimant).await;
    ledger
        .worker
        .record(&job, claimant, &Outcome::failed("twilio", Reason::NoAnswer))
        .await
        .unwrap();
    assert_eq!(ledger.status(&job).await, (DeliveryStatus::Failed, Some(Reason::NoAnswer)));
    ledger.report(&job, DeliveryStatus::Failed, Some(Reason::CarrierFiltered)).await;
    assert_eq!(ledger.status(&job).await, (DeliveryStatus::Failed, Some(Reason::CarrierFiltered)));
    ledger.report(&job, DeliveryStatus::Delivered, None).await;
    assert_eq!(
        ledger.status(&job).await,
        (DeliveryStatus::Failed, Some(Reason::CarrierFiltered)),
        "an end is an end"
    );
}

#[tokio::test]
async fn a_put_off_job_whose_answer_was_lost_waits_once() {
    let ledger = Ledger::new(300, &["twilio"], 0);
    ledger.open_breaker("twilio").await;
    let (job, claimant) = (ledger.ask(1).await, Ulid::generate());
    for _ in 0..3 {
        ledger.claim(&job, claimant).await;
    }
    assert_eq!(ledger.waits().len(), 1, "one job a delivery");
}

#[tokio::test]
async fn a_job_that_two_workers_have_goes_on_as_one() {
    let ledger = Ledger::new(300, &["twilio"], 0);
    let (job, first) = (ledger.ask(1).await, Ulid::generate());
    ledger.claim_try(&job, first).await;
    let second = ledger.claim(&job, Ulid::generate()).await;
    assert!(matches!(second, Claim::Wait { .. }), "{second:?}");
    let (now, rest) = (ledger.clock.unix_ms(), Duration::from_secs(60));
    let throttled = Outcome::retry("twilio", Reason::Throttled, now + 60_000).with_provider_state(
        ProviderState::Fails,
        None,
        Some(rest),
    );
    ledger.worker.record(&job, first, &throttled).await.unwrap();

    // The job of the second worker comes back long before the provider wants to be asked again.
    ledger.advance(CLAIM + SECOND);
    for job in ledger.take_due().await {
        let claim = ledger.claim(&job, Ulid::generate()).await;
        assert!(matches!(claim, Claim::Ended), "the provider's word is waited for: {claim:?}");
    }
    ledger.advance(rest);
    let jobs = ledger.take_due().await;
    assert_eq!(jobs.len(), 1, "{jobs:?}");
    ledger.claim_try(&jobs[0], Ulid::generate()).await;
}

#[tokio::test]
async fn a_claim_whose_answer_was_lost_can_still_be_put_off() {
    let ledger = Ledger::new(300, &["twilio"], 0);
    let (job, claimant) = (ledger.ask(1).await, Ulid::generate());
    ledger.claim_try(&job, claimant).await;
    ledger.open_breaker("twilio").await;
    let claim = ledger.claim(&job, claimant).await;
    assert!(matches!(claim, Claim::Wait { .. }), "{claim:?}");
    assert_eq!(ledger.status(&job).await.0, DeliveryStatus::Queued, "nothing is being sent");
    ledger.advance(10 * SECOND);
    let jobs = ledger.take_due().await;
    assert_eq!(jobs.len(), 1, "{jobs:?}");
    let this_try = ledger.claim_try(&jobs[0], Ulid::generate()).await;
    assert!(!this_try.after_unrecorded, "who asks for a claim again has not sent");
}

#[tokio::test]
async fn a_probe_that_makes_no_call_leaves_the_probe_to_the_next() {
    let ledger = Ledger::new(300, &["twilio"], 0);
    ledger.open_breaker("twilio").await;
    ledger.advance(2 * SECOND);
    let (first, second) = (ledger.ask(1).await, ledger.ask(2).await);
    let claimant = Ulid::generate();
    ledger.claim_try(&first, claimant).await;
    let claim = ledger.claim(&second, Ulid::generate()).await;
    assert!(matches!(claim, Claim::Wait { .. }), "one probe: {claim:?}");
    ledger
        .worker
        .record(&first, claimant, &Outcome::dropped("twilio", Reason::Expired))
        .await
        .unwrap();
    ledger.claim_try(&ledger.ask(3).await, Ulid::generate()).await;
}

#[tokio::test]
async fn a_probe_whose_answer_was_lost_is_still_the_probe() {
    let ledger = Ledger::new(300, &["twilio"], 0);
    ledger.open_breaker("twilio").await;
    ledger.advance(2 * SECOND);
    let (job, claimant) = (ledger.ask(1).await, Ulid::generate());
    ledger.claim_try(&job, claimant).await;
    ledger.claim_try(&job, claimant).await;
}

#[tokio::test]
async fn a_code_in_its_last_second_is_no_probe() {
    let ledger = Ledger::new(30, &["twilio"], 0);
    let job = ledger.ask(1).await;
    ledger.advance(Duration::from_millis(29_500));
    let claim = ledger.claim(&job, Ulid::generate()).await;
    assert!(matches!(claim, Claim::Drop { .. }), "{claim:?}");
    assert_eq!(ledger.status(&job).await, (DeliveryStatus::Dropped, Some(Reason::Expired)));
}

#[tokio::test]
async fn nothing_waits_longer_than_its_code_lives() {
    let ledger = Ledger::new(30, &["twilio"], 0);
    ledger.open_breaker("twilio").await;
    ledger.advance(2 * SECOND);
    let (probe, claimant) = (ledger.ask(1).await, Ulid::generate());
    ledger.claim_try(&probe, claimant).await;
    let throttled = Outcome::failed("twilio", Reason::Throttled);
    let throttled = throttled.with_provider_state(ProviderState::Fails, None, Some(600 * SECOND));
    ledger.worker.record(&probe, claimant, &throttled).await.unwrap();
    let job = ledger.ask(2).await;
    ledger.claim(&job, Ulid::generate()).await;
    assert_eq!(ledger.waits(), [30_000], "its end is told when it comes");
    ledger.advance(30 * SECOND);
    let job = ledger.take_due().await.remove(0);
    ledger.claim(&job, Ulid::generate()).await;
    assert_eq!(ledger.status(&job).await, (DeliveryStatus::Dropped, Some(Reason::Expired)));
}

#[tokio::test]
async fn a_misconfiguration_is_an_event_even_during_an_outage() {
    let ledger = Ledger::new(300, &["twilio"], 0);
    ledger.open_breaker("twilio").await;
    let mut events = Vec::new();
    for last in 1..=3 {
        ledger.advance(20 * SECOND);
        let (job, claimant) = (ledger.ask_beside(last).await, Ulid::generate());
        ledger.claim_try(&job, claimant).await;
        let refused = Outcome::retry("twilio", Reason::Misconfigured, ledger.clock.unix_ms() + 1);
        let refused = refused.with_provider_state(ProviderState::Misconfigured, Some(20003), None);
        events.push(ledger.worker.record(&job, claimant, &refused).await.unwrap());
    }
    let expected = [BreakerEvent::Opened, BreakerEvent::Reopened, BreakerEvent::Reopened].map(Some);
    assert_eq!(events, expected, "the operator hears of it once");
}

/// Two versions of the service run side by side during an update: a field that only one of them
/// knows is kept by the other, and one that is missing does no harm.
#[tokio::test]
async fn a_delivery_of_another_version_is_moved_on_and_kept_whole() {
    let ledger = Ledger::new(300, &["twilio"], 0);
    let change = |job: &SendOtp, lua: &str| -> Vec<String> {
        redis::Script::new(&format!(
            "local record = cmsgpack.unpack(redis.call('GET', KEYS[1])) {lua}"
        ))
        .key(format!("{{cheershare}}:delivery:{}", job.delivery_id))
        .invoke(&mut ledger.redis.connection())
        .unwrap()
    };
    const SAVE: &str = "redis.call('SET', KEYS[1], cmsgpack.pack(record), 'KEEPTTL') return {}";

    let job = ledger.ask(1).await;
    change(&job, &format!("record[1], record[#record + 1] = 9, 'of a newer version' {SAVE}"));
    let claimant = Ulid::generate();
    ledger.claim_try(&job, claimant).await;
    let sent = Outcome::sent("twilio", "SM1".to_owned());
    ledger.worker.record(&job, claimant, &sent).await.unwrap();
    ledger.report(&job, DeliveryStatus::Delivered, None).await;
    assert_eq!(ledger.status(&job).await, (DeliveryStatus::Delivered, None));
    assert_eq!(
        change(&job, "return { tostring(record[1]), record[#record] }"),
        ["9", "of a newer version"]
    );

    // Fields at the end that it does not write yet.
    let job = ledger.ask(2).await;
    change(&job, &format!("while record[#record] == false do record[#record] = nil end {SAVE}"));
    assert_eq!(ledger.status(&job).await, (DeliveryStatus::Queued, None));
    ledger.claim_try(&job, claimant).await;
    ledger.worker.record(&job, claimant, &sent).await.unwrap();
    assert_eq!(ledger.status(&job).await, (DeliveryStatus::Sent, None));
}
