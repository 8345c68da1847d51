//! The server for operators and their programs: `GET /metrics`, `/healthz` and `/readyz`.

use std::io;
use std::time::Duration;

use common::runtime::metrics::{CONTENT_TYPE, MetricsAddress};
use common::runtime::readiness::{Check, Readiness};
use poem::http::StatusCode;
use poem::http::uri::Scheme;
use poem::listener::{Acceptor, TcpAcceptor};
use poem::web::{Data, Json, LocalAddr, RemoteAddr};
use poem::{EndpointExt, IntoResponse, Response, Route, Server, get, handler};
use serde_json::json;
use tokio::net::TcpStream;
use tokio_util::task::AbortOnDropHandle;

use crate::metrics::Scrape;

/// A connection that is silent for so long is closed.
const IDLE_TIMEOUT: Duration = Duration::from_secs(10);
/// After an accept error such as "too many open files", which would repeat at once.
const PAUSE_AFTER_ACCEPT_ERROR: Duration = Duration::from_millis(100);

/// Serves at `address` until the returned handle is dropped.
pub(crate) async fn serve(
    address: MetricsAddress,
    scrape: Scrape,
    readiness: Readiness,
) -> Option<AbortOnDropHandle<io::Result<()>>> {
    let listener = TcpAcceptor::from_tokio(address.listen().await?).ok()?;
    let server = Server::new_with_acceptor(PausingAcceptor(listener)).idle_timeout(IDLE_TIMEOUT);
    let routes = Route::new()
        .at("/metrics", get(metrics).data(scrape))
        .at("/healthz", get(health))
        .at("/readyz", get(ready).data(readiness));
    Some(AbortOnDropHandle::new(tokio::spawn(server.run(routes))))
}

/// poem's server accepts again at once after an error.
struct PausingAcceptor(TcpAcceptor);

impl Acceptor for PausingAcceptor {
    type Io = TcpStream;

    fn local_addr(&self) -> Vec<LocalAddr> {
        self.0.local_addr()
    }

    async fn accept(&mut self) -> io::Result<(TcpStream, LocalAddr, RemoteAddr, Scheme)> {
        let accepted = self.0.accept().await;
        if let Err(error) = &accepted {
            tracing::warn!(event = "accept_failed", %error);
            tokio::time::sleep(PAUSE_AFTER_ACCEPT_ERROR).await;
        }
        accepted
    }
}

#[handler]
async fn metrics(scrape: Data<&Scrape>) -> Response {
    scrape.text().await.with_content_type(CONTENT_TYPE).into_response()
}

#[handler]
fn health() -> Response {
    Json(json!({ "status": "ok" })).into_response()
}

/// Has the form of the API's answer.
#[handler]
async fn ready(readiness: Data<&Readiness>) -> Response {
    let checks = readiness.check().await;
    let body = Json(json!({
        "ready": checks.ok(),
        "redis": json_of(checks.redis),
        "database": json_of(checks.database),
        "stopping": checks.stopping,
    }));
    if checks.ok() {
        body.into_response()
    } else {
        body.with_status(StatusCode::SERVICE_UNAVAILABLE).with_header("retry-after", "1").into_response()
    }
}

fn json_of(Check { ok, time }: Check) -> serde_json::Value {
    json!({ "ok": ok, "time_ms": time.as_secs_f64() * 1000.0 })
}
