//! What our own code does for each request, and the ledger's script with 32 requests at once.
//! `bin/bench micro` brings the Redis.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "whatever goes wrong here is to end it, as in a test"
)]

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use clap::{Args, FromArgMatches};
use common::config::LimitConfig;
use common::crypto::otp_keys::OtpKeys;
use common::domain::client::ClientAddress;
use common::domain::ids::ChallengeId;
use common::domain::otp::{Otp, OtpLength};
use common::domain::person_name::PersonName;
use common::domain::phone::{
    AllowedCountries, Country, E164, NumberingPlan, PhoneNumber, load_numbering_plans,
};
use common::domain::purpose::Purpose;
use common::domain::token::Token;
use common::ledger::connection::Redis;
use common::ledger::otp::{OtpRequest, OtpRequester, OtpStore, SendOutcome, SolvedChallenge};
use common::ledger::settings::LedgerSettings;
use common::runtime::clock::Clock;
use criterion::{Criterion, criterion_group, criterion_main};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

const SECRET: &str = "a-secret-of-the-benchmark-3f9a41c07be25d68";
const AT_ONCE: u64 = 32;

criterion_group!(benches, numbers, codes, tokens, ledger);
criterion_main!(benches);

fn india() -> Country {
    "IN".parse().unwrap()
}

fn numbers(criterion: &mut Criterion) {
    let country = india();
    load_numbering_plans(country);
    criterion.bench_function("parse a number in E.164", |bench| {
        bench.iter(|| PhoneNumber::parse(black_box("+919876543210"), country));
    });
    criterion.bench_function("parse a number as people write it", |bench| {
        bench.iter(|| PhoneNumber::parse(black_box("098765 43210"), country));
    });
    let all: AllowedCountries = "*".parse().unwrap();
    let examples: Vec<String> = all.plans().iter().map(NumberingPlan::example_number).collect();
    let mut examples = examples.iter().cycle();
    criterion.bench_function("parse numbers of all countries in turn", |bench| {
        bench.iter(|| PhoneNumber::parse(black_box(examples.next().unwrap()), country).unwrap());
    });
}

fn codes(criterion: &mut Criterion) {
    let keys = OtpKeys::derive(SECRET).unwrap();
    let number: E164 = "+919876543210".parse().unwrap();
    let (code, challenge) = (Otp::random(OtpLength::DEFAULT), ChallengeId::random());
    criterion.bench_function("seal and tag a code", |bench| {
        bench.iter(|| keys.seal(black_box(&code), Purpose::SignIn, &number, &challenge));
    });
    let sealed = keys.seal(&code, Purpose::SignIn, &number, &challenge);
    criterion.bench_function("open a sealed code", |bench| {
        bench.iter(|| {
            keys.open(
                &sealed.key_id,
                black_box(&sealed.sealed),
                "sign_in",
                &number,
                challenge.as_str(),
            )
        });
    });
}

fn tokens(criterion: &mut Criterion) {
    criterion.bench_function("make a token", |bench| bench.iter(Token::random));
    let token = Token::random();
    criterion.bench_function("hash a token", |bench| bench.iter(|| black_box(&token).hash()));
}

/// One send with all its limits, each for another number.
fn ledger(criterion: &mut Criterion) {
    let url = std::env::var("BENCH_REDIS_URL").expect("BENCH_REDIS_URL: run bin/bench micro");
    let runtime = Runtime::new().unwrap();
    let store = runtime.block_on(async { store(&url) });
    let next = AtomicU64::new(0);
    criterion.bench_function("send.lua, 32 at once", |bench| {
        bench.iter_custom(|times| runtime.block_on(send(&store, &next, times)));
    });
}

fn store(url: &str) -> OtpStore {
    let redis = Redis::new(url).unwrap().connection(Duration::from_secs(5));
    let arguments = LimitConfig::augment_args(clap::Command::new("limits")).get_matches_from([
        "limits",
        "--sends-per-address-hour=1000000000",
        "--sends-per-range-hour=1000000000",
        "--sends-per-country-hour=1000000000",
        "--sends-per-hour=1000000000",
    ]);
    let limits = LimitConfig::from_arg_matches(&arguments).unwrap();
    let settings = LedgerSettings::new(&limits, Duration::from_secs(300), india());
    OtpStore::new(
        redis,
        OtpKeys::derive(SECRET).unwrap(),
        OtpLength::DEFAULT,
        settings,
        Clock::default(),
    )
}

async fn send(store: &OtpStore, next: &AtomicU64, times: u64) -> Duration {
    let first = next.fetch_add(times, Ordering::Relaxed);
    let start = Instant::now();
    let mut lanes = JoinSet::new();
    for lane in 0..AT_ONCE.min(times) {
        let store = store.clone();
        lanes.spawn(async move {
            let (name, address) = (
                PersonName::parse("Asha").unwrap().unwrap(),
                ClientAddress::from(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            );
            for number in (first + lane..first + times).step_by(AT_ONCE as usize) {
                let number = format!("+9198{number:08}").parse().unwrap();
                let request = OtpRequest {
                    requester: OtpRequester { purpose: Purpose::SignIn, number: &number, address },
                    country: Some(india()),
                    name: Some(&name),
                    test_code: None,
                    challenge: SolvedChallenge::Off,
                };
                let requested = store.send(request, None).await.unwrap();
                assert!(matches!(requested, SendOutcome::Queued { .. }), "{requested:?}");
            }
        });
    }
    while let Some(ended) = lanes.join_next().await {
        ended.unwrap();
    }
    start.elapsed()
}
