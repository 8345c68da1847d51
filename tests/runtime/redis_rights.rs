//! A user of Redis who may do what is needed, and one who may do less.

use std::time::Duration;

use common::ledger::connection;
use common::ledger::rights::ACL;
use redis::Commands;

use crate::operators;
use crate::support::app::{Plan, SOON};
use crate::support::client::Client;
use crate::support::numbers::{NUMBER, OTHER_NUMBER};
use crate::support::redis_server::Redis;

const DEPLOYMENT: &str = include_str!("../../docs/deployment.md");

/// Makes a user by these rules; returns the URL that names them.
fn user(redis: &Redis, rules: &[&str]) -> String {
    redis::cmd("ACL")
        .arg(&["SETUSER", "few", "reset", "on", ">rights"])
        .arg(rules)
        .exec(&mut redis.connection())
        .unwrap();
    format!("redis://few:rights@127.0.0.1:{}", redis.port())
}

fn rules() -> Vec<&'static str> {
    ACL.split(' ').collect()
}

#[test]
fn the_page_tells_these_rules() {
    let words = DEPLOYMENT.split_whitespace().filter(|word| *word != "\\");
    let page = words.map(|word| word.trim_matches('\'')).collect::<Vec<_>>().join(" ");
    assert!(page.contains(&format!("on >password {ACL}")), "docs/deployment.md has other rules");
}

/// Whatever the programs and the operators' commands do, nothing is refused: Redis logs what is.
#[async_test]
async fn with_these_rules_everything_works() {
    let redis = Redis::start_append_only();
    let url = user(&redis, &rules());
    let app = Plan::new().limits(1_000).workers(2).set("REDIS_URL", &url).start().await;
    let token = app.sign_in("Asha", NUMBER).await.token().to_owned();
    app.client().verify(NUMBER, "0000000").await.expect(401);
    app.client().protected(&token).await.expect(200);
    app.twilio.script(OTHER_NUMBER, [crate::support::fake_twilio::Reply::error(503, 20503)]);
    app.code_for("Ravi", OTHER_NUMBER).await;
    app.workers[0].signal("KILL");
    app.code_for("Meena", "+919876543299").await;
    for line in [
        format!("api number show {NUMBER}"),
        format!("api number block {NUMBER}"),
        format!("api number unblock {NUMBER}"),
        format!("api number unlock {NUMBER}"),
        "worker queue".to_owned(),
        "worker dead-letters".to_owned(),
    ] {
        operators::json(&app, &line).await;
    }
    let refused: Vec<redis::Value> =
        redis::cmd("ACL").arg("LOG").query(&mut redis.connection()).unwrap();
    assert!(refused.is_empty(), "{refused:?}");
}

#[async_test]
async fn each_of_these_rules_is_missed_when_it_is_not_there() {
    let redis = Redis::start();
    let config = redis::AsyncConnectionConfig::new();
    let connect = async |rules: &[&str]| {
        let url = user(&redis, rules);
        connection::Redis::new(&url).unwrap().connect(&config).await.map(|_| ())
    };
    connect(&rules()).await.unwrap();
    for rule in rules() {
        // A new user has neither keys nor commands; without these the start warns of less.
        if ["reset", "-@all", "+info", "+cluster|nodes"].iter().any(|other| rule.starts_with(other))
        {
            continue;
        }
        let rest: Vec<&str> = rules().into_iter().filter(|other| *other != rule).collect();
        assert!(connect(&rest).await.is_err(), "nobody misses {rule}");
    }
}

#[async_test]
async fn whoever_lacks_a_channel_is_told_at_start_and_nothing_is_written() {
    let redis = Redis::start();
    let rest: Vec<&str> = rules().into_iter().filter(|rule| !rule.starts_with('&')).collect();
    let url = user(&redis, &rest);
    let mut app = Plan::new().set("REDIS_URL", &url).start().await;
    let worker = app.workers[0].wait_for_event("metrics_listening", SOON).await;
    let worker = Client::new(worker["address"].as_str().unwrap());
    for program in app.apis.iter_mut().chain(&mut app.workers) {
        let told = program.wait_for_event("store_unreachable", SOON).await;
        let error = told["error"].as_str().unwrap();
        assert!(error.contains("publish on {cheershare}:*"), "{error}");
    }
    for client in [app.client(), &worker] {
        let ready = client.get("/readyz", None).await;
        assert_eq!((ready.status, &ready.body["redis"]["ok"]), (503, &false.into()), "{ready:?}");
    }
    app.client().ask("Asha", NUMBER).await.expect_code(503, "unavailable");
    let keys: Vec<String> = redis.connection().keys("*").unwrap();
    assert!(keys.is_empty(), "{keys:?}");

    // No restart is needed once the user may.
    user(&redis, &rules());
    tokio::time::timeout(Duration::from_secs(10), app.code_after_outage("Asha", NUMBER))
        .await
        .unwrap();
}
