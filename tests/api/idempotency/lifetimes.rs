//! How long claims and answers last, by the clock.

use std::net::IpAddr;
use std::time::Duration;

use common::crypto::idempotency_keys::IdempotencyKeys;
use common::domain::client::ClientAddress;
use common::ledger::idempotency::{
    Begun, Claim, IdempotencyStore, KEEP, LONGEST_CLAIM, MOST_OF_AN_ADDRESS, MOST_REFUSALS,
};
use common::runtime::clock::Clock;

use crate::support::redis_server::Redis;

const OLD: &str = "an-old-secret-of-the-tests-8f0c1d7e5b3a94266f1e";
const NEW: &str = "a-new-secret-of-the-tests-51b7e0a2c98d4f36aa07";
const NOON: i64 = 1_700_000_000_000;
const INSTANT: Duration = Duration::from_millis(1);

fn store(redis: &Redis, secrets: &str, clock: &Clock) -> IdempotencyStore {
    let server = common::ledger::connection::Redis::new(&redis.url()).unwrap();
    let connection = server.connection(Duration::from_secs(5));
    IdempotencyStore::new(connection, IdempotencyKeys::derive(secrets).unwrap(), clock.clone())
}

fn client(last: u8) -> ClientAddress {
    IpAddr::from([203, 0, 113, last]).into()
}

async fn begin(store: &IdempotencyStore, key: &str) -> Begun {
    store.begin(client(7), key, b"body").await.unwrap()
}

async fn claim(store: &IdempotencyStore, key: &str) -> Claim {
    match begin(store, key).await {
        Begun::Claimed(claim) => claim,
        other => panic!("a claim, not {other:?}"),
    }
}

#[async_test]
async fn an_answer_is_given_for_ten_minutes_from_the_first_request_on() {
    let (redis, clock) = (Redis::start(), Clock::manual(NOON));
    let store = store(&redis, OLD, &clock);
    let first = claim(&store, "k").await;
    clock.advance(Duration::from_secs(10));
    store.keep(&first, b"answer").await.unwrap();
    clock.advance(KEEP - Duration::from_secs(10) - INSTANT);
    assert_eq!(begin(&store, "k").await, Begun::Answered(b"answer".to_vec()));
    clock.advance(INSTANT);
    let second = claim(&store, "k").await;
    store.keep(&second, b"another").await.unwrap();
    assert_eq!(begin(&store, "k").await, Begun::Answered(b"another".to_vec()));
}

#[async_test]
async fn an_answer_can_be_kept_for_less_but_not_for_longer() {
    let (redis, clock) = (Redis::start(), Clock::manual(NOON));
    let store = store(&redis, OLD, &clock);
    for (key, time, kept_for) in [("short", 30, 30), ("none", 0, 0), ("long", 86_400, 600)] {
        let begun = claim(&store, key).await;
        store.keep_refusal(&begun, b"answer", Some(Duration::from_secs(time))).await.unwrap();
        if kept_for > 0 {
            clock.advance(Duration::from_secs(kept_for) - INSTANT);
            assert_eq!(begin(&store, key).await, Begun::Answered(b"answer".to_vec()), "{key}");
            clock.advance(INSTANT);
        }
        claim(&store, key).await;
    }
}

#[async_test]
async fn the_claim_of_a_process_that_died_runs_out() {
    let (redis, clock) = (Redis::start(), Clock::manual(NOON));
    let store = store(&redis, OLD, &clock);
    assert!(LONGEST_CLAIM <= Duration::from_secs(30));
    let dead = claim(&store, "k").await;
    let record: Vec<String> = redis::cmd("KEYS")
        .arg("{cheershare}:idempotency:????*")
        .query(&mut redis.connection())
        .unwrap();
    let record = record.iter().find(|key| !key.contains(":address:")).unwrap();
    let life: i64 = redis::cmd("PTTL").arg(record).query(&mut redis.connection()).unwrap();
    assert!((1..=30_000).contains(&life), "{life}");
    clock.advance(LONGEST_CLAIM - INSTANT);
    assert_eq!(begin(&store, "k").await, Begun::InUse);
    assert_eq!(store.begin(client(7), "k", b"other").await.unwrap(), Begun::Reused);
    clock.advance(INSTANT);
    let alive = claim(&store, "k").await;
    // Who comes back from the dead has no say any more.
    store.keep(&dead, b"late").await.unwrap();
    store.free(&dead).await.unwrap();
    assert_eq!(begin(&store, "k").await, Begun::InUse);
    store.keep(&alive, b"answer").await.unwrap();
    assert_eq!(begin(&store, "k").await, Begun::Answered(b"answer".to_vec()));
}

