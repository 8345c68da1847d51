//! A receiver of the provider `webhook`, served over real HTTP: it checks the signature after the
//! Standard Webhooks specification, keeps every request, and answers each number as the test has
//! scripted it.

use common::runtime::clock::Clock;
use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use data_encoding::BASE64;
use hmac::{Hmac, KeyInit, Mac};
use http::request::Parts;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use serde_json::Value;
use sha2::Sha256;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::http_server::{Closed, serve};
use crate::support::free_port;

/// The bytes of the secret.
const KEY: &[u8] = b"32 bytes that nobody else knows.";

/// What `SMS_WEBHOOK_SECRET` takes.
pub(crate) fn secret() -> String {
    format!("whsec_{}", BASE64.encode(KEY))
}

/// How one request is answered.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// That status and that body.
    Status(u16, &'static str),
    /// The connection is closed after the request was read.
    Close,
}

/// A request that is signed as it should be.
#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    /// `webhook-id`.
    pub(crate) id: String,
    pub(crate) body: Value,
}

/// The receiver. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct FakeWebhook {
    address: SocketAddr,
    state: Arc<State>,
    server: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct State {
    scripts: Mutex<HashMap<String, VecDeque<Reply>>>,
    deliveries: Mutex<HashMap<String, Vec<Delivery>>>,
    refusals: Mutex<Vec<String>>,
}

impl FakeWebhook {
    /// Starts a receiver that takes everything that is signed, with 204.
    pub(crate) async fn start() -> Self {
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let listener = TcpListener::bind(address).await.unwrap();
        let state = Arc::new(State::default());
        let shared = Arc::clone(&state);
        let server =
            tokio::spawn(serve(listener, move |request| answer(request, Arc::clone(&shared))));
        Self { address, state, server }
    }

    /// What `SMS_WEBHOOK_URL` takes.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/sms?tenant=7", self.address)
    }

    /// Says what the next requests of a number get, in that order.
    pub(crate) fn script(&self, number: &str, replies: impl IntoIterator<Item = Reply>) {
        self.state.scripts.lock().unwrap().entry(number.to_owned()).or_default().extend(replies);
    }

    /// Every request so far for a number, in the order of arrival.
    pub(crate) fn deliveries(&self, number: &str) -> Vec<Delivery> {
        self.state.deliveries.lock().unwrap().get(number).cloned().unwrap_or_default()
    }

    /// How many requests there were, for whatever number.
    pub(crate) fn count(&self) -> usize {
        self.state.deliveries.lock().unwrap().values().map(Vec::len).sum()
    }

    pub(crate) fn refusals(&self) -> Vec<String> {
        self.state.refusals.lock().unwrap().clone()
    }
}

impl Drop for FakeWebhook {
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
    if let Err(reason) = check(&head, &body, "/sms?tenant=7", &Clock::default()) {
        state.refusals.lock().unwrap().push(reason);
        return Ok(Response::builder().status(401).body(Full::default()).unwrap());
    }
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let number = body["data"]["to"].as_str().unwrap_or_default().to_owned();
    let id = header(&head, "webhook-id").to_owned();
    state.deliveries.lock().unwrap().entry(number.clone()).or_default().push(Delivery { id, body });
    let scripted = state.scripts.lock().unwrap().get_mut(&number).and_then(VecDeque::pop_front);
    match scripted.unwrap_or(Reply::Status(204, "")) {
        Reply::Status(status, body) => {
            Ok(Response::builder().status(status).body(Full::from(body)).unwrap())
        }
        Reply::Close => Err(Closed),
    }
}

/// <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>
pub(super) fn check(head: &Parts, body: &[u8], path: &str, clock: &Clock) -> Result<(), String> {
    if head.method != http::Method::POST || head.uri != path {
        return Err(format!("{} {}", head.method, head.uri));
    }
    if header(head, "content-type") != "application/json" {
        return Err("no JSON".to_owned());
    }
    let (id, timestamp) = (header(head, "webhook-id"), header(head, "webhook-timestamp"));
    let now = clock.unix_ms() / 1_000;
    if !timestamp.parse().is_ok_and(|at: i64| now.abs_diff(at) <= 5) {
        return Err(format!("a timestamp of {timestamp:?} at {now}"));
    }
    let mut mac = Hmac::<Sha256>::new_from_slice(KEY).unwrap();
    mac.update(format!("{id}.{timestamp}.").as_bytes());
    mac.update(body);
    let expected = format!("v1,{}", BASE64.encode(&mac.finalize().into_bytes()));
    let signed =
        header(head, "webhook-signature").split(' ').any(|signature| signature == expected);
    if signed { Ok(()) } else { Err("a wrong signature".to_owned()) }
}

pub(super) fn header<'a>(head: &'a Parts, name: &str) -> &'a str {
    head.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}
