//! A receiver of events, served over real HTTP: it checks the signature after the Standard Webhooks
//! specification, keeps every request, and answers as the test says.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::runtime::clock::Clock;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::fake_webhook::{check, header};
use super::http_server::{Closed, serve};
use crate::support::eventually;
use crate::support::free_port;

/// A request that is signed as it should be.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    /// `webhook-id`.
    pub(crate) id: String,
    /// `webhook-timestamp`.
    pub(crate) timestamp: String,
    /// `webhook-signature`.
    pub(crate) signature: String,
    pub(crate) text: String,
    pub(crate) body: Value,
    /// What it was answered.
    pub(crate) status: u16,
}

impl Received {
    pub(crate) fn kind(&self) -> &str {
        self.body["type"].as_str().unwrap()
    }

    pub(crate) fn sequence(&self) -> i64 {
        self.body["data"]["sequence"].as_i64().unwrap()
    }
}

/// The receiver. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct FakeReceiver {
    address: SocketAddr,
    state: Arc<State>,
    server: JoinHandle<()>,
}

#[derive(Debug)]
struct State {
    /// The answer to all requests; 0 is none, ever.
    status: Mutex<u16>,
    received: Mutex<Vec<Received>>,
    refusals: Mutex<Vec<String>>,
    clock: Clock,
}

impl FakeReceiver {
    /// Starts a receiver that takes everything that is signed, with 204. By `clock` it tells
    /// whether a signature is new.
    pub(crate) async fn start_at(clock: Clock) -> Self {
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let listener = TcpListener::bind(address).await.unwrap();
        let state = Arc::new(State {
            status: Mutex::new(204),
            received: Mutex::default(),
            refusals: Mutex::default(),
            clock,
        });
        let shared = Arc::clone(&state);
        let server =
            tokio::spawn(serve(listener, move |request| answer(request, Arc::clone(&shared))));
        Self { address, state, server }
    }

    pub(crate) async fn start() -> Self {
        Self::start_at(Clock::default()).await
    }

    /// What `EVENTS_WEBHOOK_URL` takes.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/events?tenant=7", self.address)
    }

    /// Says what requests get from now on.
    pub(crate) fn answers(&self, status: u16) {
        *self.state.status.lock().unwrap() = status;
    }

    /// Lets requests wait without an answer from now on.
    pub(crate) fn hangs(&self) {
        self.answers(0);
    }

    /// All requests so far, in the order of arrival.
    pub(crate) fn received(&self) -> Vec<Received> {
        let refusals = self.state.refusals.lock().unwrap();
        assert!(refusals.is_empty(), "{refusals:?}");
        self.state.received.lock().unwrap().clone()
    }

    /// Those that were taken.
    pub(crate) fn accepted(&self) -> Vec<Received> {
        self.received().into_iter().filter(|request| request.status == 204).collect()
    }

    /// Waits until so many were taken; returns them by their sequence.
    pub(crate) async fn wait_for(&self, count: usize, within: Duration) -> Vec<Received> {
        let mut all = eventually(within, "events", async || {
            Some(self.accepted()).filter(|accepted| accepted.len() >= count)
        })
        .await;
        all.sort_by_key(Received::sequence);
        all
    }
}

impl Drop for FakeReceiver {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn answer(
    request: Request<Incoming>,
    state: Arc<State>,
) -> Result<Response<Full<Bytes>>, Closed> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| Closed)?.to_bytes();
    if let Err(reason) = check(&head, &body, "/events?tenant=7", &state.clock) {
        state.refusals.lock().unwrap().push(reason);
        return Ok(Response::builder().status(401).body(Full::default()).unwrap());
    }
    let status = *state.status.lock().unwrap();
    let told = |name| header(&head, name).to_owned();
    let text = String::from_utf8(body.to_vec()).unwrap();
    state.received.lock().unwrap().push(Received {
        id: told("webhook-id"),
        timestamp: told("webhook-timestamp"),
        signature: told("webhook-signature"),
        body: serde_json::from_str(&text).unwrap(),
        text,
        status,
    });
    if status == 0 {
        std::future::pending::<()>().await;
    }
    Ok(Response::builder().status(status).body(Full::default()).unwrap())
}
