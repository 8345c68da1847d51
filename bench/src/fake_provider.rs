//! A provider that takes whatever it gets, after a pause, and notes when it got it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use http::{Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

/// An SMS provider on a port of its own, in this process.
#[derive(Clone, Debug)]
pub(crate) struct FakeProvider {
    port: u16,
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    pause_ms: AtomicU64,
    taken: AtomicU64,
    open: AtomicU64,
    noting: AtomicBool,
    received: Mutex<HashMap<String, Received>>,
}

/// A message that was noted.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) at: Instant,
    pub(crate) text: String,
}

impl FakeProvider {
    /// Starts one that answers at once.
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let (port, state) = (listener.local_addr()?.port(), Arc::new(State::default()));
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let _ = stream.set_nodelay(true);
                let state = Arc::clone(&shared);
                let service = service_fn(move |request| answer(request, Arc::clone(&state)));
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        Ok(Self { port, state })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// From now on each answer takes so long.
    pub(crate) fn answer_after(&self, pause: Duration) {
        self.state.pause_ms.store(pause.as_millis() as u64, Ordering::Relaxed);
    }

    /// Messages that it has taken since it began.
    pub(crate) fn taken(&self) -> u64 {
        self.state.taken.load(Ordering::Relaxed)
    }

    /// Calls that wait for their answer.
    pub(crate) fn open(&self) -> u64 {
        self.state.open.load(Ordering::Relaxed)
    }

    /// Whether it notes the messages that it gets; those of before are forgotten.
    pub(crate) fn note_messages(&self, on: bool) {
        self.received_all().clear();
        self.state.noting.store(on, Ordering::Relaxed);
    }

    /// The message for a number.
    pub(crate) fn received(&self, number: &str) -> Option<Received> {
        self.received_all().get(number).cloned()
    }

    fn received_all(&self) -> MutexGuard<'_, HashMap<String, Received>> {
        self.state.received.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn answer(
    request: http::Request<Incoming>,
    state: Arc<State>,
) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let body = request.into_body().collect().await?.to_bytes();
    if state.noting.load(Ordering::Relaxed) {
        let at = Instant::now();
        let field = |wanted: &str| {
            let found = form_urlencoded::parse(&body).find(|(name, _)| name == wanted);
            found.map(|(_, value)| value.into_owned()).unwrap_or_default()
        };
        let received = Received { at, text: field("Body") };
        let mut all = state.received.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(field("To"), received);
    }
    state.open.fetch_add(1, Ordering::Relaxed);
    tokio::time::sleep(Duration::from_millis(state.pause_ms.load(Ordering::Relaxed))).await;
    state.open.fetch_sub(1, Ordering::Relaxed);
    let taken = state.taken.fetch_add(1, Ordering::Relaxed);
    let mut response =
        Response::new(Full::from(format!("{{\"sid\":\"SM{taken:032}\",\"status\":\"queued\"}}")));
    *response.status_mut() = StatusCode::CREATED;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    Ok(response)
}
