//! One connection: hyper speaks HTTP/1.1 on it, the app answers, and a deadline ends it when its
//! client is too slow.

use std::{
    convert::Infallible,
    future::{Future, poll_fn},
    io,
    net::SocketAddr,
    pin::pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use futures_util::{StreamExt, stream};
use http::{HeaderValue, StatusCode, header::CONNECTION, uri::Scheme};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use poem::{
    Body, Endpoint, Request, Response,
    web::{LocalAddr, RemoteAddr},
};
use tokio::{
    net::TcpStream,
    time::{Instant, sleep_until, timeout_at},
};
use tokio_util::sync::CancellationToken;

use super::{
    ConnectionLimits,
    connection_limit::{Slot, Slots, close},
    phase::{Phase, Progress, Step, WatchedStream},
};

/// The longest request head, in bytes; a longer one is answered with 431. It also bounds what a
/// slow client makes the server hold.
const MAX_HEAD_BYTES: usize = 16 * 1024;

/// How long a connection that waits for its client stays open once nothing is accepted any more:
/// requests that are on their way still arrive, and their answers tell the client to go elsewhere.
const LAST_REQUEST_WINDOW: Duration = Duration::from_secs(1);

/// What all connections of a server share.
pub(super) struct Shared<E> {
    pub(super) app: E,
    pub(super) local_addr: SocketAddr,
    pub(super) limits: ConnectionLimits,
    pub(super) slots: Slots,
    /// The server is to stop: every answer is the last one of its connection.
    pub(super) draining: CancellationToken,
    /// Nothing more is accepted.
    pub(super) stop: CancellationToken,
}

/// Serves one connection to its end.
pub(super) async fn run<E>(stream: TcpStream, peer: SocketAddr, shared: Arc<Shared<E>>, _slot: Slot)
where
    E: Endpoint<Output = Response> + 'static,
{
    let progress = Progress::new();
    let watched = WatchedStream { stream, progress: progress.clone(), refusal: None };
    let service = service_fn({
        let shared = shared.clone();
        let progress = progress.clone();
        move |request| {
            let shared = shared.clone();
            let progress = progress.clone();
            Box::pin(async move {
                let response = answer(request, peer, &progress, &shared).await;
                Ok::<hyper::Response<_>, Infallible>(response.into())
            })
        }
    });
    let mut http = http1::Builder::new()
        // Else a client that hangs up would end its handler at whatever it is doing.
        .half_close(true)
        .header_read_timeout(None)
        .max_buf_size(MAX_HEAD_BYTES)
        .serve_connection(TokioIo::new(watched), service);
    match drive(|cx| http.poll_without_shutdown(cx), &progress, &shared).await {
        End::Finished(result) => {
            if let Err(error) = result {
                tracing::debug!(event = "connection_failed", %peer, %error);
            }
            close(http.into_parts().io.into_inner().stream).await;
        }
        End::Late(phase) => tracing::debug!(event = "connection_cut", %peer, ?phase, "too slow"),
        End::Evicted(phase) => {
            tracing::debug!(event = "connection_cut", %peer, ?phase, "too many connections")
        }
    }
}

enum End {
    /// One side closed it, or did not speak HTTP.
    Finished(hyper::Result<()>),
    /// It was longer in this phase than it may.
    Late(Phase),
    /// Slots are short and no other connection has waited longer for its client.
    Evicted(Phase),
}

/// Polls a connection under the deadline of its current step. All steps are taken inside
/// `poll_http`, so the deadline is looked up after each call and needs no other wake-up than its
/// timer.
async fn drive<E>(
    mut poll_http: impl FnMut(&mut Context<'_>) -> Poll<hyper::Result<()>>,
    progress: &Progress,
    shared: &Shared<E>,
) -> End {
    let mut stopped = pin!(shared.stop.cancelled());
    let mut stopped_at = None;
    let mut timer = pin!(sleep_until(Instant::now()));
    let mut evicted = pin!(None);
    let mut deadline = None;
    let mut seen = None;
    poll_fn(|cx| {
        if let Poll::Ready(result) = poll_http(cx) {
            return Poll::Ready(End::Finished(result));
        }
        if stopped_at.is_none() && stopped.as_mut().poll(cx).is_ready() {
            stopped_at = Some(Instant::now());
            seen = None;
        }
        let step = progress.now();
        if seen.replace(step) != Some(step) {
            deadline = deadline_of(step, &shared.limits, stopped_at);
            if let Some(deadline) = deadline {
                timer.as_mut().reset(deadline);
            }
            let waits_for_client = step.phase != Phase::Handling;
            evicted.set(waits_for_client.then(|| shared.slots.evicted()));
        }
        if deadline.is_some() && timer.as_mut().poll(cx).is_ready() {
            return Poll::Ready(End::Late(step.phase));
        }
        if evicted.as_mut().as_pin_mut().is_some_and(|evicted| evicted.poll(cx).is_ready()) {
            return Poll::Ready(End::Evicted(step.phase));
        }
        Poll::Pending
    })
    .await
}

/// When a step has to be over. The app bounds its own work, and its body has a deadline of its own
/// (see [`with_deadline`]).
fn deadline_of(
    step: Step,
    limits: &ConnectionLimits,
    stopped_at: Option<Instant>,
) -> Option<Instant> {
    let last_wait = |deadline: Instant| {
        stopped_at.map_or(deadline, |stop| deadline.min(stop + LAST_REQUEST_WINDOW))
    };
    match step.phase {
        Phase::Head => Some(last_wait(step.since + limits.read)),
        Phase::Idle => Some(last_wait(step.since + limits.idle)),
        Phase::Writing => Some(step.since + limits.write),
        Phase::Body | Phase::Handling => None,
    }
}

async fn answer<E>(
    request: hyper::Request<Incoming>,
    peer: SocketAddr,
    progress: &Progress,
    shared: &Shared<E>,
) -> Response
where
    E: Endpoint<Output = Response>,
{
    let began = match progress.now() {
        Step { phase: Phase::Head, since } => since,
        // A pipelined request came together with an earlier one: its clock starts here.
        _ => Instant::now(),
    };
    progress.enter(Phase::Handling);
    let local = LocalAddr(shared.local_addr.into());
    let remote = RemoteAddr(peer.into());
    let mut request = Request::from((request, local, remote, Scheme::HTTP));
    let body = request.take_body();
    if !body.is_empty() {
        let deadline = began + shared.limits.read;
        request.set_body(with_deadline(body, deadline, progress.clone()));
    }
    let mut response = shared.app.get_response(request).await;
    // After these two the rest of the body is not waited for.
    let unread =
        matches!(response.status(), StatusCode::REQUEST_TIMEOUT | StatusCode::PAYLOAD_TOO_LARGE);
    if unread || shared.draining.is_cancelled() {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    progress.enter(Phase::Writing);
    response
}

/// The same body, but past `deadline` waiting for more of it fails with
/// [`io::ErrorKind::TimedOut`].
fn with_deadline(body: Body, deadline: Instant, progress: Progress) -> Body {
    let state = (body.into_bytes_stream(), progress);
    let chunks = stream::unfold(state, move |(mut chunks, progress)| async move {
        let waiting = progress.wait_for_body();
        let next = timeout_at(deadline, chunks.next()).await;
        drop(waiting);
        let chunk = match next {
            Ok(chunk) => chunk?,
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        };
        Some((chunk, (chunks, progress)))
    });
    Body::from_bytes_stream(chunks)
}
