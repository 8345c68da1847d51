//! The metrics of Redis and the database, which both programs have.

use metrics::{gauge, histogram};

use crate::accounts::pool::PoolStats;
use crate::runtime::readiness::Readiness;

crate::metrics! { STORE_METRICS:
    UP: Gauge = "cheershare_store_up",
        "Whether the store answered this process within a second, at this scrape, Redis also that it takes writes: 1 or 0.";
    ANSWER: Gauge = "cheershare_store_answer_seconds",
        "How long the store took to answer, at this scrape.";
    OPEN: Gauge = "cheershare_database_connections_open",
        "Connections to the database that the pool holds, idle ones included.";
    IDLE: Gauge = "cheershare_database_connections_idle",
        "Connections to the database that wait in the pool.";
    LIMIT: Gauge = "cheershare_database_connections_limit",
        "Connections to the database that the pool may hold.";
    ACQUIRE: Histogram(&[0.000_1, 0.001, 0.01, 0.1, 0.5, 1.0])
        = "cheershare_database_acquire_seconds",
        "How long it took to get a connection from the pool, tried once a scrape, for a second at most.";
}

/// Reads them now, for about a second at most.
pub async fn observe_stores(readiness: &Readiness) {
    let (checks, pool) = tokio::join!(readiness.check(), readiness.pool());
    for (store, check) in [("redis", checks.redis), ("database", checks.database)] {
        gauge!(UP, "store" => store).set(if check.ok { 1.0 } else { 0.0 });
        gauge!(ANSWER, "store" => store).set(check.time.as_secs_f64());
    }
    let PoolStats { open, idle, limit, acquire } = pool;
    gauge!(OPEN).set(open);
    gauge!(IDLE).set(idle);
    gauge!(LIMIT).set(limit);
    histogram!(ACQUIRE).record(acquire);
}