#[async_test]
async fn a_freed_key_leaves_nothing() {
    let (redis, clock) = (Redis::start(), Clock::manual(NOON));
    let store = store(&redis, OLD, &clock);
    let begun = claim(&store, "k").await;
    store.free(&begun).await.unwrap();
    let keys: Vec<String> = redis::cmd("KEYS").arg("*").query(&mut redis.connection()).unwrap();
    assert!(keys.is_empty(), "{keys:?}");
    claim(&store, "k").await;
}

#[async_test]
async fn a_rotated_secret_finds_what_the_old_one_kept() {
    let (redis, clock) = (Redis::start(), Clock::manual(NOON));
    let old = store(&redis, OLD, &clock);
    let both = store(&redis, &format!("{NEW},{OLD}"), &clock);
    let begun = claim(&old, "k").await;
    assert_eq!(begin(&both, "k").await, Begun::InUse);
    old.keep(&begun, b"answer").await.unwrap();
    assert_eq!(begin(&both, "k").await, Begun::Answered(b"answer".to_vec()));
    assert_eq!(both.begin(client(7), "k", b"other").await.unwrap(), Begun::Reused);
    let begun = claim(&both, "under the new one").await;
    both.keep(&begun, b"answer").await.unwrap();
    let rolling = store(&redis, &format!("{OLD},{NEW}"), &clock);
    assert_eq!(begin(&rolling, "under the new one").await, Begun::Answered(b"answer".to_vec()));
}

#[async_test]
async fn a_flood_from_one_address_keeps_the_newest() {
    let (redis, clock) = (Redis::start(), Clock::manual(NOON));
    let store = store(&redis, OLD, &clock);
    let other = store.begin(client(8), "0", b"body").await.unwrap();
    assert!(matches!(other, Begun::Claimed(_)));
    for number in 0..=MOST_OF_AN_ADDRESS {
        let begun = claim(&store, &number.to_string()).await;
        store.keep(&begun, b"answer").await.unwrap();
        clock.advance(INSTANT);
    }
    let keys: Vec<String> = redis::cmd("KEYS").arg("*").query(&mut redis.connection()).unwrap();
    // Of each address its list; of the other one a record.
    assert_eq!(keys.len(), usize::try_from(MOST_OF_AN_ADDRESS).unwrap() + 3);
    assert_eq!(begin(&store, "1").await, Begun::Answered(b"answer".to_vec()));
    claim(&store, "0").await;
}

/// Anybody may be refused from as many addresses as they like.
#[async_test]
async fn refusals_of_many_addresses_are_forgotten() {
    let (redis, clock) = (Redis::start(), Clock::manual(NOON));
    let store = store(&redis, OLD, &clock);
    let address = |n: u32| ClientAddress::from(IpAddr::from(n.to_be_bytes()));
    let claim = async |n: u32| match store.begin(address(n), "k", b"body").await.unwrap() {
        Begun::Claimed(claim) => Some(claim),
        _ => None,
    };
    let kept = claim(0).await.unwrap();
    store.keep(&kept, b"answer").await.unwrap();
    for n in 1..=MOST_REFUSALS + 100 {
        let claim = claim(n).await.unwrap();
        store.keep_refusal(&claim, b"refusal", None).await.unwrap();
        clock.advance(INSTANT);
    }
    let records = redis.lives();
    // The list of them, the answer, and the list of its address.
    assert_eq!(records.len(), usize::try_from(MOST_REFUSALS).unwrap() + 3);
    assert!(claim(0).await.is_none(), "what costs something stays");
    assert!(claim(MOST_REFUSALS + 100).await.is_none(), "the newest refusal is repeated");
    assert!(claim(1).await.is_some(), "the oldest is not");
}
