//! The primary of Redis moves while users ask and a worker sends. From the moment the new primary
//! takes writes, the API answers within three seconds and SMS go out within five, nothing is
//! restarted, and what is lost is what replication had not carried yet.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::{interval, sleep};
use tokio_util::sync::CancellationToken;

use crate::reconciliation::Promise;
use crate::support::app::{App, Plan, SOON};
use crate::support::client::Client;
use crate::support::eventually;
use crate::support::process::Process;
use crate::support::redis_server::Redis;
use crate::support::sentinel::Sentinels;
use crate::support::tcp_proxy::TcpProxy;

const API_WITHIN: Duration = Duration::from_secs(3);
const SMS_WITHIN: Duration = Duration::from_secs(5);
/// Before and after the fault.
const A_WHILE: Duration = Duration::from_secs(2);
/// What a worker had taken when it told the old primary, and not the new one, that it stops, comes
/// back as an orphan's.
const ORPHANS_WITHIN: Duration = Duration::from_secs(40);

/// People who ask for OTPs, a hundred a second, each for a number of their own.
struct Load {
    stop: CancellationToken,
    promises: Arc<Mutex<Vec<Promise>>>,
    refused: Arc<Mutex<usize>>,
    asking: tokio::task::JoinHandle<()>,
}

impl Load {
    fn begin(client: Client) -> Self {
        let load = (
            CancellationToken::new(),
            Arc::<Mutex<Vec<Promise>>>::default(),
            Arc::<Mutex<usize>>::default(),
        );
        let (stop, promises, refused) = load.clone();
        let asking = tokio::spawn(async move {
            let mut ticks = interval(Duration::from_millis(10));
            let mut requests = JoinSet::new();
            for count in 0.. {
                if stop.run_until_cancelled(ticks.tick()).await.is_none() {
                    break;
                }
                let (client, promises, refused) =
                    (client.clone(), Arc::clone(&promises), Arc::clone(&refused));
                requests.spawn(async move {
                    let number = format!("+9197{count:08}");
                    let asked = Instant::now();
                    let answer = client.ask("Asha", &number).await;
                    match answer.status {
                        200 => {
                            let id = answer.delivery_id().to_owned();
                            promises.lock().unwrap().push(Promise {
                                number,
                                id,
                                asked,
                                answered: Instant::now(),
                            });
                        }
                        503 => *refused.lock().unwrap() += 1,
                        _ => panic!("{answer:?}"),
                    }
                });
            }
            while requests.join_next().await.transpose().unwrap().is_some() {}
        });
        Self { stop: load.0, promises: load.1, refused: load.2, asking }
    }

    async fn end(self) -> (Vec<Promise>, usize) {
        self.stop.cancel();
        self.asking.await.unwrap();
        let refused = *self.refused.lock().unwrap();
        (std::mem::take(&mut *self.promises.lock().unwrap()), refused)
    }
}

/// Healthy again: the times that the API and an SMS took from `since`.
async fn healed(app: &App, since: Instant, number: &str) -> (Duration, Duration) {
    let id = eventually(
        API_WITHIN.saturating_sub(since.elapsed()),
        "an API that works again",
        async || {
            let answer = app.client().ask("Ravi", number).await;
            (answer.status == 200).then(|| answer.delivery_id().to_owned())
        },
    )
    .await;
    let api = since.elapsed();
    app.delivery_is(&id, "sent", SMS_WITHIN.saturating_sub(since.elapsed())).await;
    (api, since.elapsed())
}

/// Every delivery that the primary knows arrives, once unless that was announced, and its OTP is
/// good. Answers how many it does not know, and how many came twice.
async fn accounts_for(app: &App, promises: &[Promise]) -> (usize, usize) {
    let client = app.keep_alive(0);
    let announced: Vec<String> = app
        .worker_events("sms_may_repeat")
        .iter()
        .map(|event| event["delivery_id"].as_str().unwrap().to_owned())
        .collect();
    let (mut lost, mut twice) = (0, 0);
    for promise in promises {
        let path = format!("/deliveries/{}", promise.id);
        let known = eventually(ORPHANS_WITHIN, "an end of the delivery", async || {
            let delivery = client.get(&path, None).await;
            let waits = delivery.status == 200 && delivery.body["status"] == "queued";
            // It may have been sent without the new primary's knowing: what was recorded is lost
            // then.
            (!waits || !app.twilio.accepted(&promise.number).is_empty()).then_some(delivery)
        })
        .await;
        if known.status == 404 {
            lost += 1;
            continue;
        }
        let sms = app.twilio.wait_for_sms(&promise.number, 1, SOON).await;
        if sms.len() > 1 {
            assert!(announced.contains(&promise.id), "sent {} times: {promise:?}", sms.len());
            twice += 1;
        }
        client.verify(&promise.number, &sms[0].code()).await.expect(200);
    }
    (lost, twice)
}

