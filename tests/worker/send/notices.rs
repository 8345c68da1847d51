//! SMS that carry no code: an expiry of their own, and everything else as for codes.

use common::domain::delivery::{DeliveryStatus, Reason};
use common::domain::message::{Message, NoticeKind};
use common::ledger::deliveries::Claim;
use common::ledger::notices::Notice;
use common::ledger::outcome::{Outcome, ProviderState};
use redis::Commands;
use ulid::Ulid;

use crate::support::durations::{HOUR, SECOND};
use crate::support::ledger::{CLAIM, Ledger};

const NUMBER: &str = "+919876500001";

fn notice(ledger: &Ledger) -> Notice {
    Notice::new(
        NoticeKind::NumberChanged,
        &NUMBER.parse().unwrap(),
        ledger.clock.unix_ms(),
        "a request",
    )
}

#[tokio::test]
async fn a_notice_is_claimed_once_and_says_what_it_has_to() {
    let ledger = Ledger::new(30, &["twilio"], 0);
    let notice = notice(&ledger);
    // The answer to the first was lost.
    for _ in 0..3 {
        ledger.notices.queue(&notice).await.unwrap();
    }
    let mut jobs = ledger.take_due().await;
    assert_eq!(jobs.len(), 1, "{jobs:?}");
    let (job, claimant) = (jobs.remove(0), Ulid::generate());
    assert_eq!(job.request_id.as_deref(), Some("a request"));
    ledger.advance(60 * SECOND);
    let this_try = ledger.claim_try(&job, claimant).await;
    assert_eq!(this_try.message, Ok(Message::Notice(NoticeKind::NumberChanged)));
    assert_eq!(this_try.to.as_str(), NUMBER);
    assert_eq!(
        this_try.expires_at - ledger.clock.unix_ms(),
        59 * 60_000,
        "an hour, not the life of a code"
    );
    let elsewhere = ledger.claim(&job, Ulid::generate()).await;
    assert!(matches!(elsewhere, Claim::Wait { .. }), "{elsewhere:?}");
    ledger.worker.record(&job, claimant, &Outcome::sent("twilio", "SM1".to_owned())).await.unwrap();
    assert_eq!(ledger.status(&job).await, (DeliveryStatus::Sent, None));
    let life: i64 = ledger
        .redis
        .connection()
        .pttl(format!("{{cheershare}}:delivery:{}", job.delivery_id))
        .unwrap();
    assert!((86_400_000..=90_600_000).contains(&life), "{life}");
}

#[tokio::test]
async fn a_notice_is_tried_for_an_hour_and_then_told_of() {
    let ledger = Ledger::new(30, &["twilio"], 0);
    ledger.notices.queue(&notice(&ledger)).await.unwrap();
    let mut job = ledger.take_due().await.remove(0);
    // As often as a provider that is down for so long lets through.
    for _ in 0..3 {
        let claimant = Ulid::generate();
        ledger.claim_try(&job, claimant).await;
        let at = ledger.clock.unix_ms() + 900_000;
        let down = Outcome::retry("twilio", Reason::ProviderUnavailable, at);
        ledger
            .worker
            .record(&job, claimant, &down.with_provider_state(ProviderState::Fails, None, None))
            .await
            .unwrap();
        ledger.advance(HOUR / 4);
        job = ledger.take_due().await.remove(0);
    }
    ledger.advance(HOUR / 4);
    let claim = ledger.claim(&job, Ulid::generate()).await;
    assert!(
        matches!(&claim, Claim::Drop { reason } if reason == "provider_unavailable"),
        "{claim:?}"
    );
    assert_eq!(
        ledger.status(&job).await,
        (DeliveryStatus::Failed, Some(Reason::ProviderUnavailable))
    );
    let letters: Vec<String> =
        ledger.redis.connection().lrange("{cheershare}:dead_letters", 0, -1).unwrap();
    assert!(letters.len() == 1 && letters[0].contains("+91********01"), "{letters:?}");
}

#[tokio::test]
async fn a_notice_waits_behind_breakers_and_recovers_from_lost_workers() {
    let ledger = Ledger::new(30, &["twilio"], 0);
    ledger.open_breaker("twilio").await;
    ledger.notices.queue(&notice(&ledger)).await.unwrap();
    let job = ledger.take_due().await.remove(0);
    let claim = ledger.claim(&job, Ulid::generate()).await;
    assert!(matches!(claim, Claim::Wait { .. }), "{claim:?}");
    ledger.advance(10 * SECOND);
    let job = ledger.take_due().await.remove(0);
    ledger.claim_try(&job, Ulid::generate()).await;
    ledger.advance(CLAIM + SECOND);
    assert!(ledger.claim_try(&job, Ulid::generate()).await.after_unrecorded);
}

#[tokio::test]
async fn nothing_is_sent_in_the_last_second_of_a_notice() {
    let ledger = Ledger::new(30, &["twilio"], 0);
    ledger.notices.queue(&notice(&ledger)).await.unwrap();
    let job = ledger.take_due().await.remove(0);
    ledger.advance(HOUR - SECOND / 2);
    let claim = ledger.claim(&job, Ulid::generate()).await;
    assert!(matches!(&claim, Claim::Drop { reason } if reason == "expired"), "{claim:?}");
    assert_eq!(ledger.status(&job).await, (DeliveryStatus::Dropped, Some(Reason::Expired)));
}
