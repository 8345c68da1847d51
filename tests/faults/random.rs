//! 5,000 sign-ups while workers are killed at random, the provider fails every fifth call and Redis
//! is restarted. The webhook is told of each SMS that does not arrive.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use common::runtime::clock::Clock;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::task::JoinSet;
use tokio::time::{interval, sleep};

use crate::reconciliation::{Promise, Reconciliation, unpromised};
use crate::support::app::{App, Plan, SOON};
use crate::support::client::Client;
use crate::support::eventually;
use crate::support::fake_receiver::FakeReceiver;
use crate::support::fake_twilio::Reply;
use crate::support::fake_webhook;

const SIGN_UPS: usize = 5_000;
const PACE: Duration = Duration::from_millis(14);
const LIFE: Duration = Duration::from_secs(60);
const WORKERS: usize = 3;
/// The round in which Redis is restarted in place of a worker.
const RESTART: usize = 10;

/// `FAULTS_SEED`, or one of the clock; the same for all runs of this process, and printed.
pub(crate) fn seed() -> u64 {
    static SEED: LazyLock<u64> = LazyLock::new(|| {
        let seed = match std::env::var("FAULTS_SEED") {
            Ok(seed) => seed.parse().expect("FAULTS_SEED is a whole number"),
            Err(_) => Clock::default().unix_ms().unsigned_abs(),
        };
        println!("FAULTS_SEED={seed}");
        seed
    });
    *SEED
}

/// What the provider does about the `index`th request of a number: the same in every run with that
/// seed.
fn reply(seed: u64, number: &str, index: usize) -> Reply {
    let mut hasher = DefaultHasher::new();
    (seed, number, index).hash(&mut hasher);
    let mut random = StdRng::seed_from_u64(hasher.finish());
    let reply = match random.random_range(0..1_000) {
        0..50 => Reply::error(500, 20500),
        50..100 => Reply::error(503, 20503),
        100..120 => Reply::error(429, 20429),
        120..140 => Reply::Error(429, 20429, Some(1)),
        140..160 => Reply::error(400, 21610),
        160..170 => Reply::Close,
        170..180 => Reply::Lost,
        180..190 => Reply::Unreadable,
        190..195 => Reply::Failed(30034),
        195..200 => Reply::Never,
        _ => Reply::Accept,
    };
    Reply::Late(Duration::from_millis(random.random_range(5..250)), Box::new(reply))
}

/// How many requests got no answer that a client could understand.
fn ambiguous_replies(app: &App, seed: u64) -> usize {
    let is_ambiguous = |number: &str, index| match reply(seed, number, index) {
        Reply::Late(_, reply) => {
            matches!(*reply, Reply::Close | Reply::Lost | Reply::Unreadable | Reply::Never)
        }
        _ => false,
    };
    let counts = app.twilio.counts();
    let ambiguous = counts.iter().map(|(number, (tries, _))| {
        (0..*tries).filter(|index| is_ambiguous(number, *index)).count()
    });
    ambiguous.sum()
}

/// Asks for the SMS of one number. Redis may be away: then there is no promise, and the SMS may
/// come all the same.
async fn ask(client: Client, number: String) -> Option<Promise> {
    let asked = Instant::now();
    let answer = client.ask("Asha", &number).await;
    if answer.status == 503 {
        return None;
    }
    let id = answer.expect(200).body["delivery_id"].as_str().unwrap().to_owned();
    Some(Promise { number, id, asked, answered: Instant::now() })
}

/// Signs numbers up at a steady pace. Returns what was promised, and how many were turned away.
async fn sign_up(client: Client) -> (Vec<Promise>, usize) {
    let mut pace = interval(PACE);
    let mut asks = JoinSet::new();
    for number in 0..SIGN_UPS {
        pace.tick().await;
        asks.spawn(ask(client.clone(), format!("+9198{number:08}")));
    }
    let answers = asks.join_all().await;
    let promises: Vec<Promise> = answers.into_iter().flatten().collect();
    let turned_away = SIGN_UPS - promises.len();
    (promises, turned_away)
}