fn processes(app: &App) -> Vec<u32> {
    app.apis.iter().chain(&app.workers).map(Process::id).collect()
}

/// Under Sentinel: what happens to the primary, which is reached by `proxy`.
async fn under_sentinel(
    what: &str,
    happens: impl Fn(&mut Redis, &TcpProxy),
    is_undone: impl Fn(&mut Redis),
) {
    let mut app = Plan::new().apis(0).workers(0).start().await;
    let proxy = TcpProxy::start(app.redis.port()).await;
    let standby = Redis::start_replica_of(&app.redis);
    standby.replicate_port(proxy.port());
    app.redis.wait_for_replica();
    let sentinels = Sentinels::watch(proxy.port()).await;
    app.settings.insert("REDIS_URL".to_owned(), sentinels.url());
    app.start_api().await;
    app.start_worker().await;
    let before = processes(&app);
    let load = Load::begin(app.keep_alive(0));
    sleep(A_WHILE).await;
    let fault = Instant::now();
    happens(&mut app.redis, &proxy);
    eventually(Duration::from_secs(30), "a new primary", async || {
        (sentinels.primary() == Some(standby.port()) && standby.takes_writes()).then_some(())
    })
    .await;
    let promoted = Instant::now();
    let (api, sms) = healed(&app, promoted, "+919876543210").await;
    sleep(A_WHILE).await;
    let (promises, refused) = load.end().await;
    let (lost, twice) = accounts_for(&app, &promises).await;
    println!(
        "primary {what} under Sentinel, which takes {:.1?}: API {api:.2?} after that, SMS after {sms:.2?}; of {} OTPs {lost} \
         lost, {twice} sent twice; {refused} requests refused",
        promoted - fault,
        promises.len()
    );
    assert_eq!(processes(&app), before);
    is_undone(&mut app.redis);
}

#[async_test]
async fn sentinel_replaces_a_primary_that_was_killed() {
    under_sentinel("killed", |redis, _| redis.kill(), |_| ()).await;
}

#[async_test]
async fn sentinel_replaces_a_primary_that_is_frozen() {
    under_sentinel("frozen", |redis, _| redis.pause(), |redis| redis.resume()).await;
}

#[async_test]
async fn sentinel_replaces_a_primary_that_is_cut_off() {
    under_sentinel("cut off", |_, proxy| proxy.close(), |_| ()).await;
}

/// As managed services do it: a replica is promoted, the name leads to it, and the old primary lives
/// on as its replica and keeps its connections. Returns the new pair.
async fn promote(primary: Redis, standby: Redis, proxy: &TcpProxy) -> (Redis, Redis, Instant) {
    standby.promote();
    let promoted = Instant::now();
    proxy.lead_new_ones_to(standby.port());
    primary.replicate(&standby);
    (standby, primary, promoted)
}

/// So many promotions in a row, under load. The longest times, and what was lost.
async fn promoted(times: usize) {
    let mut app = Plan::new().apis(0).workers(0).start().await;
    let proxy = TcpProxy::start(app.redis.port()).await;
    let mut standby = Redis::start_replica_of(&app.redis);
    app.redis.wait_for_replica();
    app.behind(&proxy, App::start_api).await;
    app.behind(&proxy, App::start_worker).await;
    let before = processes(&app);
    let load = Load::begin(app.keep_alive(0));
    let (mut api, mut sms) = (Duration::ZERO, Duration::ZERO);
    for round in 0..times {
        sleep(A_WHILE / 2).await;
        let primary = std::mem::replace(&mut app.redis, Redis::start());
        let (new, old, promoted) = promote(primary, standby, &proxy).await;
        (app.redis, standby) = (new, old);
        let healed = healed(&app, promoted, &format!("+91987654321{round}")).await;
        (api, sms) = (api.max(healed.0), sms.max(healed.1));
        app.redis.wait_for_replica();
    }
    sleep(A_WHILE).await;
    let (promises, refused) = load.end().await;
    let (lost, twice) = accounts_for(&app, &promises).await;
    println!(
        "promotions: {times}, and the old primary lives on: API {api:.2?} after one at most, SMS after \
         {sms:.2?}; of {} OTPs {lost} lost, {twice} sent twice; {refused} requests refused",
        promises.len()
    );
    assert_eq!(processes(&app), before);
}

#[async_test]
async fn a_replica_is_promoted_and_the_old_primary_lives_on() {
    promoted(1).await;
}

#[async_test]
async fn ten_promotions_in_a_row() {
    promoted(10).await;
}
