//! What those who see numbers masked may find out by trying.

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{Operator, client};
use crate::support::app::{App, Plan};
use crate::support::numbers::{NUMBER, neighbour, spread};

const MOST: usize = 100;

async fn noted(operator: &Operator) -> Vec<Value> {
    operator.all("/admin/actions?kind=number_looked_up", 100).await
}

#[async_test]
async fn a_viewer_looks_a_hundred_numbers_up_within_an_hour_and_each_is_an_action() {
    let mut app = Plan::new().apis(2).workers(0).start().await;
    let operator = Operator::of(&mut app, "operator").await;
    let viewer = Operator::of(&mut app, "viewer").await;
    let elsewhere = Operator { client: client(&mut app.apis[1]).await, key: viewer.key.clone() };
    let path = |n: usize| {
        let number = spread(n).replace('+', "%2B");
        [
            format!("/admin/users?phone_number={number}"),
            format!("/admin/numbers/{number}"),
            format!("/admin/buckets/range?of={number}"),
            format!("/admin/deliveries?phone_number={number}"),
        ][n % 4]
            .clone()
    };
    let (mut found, mut refused) = (0, Vec::new());
    for some in (0..MOST + 20).collect::<Vec<_>>().chunks(6) {
        let asks = some.iter().map(async |n| {
            let who = if n % 2 == 0 { &viewer } else { &elsewhere };
            who.get(&path(*n)).await
        });
        for answer in join_all(asks).await {
            match answer.status {
                200 => found += 1,
                _ => refused.push(answer),
            }
        }
    }
    assert_eq!((found, refused.len()), (MOST, 20));
    for answer in refused {
        assert!((3_000..=3_600).contains(&answer.retry_after()), "{answer:?}");
        answer.expect_code(429, "look_up_limit");
    }
    let actions = noted(&operator).await;
    assert_eq!(actions.len(), MOST);
    for action in actions {
        assert_eq!(action["key_name"], "viewer");
        assert!(action["subject"].as_str().unwrap().contains("****"), "{action}");
    }
    // What is no look-up by number goes on, and what is no number is none.
    viewer.get("/admin/users?name=a").await.expect(200);
    viewer.get("/admin/buckets/service").await.expect(200);
    viewer.get("/admin/numbers/user:7").await.expect_code(404, "user_not_found");
    viewer.get("/admin/numbers/12").await.expect_code(400, "invalid_phone_number");
    operator.get(&path(1)).await.expect(200);
    assert_eq!(noted(&operator).await.len(), MOST, "an operator may have any number revealed");

    // The oldest is an hour old, and makes room for one.
    let oldest = "UPDATE admin_actions SET created_at = '2026-01-01T00:00:00Z'
        WHERE id = (SELECT min(id) FROM admin_actions WHERE kind = 'number_looked_up')";
    app.database.execute(oldest).await;
    viewer.get(&path(0)).await.expect(200);
    viewer.get(&path(0)).await.expect_code(429, "look_up_limit");
}

#[async_test]
async fn nobody_is_looked_up_unnoted() {
    let mut app = Plan::new().workers(0).start().await;
    let viewer = Operator::of(&mut app, "viewer").await;
    app.database.refuse("INSERT", "admin_actions").await;
    for path in ["users?phone_number=9876543210", "numbers/9876543210"] {
        viewer.get(&format!("/admin/{path}")).await.expect_code(503, "unavailable");
    }
    app.database.allow("admin_actions").await;
}

/// By its level, a range could be found among others, and with it all but three digits.
#[async_test]
async fn a_viewer_is_told_of_a_range_only_whether_it_is_full() {
    let mut app = Plan::new().set("SENDS_PER_RANGE_HOUR", "3").start().await;
    let operator = Operator::of(&mut app, "operator").await;
    let viewer = Operator::of(&mut app, "viewer").await;
    app.sign_in("Asha", NUMBER).await;
    let user = viewer.all("/admin/users", 20).await.remove(0);
    let level = async |who: &Operator| {
        let by_id = format!("/admin/numbers/user:{}", user["id"]);
        let by_id = who.get(&by_id).await.expect(200).body["data"]["buckets"][0].take();
        assert_eq!(by_id["bucket"], "range of +91********10");
        let itself = who.get("/admin/buckets/range?of=9876543210").await.expect(200).body;
        let levels = [&by_id, &itself].map(|bucket| bucket["level"].as_f64().unwrap());
        assert_eq!(levels[0].ceil().to_bits(), levels[1].ceil().to_bits(), "{levels:?}");
        (levels[0], by_id["capacity"].as_f64().unwrap())
    };
    let ask = async |app: &App, n| app.client().ask("Asha", &neighbour(n)).await.expect(200);
    ask(&app, 1).await;
    assert_eq!(level(&viewer).await, (0.0, 3.0));
    let (exact, _) = level(&operator).await;
    assert!((0.9..=1.0).contains(&exact), "{exact}");
    ask(&app, 2).await;
    ask(&app, 3).await;
    assert_eq!(level(&viewer).await, (3.0, 3.0));
    let country = viewer.get("/admin/buckets/country?of=IN").await.expect(200).body;
    assert_eq!(country["capacity"], json!(0), "its limit is off in a plan");
}