/// Until `sign_ups` are over, kills a worker and starts another, again and again, and once restarts
/// Redis.
async fn break_things<T>(
    app: &mut App,
    random: &mut StdRng,
    sign_ups: impl Future<Output = T>,
) -> T {
    let mut alive: Vec<usize> = (0..WORKERS).collect();
    let mut sign_ups = std::pin::pin!(sign_ups);
    for round in 1.. {
        let pause = Duration::from_millis(random.random_range(1_000..4_000));
        tokio::select! {
            over = &mut sign_ups => return over,
            () = sleep(pause) => {}
        }
        if round == RESTART {
            app.redis.restart();
            continue;
        }
        let victim = random.random_range(0..alive.len());
        app.workers[alive[victim]].signal("KILL");
        app.workers[alive[victim]].ended(SOON).await;
        app.start_worker().await;
        alive[victim] = app.workers.len() - 1;
    }
    unreachable!("rounds do not end")
}

#[async_test]
async fn every_sign_up_gets_its_sms_or_is_told_why_not() {
    let seed = seed();
    let plan = Plan::new()
        .workers(WORKERS)
        .append_only()
        .set("OTP_TTL_SECONDS", &LIFE.as_secs().to_string());
    let receiver = FakeReceiver::start().await;
    let plan = plan
        .set("EVENTS_WEBHOOK_URL", &receiver.url())
        .set("EVENTS_WEBHOOK_SECRET", &fake_webhook::secret());
    let mut app =
        plan.set("PROVIDER_TIMEOUT_SECONDS", "3").set("WORKER_CONCURRENCY", "50").start().await;
    app.twilio.otherwise_by(move |number, index| reply(seed, number, index));

    let start = Instant::now();
    let sign_ups = sign_up(app.keep_alive(0));
    let mut random = StdRng::seed_from_u64(seed);
    let (promises, turned_away) = break_things(&mut app, &mut random, sign_ups).await;
    let signed_up_in = start.elapsed();
    app.no_job_is_left(LIFE + Duration::from_secs(30)).await;

    let accounts = Reconciliation::draw(&app, &promises, LIFE).await;
    let unpromised = unpromised(&app, &promises);
    println!("{SIGN_UPS} sign-ups in {signed_up_in:.0?}, {turned_away} of them answered 503");
    println!("{} kills of workers, 1 restart of Redis", app.workers.len() - WORKERS);
    println!("{} calls, {} accepted", app.twilio.instants().len(), app.twilio.accepted_in_all());
    println!("{} openings of the breaker", app.worker_events("breaker_opened").len());
    for (end, count) in &accounts.ends {
        println!("{count:6} {end}");
    }
    println!(
        "{} duplicates, {} deliveries announced as such",
        accounts.duplicates, accounts.announced
    );
    println!("{} accepted though answered 503", unpromised.len());
    let ambiguous = ambiguous_replies(&app, seed);
    let [half, most, nearly_all, all] = [0.5, 0.95, 0.99, 1.0].map(|part| accounts.quantile(part));
    println!(
        "asked to accepted: p50 {half:.0?}, p95 {most:.0?}, p99 {nearly_all:.0?}, longest {all:.0?}"
    );
    println!("over after {:.0?}", start.elapsed());

    // An event whose worker was killed gets another job within a minute.
    let events = eventually(Duration::from_secs(90), "an event of each that failed", async || {
        let told: BTreeSet<_> = receiver.accepted().into_iter().map(|event| event.id).collect();
        accounts.undelivered.is_subset(&told).then_some(told)
    })
    .await;
    println!("{} events in {} requests", events.len(), receiver.received().len());
    let others = events.difference(&accounts.undelivered).count();
    assert!(others <= turned_away, "{others} events of SMS that did not fail");

    assert_eq!(promises.len() + turned_away, SIGN_UPS);
    let unknown = accounts.told("failed no_answer");
    assert!(
        unknown <= ambiguous + accounts.announced,
        "{unknown} without an answer, {ambiguous} replies were none"
    );
    let refused = accounts.told("failed opted_out") + accounts.told("failed country_not_enabled");
    let late = promises.len() - accounts.told("sent") - unknown - refused;
    assert!(
        late <= SIGN_UPS / 500,
        "{late} codes ended before a worker lived long enough to send them"
    );
    assert!(unpromised.len() <= turned_away);
    // A worker that was killed may have sent one of these twice too, and that is announced.
    let repeated: usize = unpromised.values().map(|accepted| accepted - 1).sum();
    let announced = app.worker_events("sms_may_repeat").len();
    assert!(accounts.duplicates + repeated <= announced, "{unpromised:?}, {announced} announced");
    assert!(app.twilio.refusals().is_empty(), "{:?}", app.twilio.refusals());
}
