//! The pool of connections to the database, looked at from outside.

use std::time::{Duration, Instant};

use sea_orm::sqlx::{Database, Pool};
use sea_orm::{DatabaseConnection, DbBackend};

use crate::runtime::readiness::TIMEOUT;

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct PoolStats {
    /// Connections, idle ones included.
    pub open: u32,
    pub idle: u32,
    /// The most that there may be.
    pub limit: u32,
    /// How long it took to get one just now, for as long as a probe may take.
    pub acquire: Duration,
}

impl PoolStats {
    /// Takes a connection for a moment.
    pub async fn measure(database: &DatabaseConnection) -> Self {
        match database.get_database_backend() {
            DbBackend::Postgres => look_at(database.get_postgres_connection_pool()).await,
            DbBackend::Sqlite => look_at(database.get_sqlite_connection_pool()).await,
            // No driver for another one is compiled in.
            _ => Self::default(),
        }
    }
}

async fn look_at<D: Database>(pool: &Pool<D>) -> PoolStats {
    let open = pool.size();
    let idle = u32::try_from(pool.num_idle()).unwrap_or(u32::MAX);
    let start = Instant::now();
    let connection = tokio::time::timeout(TIMEOUT, pool.acquire()).await;
    let acquire = start.elapsed().min(TIMEOUT);
    drop(connection);
    PoolStats { open, idle, limit: pool.options().get_max_connections(), acquire }
}
