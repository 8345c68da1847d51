//! What operators and their programs ask a worker: `GET /metrics`, `/healthz` and `/readyz`.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use common::runtime::metrics::{CONTENT_TYPE, MetricsAddress};
use common::runtime::readiness::{Check, Readiness};
use http::uri::Scheme;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use poem::endpoint::BoxEndpoint;
use poem::http::StatusCode;
use poem::web::{Data, Json, LocalAddr, RemoteAddr};
use poem::{Endpoint, EndpointExt, IntoResponse, Request, Response, Route, get, handler};
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::task::AbortOnDropHandle;

use crate::metrics::Scrape;

/// For those who ask; one more is hung up on.
const CONNECTIONS: usize = 20;
/// The life of a connection, which brings one request: whoever is slower is cut off.
const LIFE: Duration = Duration::from_secs(10);
/// After an accept error such as "too many open files", which would repeat at once.
const PAUSE_AFTER_ACCEPT_ERROR: Duration = Duration::from_millis(100);

/// Answers at `address` until what this returns is dropped.
pub(crate) async fn serve(
    address: MetricsAddress,
    scrape: Scrape,
    readiness: Readiness,
) -> Option<AbortOnDropHandle<()>> {
    let listener = address.listen().await?;
    let routes = Route::new()
        .at("/metrics", get(metrics).data(scrape))
        .at("/healthz", get(health))
        .at("/readyz", get(ready).data(readiness));
    Some(AbortOnDropHandle::new(tokio::spawn(accept(listener, Arc::new(routes.map_to_response().boxed())))))
}

async fn accept(listener: TcpListener, routes: Arc<BoxEndpoint<'static>>) {
    let slots = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                if let Ok(slot) = Arc::clone(&slots).try_acquire_owned() {
                    let answered = answer(stream, peer, Arc::clone(&routes));
                    tokio::spawn(async move {
                        // Late or broken, it is over.
                        let _ = tokio::time::timeout(LIFE, answered).await;
                        drop(slot);
                    });
                }
            }
            Err(error) => {
                tracing::warn!(event = "accept_failed", %error);
                tokio::time::sleep(PAUSE_AFTER_ACCEPT_ERROR).await;
            }
        }
    }
}

/// One request, one answer.
async fn answer(stream: TcpStream, peer: SocketAddr, routes: Arc<BoxEndpoint<'static>>) -> hyper::Result<()> {
    let service = service_fn(move |request| {
        let routes = Arc::clone(&routes);
        async move {
            let remote = RemoteAddr(peer.into());
            let request = Request::from((request, LocalAddr::default(), remote, Scheme::HTTP));
            Ok::<hyper::Response<_>, Infallible>(routes.get_response(request).await.into())
        }
    });
    http1::Builder::new().keep_alive(false).serve_connection(TokioIo::new(stream), service).await
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
