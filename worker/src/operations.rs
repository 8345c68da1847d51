//! What operators and their programs ask a worker: `GET /metrics`, `/healthz` and `/readyz`.

use common::metrics::{CONTENT_TYPE, MetricsAddress};
use common::readiness::{Check, Readiness};
use poem::http::StatusCode;
use poem::listener::TcpAcceptor;
use poem::web::{Data, Json};
use poem::{EndpointExt, IntoResponse, Response, Route, Server, get, handler};
use serde_json::json;
use tokio_util::task::AbortOnDropHandle;

use crate::metrics::Scrape;

/// Answers at `address` until what this returns is dropped.
pub(crate) async fn serve(
    address: MetricsAddress,
    scrape: Scrape,
    readiness: Readiness,
) -> anyhow::Result<Option<AbortOnDropHandle<()>>> {
    let Some(listener) = address.listen().await else { return Ok(None) };
    let acceptor = TcpAcceptor::from_tokio(listener)?;
    let routes = Route::new()
        .at("/metrics", get(metrics).data(scrape))
        .at("/healthz", get(health))
        .at("/readyz", get(ready).data(readiness));
    Ok(Some(AbortOnDropHandle::new(tokio::spawn(async move {
        if let Err(error) = Server::new_with_acceptor(acceptor).run(routes).await {
            tracing::error!(event = "metrics_ended", %error);
        }
    }))))
}

#[handler]
async fn metrics(scrape: Data<&Scrape>) -> Response {
    scrape.text().await.with_content_type(CONTENT_TYPE).into_response()
}

#[handler]
fn health() -> Response {
    Json(json!({ "status": "ok" })).into_response()
}

/// As the API's.
#[handler]
async fn ready(readiness: Data<&Readiness>) -> Response {
    let checks = readiness.check().await;
    let told = |Check { ok, time }: Check| json!({ "ok": ok, "time_ms": time.as_secs_f64() * 1000.0 });
    let (redis, database) = (told(checks.redis), told(checks.database));
    let body = Json(json!({ "ready": checks.ok(), "redis": redis, "database": database, "stopping": checks.stopping }));
    if checks.ok() {
        body.into_response()
    } else {
        body.with_status(StatusCode::SERVICE_UNAVAILABLE).with_header("retry-after", "1").into_response()
    }
}
