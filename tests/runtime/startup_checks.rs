//! What programs say when they first meet their stores.

use serde_json::Value;

use crate::support::app::{App, Plan, SOON};
use crate::support::eventually;
use crate::support::numbers::NUMBER;
use crate::support::process::Process;
use crate::support::redis_server::Redis;

const MAY_LOSE: &str = "redis_may_lose_jobs";
const MAY_DROP: &str = "redis_may_drop_jobs";

fn programs(app: &App) -> impl Iterator<Item = &Process> {
    app.apis.iter().chain(&app.workers)
}

/// Each program has said it, once; returns what they said.
async fn both_say(app: &App, event: &str) -> Vec<Value> {
    eventually(SOON, event, async || {
        programs(app).all(|program| !program.events(event).is_empty()).then_some(())
    })
    .await;
    let said: Vec<_> = programs(app).map(|program| program.events(event)).collect();
    assert!(said.iter().all(|events| events.len() == 1), "{said:?}");
    said.concat()
}

/// Over a Redis whose settings are these.
async fn over_redis_with(settings: &[(&str, &str)]) -> (App, Redis) {
    let redis = Redis::start_append_only();
    let mut connection = redis.connection();
    for (name, value) in settings {
        redis::cmd("CONFIG").arg("SET").arg(name).arg(value).exec(&mut connection).unwrap();
    }
    (Plan::new().set("REDIS_URL", &redis.url()).start().await, redis)
}

#[async_test]
async fn a_redis_that_may_lose_jobs_is_warned_of_by_each_program_once() {
    let app = App::start().await;
    for said in both_say(&app, MAY_LOSE).await {
        assert_eq!(said["setting"], "appendonly");
    }
    app.sign_in("Asha", NUMBER).await;
    both_say(&app, MAY_LOSE).await;
    assert!(
        programs(&app).all(|program| program.events(MAY_DROP).is_empty()),
        "its memory is not bounded"
    );
}

/// Whichever node the URL names, and whenever the cluster comes.
#[async_test]
async fn a_cluster_with_shards_is_refused() {
    let mut shards = Redis::start_cluster(2);
    let mut app = Plan::new().workers(0).apis(0).start().await;
    for shard in &mut shards {
        app.settings.insert("REDIS_URL".to_owned(), shard.url());
        shard.stop();
        app.start_api().await;
        app.start_worker().await;
        for program in app.apis.iter_mut().chain(&mut app.workers) {
            program.wait_for_event("store_unreachable", SOON).await;
        }
        shard.start_again();
        for mut program in app.apis.drain(..).chain(app.workers.drain(..)) {
            let status = program.ended(SOON).await;
            let told = program.stderr();
            assert_eq!(status.code(), Some(2), "{told}");
            assert!(told.starts_with("REDIS_URL: a Redis Cluster of 2 shards"), "{told}");
            assert_eq!(told.lines().count(), 1, "{told}");
        }
    }
}

#[async_test]
async fn a_redis_that_may_drop_jobs_is_warned_of() {
    let (app, redis) =
        over_redis_with(&[("maxmemory", "100mb"), ("maxmemory-policy", "volatile-ttl")]).await;
    for said in both_say(&app, MAY_DROP).await {
        assert_eq!(
            (&said["setting"], &said["policy"]),
            (&"maxmemory-policy".into(), &"volatile-ttl".into())
        );
    }
    assert!(
        programs(&app).all(|program| program.events(MAY_LOSE).is_empty()),
        "it writes an append-only file"
    );
    drop((app, redis));
}

/// That nothing is said can be seen only beside something that is.
#[async_test]
async fn a_redis_that_refuses_when_it_is_full_is_fine() {
    let bounded =
        [("maxmemory", "100mb"), ("maxmemory-policy", "noeviction"), ("appendonly", "no")];
    let unbounded = [("maxmemory", "0"), ("maxmemory-policy", "allkeys-lru"), ("appendonly", "no")];
    for settings in [bounded, unbounded] {
        let (app, _redis) = over_redis_with(&settings).await;
        both_say(&app, MAY_LOSE).await;
        app.sign_in("Asha", NUMBER).await;
        assert!(programs(&app).all(|program| program.events(MAY_DROP).is_empty()), "{settings:?}");
    }
}

/// As Redis is that somebody else runs: CONFIG is refused, and here INFO too.
#[async_test]
async fn what_redis_does_not_tell_is_no_hindrance() {
    for (refused, event) in [("-config", MAY_LOSE), ("-info", "redis_not_inspected")] {
        let redis = Redis::start();
        let user = ["SETUSER", "guest", "on", ">a-password", "~*", "&*", "+@all", refused];
        redis::cmd("ACL").arg(&user).exec(&mut redis.connection()).unwrap();
        let url = redis.url().replace("redis://", "redis://guest:a-password@");
        let app = Plan::new().set("REDIS_URL", &url).start().await;
        both_say(&app, event).await;
        app.sign_in("Asha", NUMBER).await;
        assert!(!app.logs().contains("a-password"));
    }
}

#[async_test]
async fn nobody_waits_for_a_redis_that_hangs_or_is_away() {
    let mut app = Plan::new().apis(0).workers(0).start().await;
    app.redis.pause();
    app.start_api().await;
    app.start_worker().await;
    for said in both_say(&app, "store_unreachable").await {
        assert_eq!(
            (&said["store"], &said["setting"]),
            (&"redis".into(), &"REDIS_URL".into()),
            "{said}"
        );
    }
    app.redis.resume();
    both_say(&app, "store_reached").await;
    both_say(&app, MAY_LOSE).await;

    app.redis.stop();
    app.start_api().await;
    let refused = app.apis[1].wait_for_event("store_unreachable", SOON).await;
    assert!(refused["error"].as_str().unwrap().contains("refused"), "{refused}");
    app.redis.start_again();
    app.apis[1].wait_for_event(MAY_LOSE, SOON).await;
    app.code_after_outage("Asha", NUMBER).await;
}
