//! What both programs tell of Redis and the database, looked up when somebody asks.

use metrics::{gauge, histogram};

use super::{Kind, Metric};
use crate::accounts::pool::PoolStats;
use crate::runtime::readiness::Readiness;

const UP: &str = "cheershare_store_up";
const ANSWER: &str = "cheershare_store_answer_seconds";
const OPEN: &str = "cheershare_database_connections_open";
const IDLE: &str = "cheershare_database_connections_idle";
const LIMIT: &str = "cheershare_database_connections_limit";
const ACQUIRE: &str = "cheershare_database_acquire_seconds";

/// The metrics of the stores.
pub const STORE_METRICS: &[Metric] = &[
    Metric {
        name: UP,
        kind: Kind::Gauge,
        help: "Whether the store answered this process within a second, at this scrape, Redis also that it takes writes: 1 or 0.",
    },
    Metric { name: ANSWER, kind: Kind::Gauge, help: "How long the store took to answer, at this scrape." },
    Metric {
        name: OPEN,
        kind: Kind::Gauge,
        help: "Connections to the database that the pool holds, idle ones included.",
    },
    Metric { name: IDLE, kind: Kind::Gauge, help: "Connections to the database that wait in the pool." },
    Metric { name: LIMIT, kind: Kind::Gauge, help: "Connections to the database that the pool may hold." },
    Metric {
        name: ACQUIRE,
        kind: Kind::Histogram(&[0.000_1, 0.001, 0.01, 0.1, 0.5, 1.0]),
        help: "How long it took to get a connection from the pool, tried once a scrape, for a second at most.",
    },
];

/// Looks them up, within about a second.
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
