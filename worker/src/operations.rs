//! The server for operators and their programs: `GET /metrics`, `/healthz` and `/readyz`.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use common::runtime::listen_address::{self, ListenAddress};
use common::runtime::metrics::CONTENT_TYPE;
use common::runtime::readiness::{Check, Readiness};
use poem::http::StatusCode;
use poem::http::uri::Scheme;
use poem::listener::{Acceptor, TcpAcceptor};
use poem::middleware::SetHeader;
use poem::web::{Data, Json, LocalAddr, RemoteAddr};
use poem::{EndpointExt, IntoResponse, Response, Route, Server, get, handler};
use serde_json::json;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Sleep;
use tokio_util::task::AbortOnDropHandle;

use crate::metrics::Scrape;

/// A connection brings one request, and ends after this time, however slowly it talks.
const CONNECTION_LIFE: Duration = Duration::from_secs(10);
/// After an accept error such as "too many open files", which would repeat at once.
const PAUSE_AFTER_ACCEPT_ERROR: Duration = Duration::from_millis(100);

/// Serves at `address` until the returned handle is dropped.
pub(crate) async fn serve(
    address: ListenAddress,
    scrape: Scrape,
    readiness: Readiness,
) -> Option<AbortOnDropHandle<io::Result<()>>> {
    let listener = TcpAcceptor::from_tokio(address.listen(listen_address::METRICS).await?).ok()?;
    let server = Server::new_with_acceptor(OperationsAcceptor(listener));
    let routes = Route::new()
        .at("/metrics", get(metrics).data(scrape))
        .at("/healthz", get(health))
        .at("/readyz", get(ready).data(readiness))
        .with(SetHeader::new().overriding("connection", "close"));
    Some(AbortOnDropHandle::new(tokio::spawn(server.run(routes))))
}

/// poem's server accepts again at once after an error, and lets a slow client take as long as it
/// likes.
struct OperationsAcceptor(TcpAcceptor);

impl Acceptor for OperationsAcceptor {
    type Io = ShortLived;

    fn local_addr(&self) -> Vec<LocalAddr> {
        self.0.local_addr()
    }

    async fn accept(&mut self) -> io::Result<(ShortLived, LocalAddr, RemoteAddr, Scheme)> {
        match self.0.accept().await {
            Ok((stream, local, remote, scheme)) => {
                let end = Box::pin(tokio::time::sleep(CONNECTION_LIFE));
                Ok((ShortLived { stream, end }, local, remote, scheme))
            }
            Err(error) => {
                tracing::warn!(event = "accept_failed", %error);
                tokio::time::sleep(PAUSE_AFTER_ACCEPT_ERROR).await;
                Err(error)
            }
        }
    }
}

/// A connection that nothing more is read from after its end.
struct ShortLived {
    stream: TcpStream,
    end: Pin<Box<Sleep>>,
}

impl AsyncRead for ShortLived {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.end.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for ShortLived {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
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
        "ready": checks.ready,
        "degraded": checks.degraded(),
        "redis": json_of(checks.redis),
        "database": json_of(checks.database),
        "stopping": checks.stopping,
    }));
    if checks.ready {
        body.into_response()
    } else {
        body.with_status(StatusCode::SERVICE_UNAVAILABLE)
            .with_header("retry-after", "1")
            .into_response()
    }
}

fn json_of(Check { ok, time }: Check) -> serde_json::Value {
    json!({ "ok": ok, "time_ms": time.as_secs_f64() * 1000.0 })
}
