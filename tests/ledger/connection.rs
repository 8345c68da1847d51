//! The shared connection to Redis, in the test's own process.

use std::time::Duration;

use common::ledger::connection;

use crate::support::app::SOON;
use crate::support::eventually;
use crate::support::redis_server::Redis;
use crate::support::sentinel::Sentinels;

/// Longer than a reply may stay out before a new connection is tried, and too short for that one to
/// take over.
const SLOW_SECONDS: f64 = 0.6;

#[async_test]
async fn a_slow_reply_leaves_nobody_behind_who_listens_for_another_primary() {
    let primary = Redis::start();
    let _replica = Redis::start_replica_of(&primary);
    let sentinels = Sentinels::watch(primary.port()).await;
    let redis = connection::Redis::new(&sentinels.url()).unwrap();
    let mut shared = redis.connection(Duration::from_secs(10));
    for _ in 0..3 {
        let reply: Option<(String, String)> = redis::cmd("BLPOP")
            .arg("nothing")
            .arg(SLOW_SECONDS)
            .query_async(&mut shared)
            .await
            .unwrap();
        assert_eq!(reply, None);
    }
    eventually(SOON, "one listener", async || (sentinels.listeners() == 1).then_some(())).await;
    drop(shared);
    eventually(SOON, "no listener", async || (sentinels.listeners() == 0).then_some(())).await;
}
