//! Operators ask the stores by connections of their own: no user waits behind them.

use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::join_all;
use serde_json::json;

use super::Operator;
use crate::support::app::Plan;
use crate::support::numbers::{NUMBER, spread};

#[async_test]
async fn operators_who_wait_for_the_database_keep_no_user_waiting() {
    let mut app = Plan::new()
        .set("DATABASE_CONNECTIONS", "3")
        .set("SESSION_CACHE_SECONDS", "0")
        .start()
        .await;
    let operator = Operator::of(&mut app, "operator").await;
    let token = app.sign_in("Asha", NUMBER).await.token().to_owned();
    operator.get("/admin/key").await.expect(200);
    let outage = app.database.lock().await;
    let ended = AtomicBool::new(false);
    let operators = async {
        let made = join_all((0..12).map(async |n| {
            let new = json!({"name": "Ravi", "phone_number": spread(n)});
            operator.post("/admin/users", &new).await
        }));
        for answer in made.await {
            answer.expect_code(503, "unavailable");
        }
        ended.store(true, Ordering::Relaxed);
    };
    let users = async {
        while !ended.load(Ordering::Relaxed) {
            app.client().protected(&token).await.expect(200);
        }
    };
    tokio::join!(operators, users);
    app.database.restore(outage).await;
}

#[async_test]
async fn operators_have_a_connection_to_redis_of_their_own() {
    let mut app = Plan::new().workers(0).start().await;
    let viewer = Operator::of(&mut app, "viewer").await;
    app.client().ask("Asha", NUMBER).await.expect(200);
    viewer.get("/admin/dead-letters").await.expect(200);
    let clients: String =
        redis::cmd("CLIENT").arg("LIST").query(&mut app.redis.connection()).unwrap();
    // Each connection, with what it asked last.
    for asked in ["cmd=evalsha", "cmd=lrange"] {
        assert!(clients.contains(asked), "{asked}: {clients}");
    }
}
