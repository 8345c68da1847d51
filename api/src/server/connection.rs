//! One connection: hyper speaks HTTP/1.1 on it, the app answers, and a client that is too slow is
//! cut.

use std::{
    convert::Infallible,
    future::{Future, poll_fn},
    net::SocketAddr,
    pin::pin,
    sync::Arc,
    task::Poll,
    time::Duration,
};

use futures_util::{TryStreamExt, future::OptionFuture};
use http::{HeaderValue, StatusCode, header::CONNECTION, uri::Scheme};
use hyper::{
    body::{Body as _, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use poem::{
    Body, Endpoint, Request, Response,
    web::{LocalAddr, RemoteAddr},
};
use tokio::{
    net::TcpStream,
    sync::OwnedSemaphorePermit,
    time::{sleep, sleep_until},
};

use super::{
    BodyPace, PacedAnswer, Server,
    body_pace::paced,
    close::{close, send_error},
    connection_state::{Activity, ConnectionState, SharedState, WatchedStream},
    received::BodyLength,
};

/// The longest request head, in bytes; a longer one is answered with 431. It also bounds what a
/// slow client makes the server keep.
const MAX_HEAD_BYTES: usize = 16 * 1024;

/// How long a connection that waits for a request stays open once nothing is accepted any more:
/// requests that are on their way still arrive, and their answers tell the client to go elsewhere.
const LAST_REQUEST_WINDOW: Duration = Duration::from_secs(1);

/// Serves one connection to its end.
pub(super) async fn run<E>(
    tcp: TcpStream,
    peer: SocketAddr,
    server: Arc<Server<E>>,
    _permit: OwnedSemaphorePermit,
) where
    E: Endpoint<Output = Response> + 'static,
{
    let state = SharedState::new();
    let stream = WatchedStream { tcp, state: state.clone(), head_error: None };
    let service = service_fn(|request| {
        Box::pin(async {
            let response = answer(request, peer, &state, &server).await;
            Ok::<hyper::Response<_>, Infallible>(response.into())
        })
    });
    let mut http = http1::Builder::new()
        // Else a client that hangs up would end its handler at whatever it is doing.
        .half_close(true)
        // hyper's own would count the silence before a request too; see `cut`.
        .header_read_timeout(None)
        .max_buf_size(MAX_HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        biased;
        ended = poll_fn(|cx| http.poll_without_shutdown(cx)) => {
            if let Err(error) = ended {
                tracing::debug!(event = "connection_failed", %peer, %error);
            }
        }
        reason = cut(&state, &server) => {
            let phase = state.get().activity;
            tracing::debug!(event = "connection_cut", %peer, ?phase, "{reason}");
            return;
        }
    }
    let mut stream = http.into_parts().io.into_inner();
    if let Some(kind) = stream.head_error {
        send_error(&mut stream.tcp, kind).await;
    }
    close(stream.tcp).await;
}

/// Ends when the connection has to be cut, and says why. The app bounds its own work, and a body
/// has a deadline of its own (see [`paced`]).
async fn cut<E>(state: &SharedState, server: &Server<E>) -> &'static str {
    let limits = &server.limits;
    let mut last_request_window = pin!(async {
        server.stop.cancelled().await;
        sleep(LAST_REQUEST_WINDOW).await;
    });
    loop {
        let now = state.get();
        let limit = match now.activity {
            Activity::Head => Some(limits.request),
            Activity::Writing => Some(limits.answer),
            Activity::Idle => Some(limits.idle),
            Activity::Body | Activity::Handling => None,
        };
        let deadline = OptionFuture::from(limit.map(|limit| sleep_until(now.since + limit)));
        let waits_for_request = matches!(now.activity, Activity::Head | Activity::Idle);
        let waits_for_client = now.activity != Activity::Handling;
        tokio::select! {
            biased;
            () = changed(state, now) => {}
            Some(()) = deadline => return "too slow",
            () = &mut last_request_window, if waits_for_request => return "too slow",
            () = server.connection_limit.evicted(), if waits_for_client => {
                return "too many connections";
            }
        }
    }
}

/// Ends when the state is another one. No wake-up is needed: hyper's polls alone change it, and
/// [`run`] polls this after each of them.
fn changed(state: &SharedState, from: ConnectionState) -> impl Future<Output = ()> {
    poll_fn(move |_| if state.get() == from { Poll::Pending } else { Poll::Ready(()) })
}

async fn answer<E>(
    request: hyper::Request<Incoming>,
    peer: SocketAddr,
    state: &SharedState,
    server: &Server<E>,
) -> Response
where
    E: Endpoint<Output = Response>,
{
    let body_length =
        request.body().size_hint().exact().map_or(BodyLength::Chunked, BodyLength::Bytes);
    let began = state.begin_request(body_length);
    let local = LocalAddr(server.local_addr.into());
    let remote = RemoteAddr(peer.into());
    let mut request = Request::from((request, local, remote, Scheme::HTTP));
    let body = request.take_body();
    let pace = BodyPace::default();
    let has_body = !body.is_empty();
    if has_body {
        request.extensions_mut().insert(pace.clone());
        request.set_body(paced(body, began, server.limits.request, pace.clone(), state.clone()));
    }
    let mut response = server.app.get_response(request).await;
    // After these two the rest of the body is not waited for, and of a long one never.
    let is_body_unread =
        matches!(response.status(), StatusCode::REQUEST_TIMEOUT | StatusCode::PAYLOAD_TOO_LARGE)
            || has_body && !pace.is_read() && is_long(body_length);
    if is_body_unread || server.draining.is_cancelled() {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    match response.data::<PacedAnswer>().copied() {
        Some(PacedAnswer { least_rate }) => {
            let least = least_rate.saturating_mul(server.limits.answer.as_secs());
            let paced = state.begin_paced_answer(least);
            let chunks = response.take_body().into_bytes_stream();
            response.set_body(Body::from_bytes_stream(chunks.inspect_ok(move |_| {
                let _until_it_ends = &paced;
            })));
        }
        None => state.set(Activity::Writing),
    }
    response
}

/// Whether a body is too long for hyper to have it all in memory.
fn is_long(body: BodyLength) -> bool {
    matches!(body, BodyLength::Bytes(length) if length > MAX_HEAD_BYTES as u64)
}
