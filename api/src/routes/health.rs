//! `GET /healthz` and `GET /readyz`

use std::sync::Arc;

use common::runtime::readiness::{Check, Checks};
use poem::web::Data;
use poem_openapi::payload::Json;
use poem_openapi::types::Example;
use poem_openapi::{ApiResponse, Object, OpenApi};

use super::Tag;
use crate::http::error::{ErrorKind, Failure, Failures};
use crate::state::AppState;

#[derive(Debug)]
pub struct HealthApi;

/// The process lives.
#[derive(Debug, Object)]
#[oai(example)]
pub struct Health {
    /// Always `ok`.
    status: String,
}

impl Example for Health {
    fn example() -> Self {
        Self { status: "ok".to_owned() }
    }
}

#[derive(Debug)]
pub struct HealthFailures;

impl Failures for HealthFailures {
    const KINDS: &'static [ErrorKind] = &[];
}

/// Whether requests can be served.
#[derive(Debug, Object)]
#[oai(example)]
pub struct Ready {
    /// Whether the process can do anything useful: a store answers, each one has answered since the
    /// start, and the process is not stopping.
    ready: bool,
    /// Whether a store is missing. Without Redis tokens work, without the database OTPs are sent;
    /// what needs the missing one gets 503.
    degraded: bool,
    /// Redis: whether it takes writes.
    redis: StoreCheck,
    /// The database, waiting for a connection included.
    database: StoreCheck,
    /// Whether the process was asked to stop. It serves what still comes, and ends soon.
    stopping: bool,
}

/// Whether a store answers.
#[derive(Debug, Object)]
pub struct StoreCheck {
    /// Whether it answered within a second.
    ok: bool,
    /// How long that took, in ms; 1000 where it did not.
    time_ms: f64,
}

impl From<Check> for StoreCheck {
    fn from(Check { ok, time }: Check) -> Self {
        Self { ok, time_ms: time.as_secs_f64() * 1000.0 }
    }
}

impl From<Checks> for Ready {
    fn from(checks: Checks) -> Self {
        Self {
            ready: checks.ready,
            degraded: checks.degraded(),
            redis: checks.redis.into(),
            database: checks.database.into(),
            stopping: checks.stopping,
        }
    }
}

impl Example for Ready {
    fn example() -> Self {
        let answered = |time_ms| StoreCheck { ok: true, time_ms };
        Self {
            ready: true,
            degraded: false,
            redis: answered(0.4),
            database: answered(1.2),
            stopping: false,
        }
    }
}

/// What came of asking.
#[derive(ApiResponse, Debug)]
pub enum ReadyAnswer {
    /// They can, all or some.
    #[oai(status = 200)]
    Ready(Json<Ready>),
    /// They cannot: no store answers, one has not answered since the start, or the process is
    /// stopping.
    #[oai(status = 503)]
    NotReady(
        Json<Ready>,
        /// Seconds to wait (RFC 9110)
        #[oai(header = "Retry-After")]
        u64,
    ),
}

/// What is refused before the stores are asked.
#[derive(Debug)]
pub struct ReadyFailures;

impl Failures for ReadyFailures {
    const KINDS: &'static [ErrorKind] = &[];
    const USUAL: &'static [ErrorKind] =
        &[ErrorKind::InvalidAuthorizationHeader, ErrorKind::Internal];
}

#[OpenApi]
impl HealthApi {
    /// Say that the process lives
    ///
    /// Neither Redis nor the database is asked.
    #[oai(path = "/healthz", method = "get", tag = "Tag::Operations", operation_id = "health")]
    async fn health(&self) -> Result<Json<Health>, Failure<HealthFailures>> {
        Ok(Json(Health { status: "ok".to_owned() }))
    }

    /// Say whether requests can be served
    ///
    /// Redis and the database are asked at once, and have a second to answer. A process that misses
    /// one of them is ready and degraded, so that signed-in users need no Redis. One that was asked
    /// to stop is not ready, though it still answers. For a load balancer.
    #[oai(path = "/readyz", method = "get", tag = "Tag::Operations", operation_id = "ready")]
    async fn ready(
        &self,
        state: Data<&Arc<AppState>>,
    ) -> Result<ReadyAnswer, Failure<ReadyFailures>> {
        let checks = state.readiness.check().await;
        let (ready, body) = (checks.ready, Json(checks.into()));
        Ok(if ready { ReadyAnswer::Ready(body) } else { ReadyAnswer::NotReady(body, 1) })
    }
}
